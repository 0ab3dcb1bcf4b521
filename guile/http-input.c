/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The body of a request as a port: what came behind the head, then the socket,
   up to the end that the head gives.  A read that would have to wait says
   so, and Guile's suspendable procedures then wait for the socket.

   What lies in the connection's buffer behind the body is the next request; the
   connection asks for it when it goes on.  */

#include "error.h"
#include "http.h"
#include "layer.h"
#include "primitive.h"
#include "value.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <sockport/http-chunk.h>

/* The last two are over; of what is BROKEN no more can be read.  */
enum state
{
  LENGTH,
  CHUNKS,
  TRAILERS,
  ENDED,
  BROKEN,
};

/* Bytes AT to END of BUFFER have come and were not used; RUN of them are a
   chunk's data.  LEFT is what of a length is still to come, TOTAL what was
   delivered, LIMIT the most that may be.  HEAD is for the trailers,
   which begin at TRAILERS_AT.  */
struct input
{
  SCM sock, buffer, head, memory, trailers;
  size_t at, end, run, trailers_at;
  uint64_t left, total, limit;
  struct skp_http_chunk chunk;
  enum state state;
  int expected; /* 100 Continue was not sent yet */
  int blocked;  /* the last attempt had to wait */
};

static scm_t_port_type *type;

static struct input *
input_for (SCM port, const char *who)
{
  if (!SCM_PORTP (port) || SCM_PORT_TYPE (port) != type)
    scm_wrong_type_arg_msg (who, 1, port, "body");
  return (struct input *)SCM_STREAM (port);
}

static struct input *
input_of (SCM port)
{
  return input_for (port, "serve-http");
}

static char *
buffer_bytes (const struct input *in)
{
  return (char *)SCM_BYTEVECTOR_CONTENTS (in->buffer);
}

static size_t
buffer_size (const struct input *in)
{
  return SCM_BYTEVECTOR_LENGTH (in->buffer);
}

_Noreturn static void
refuse (struct input *in, int status)
{
  in->state = BROKEN;
  scm_skp__http_refuse (status);
}

/* Receive up to SIZE bytes: -EAGAIN, or how many.  */
static ssize_t
receive (struct input *in, char *bytes, size_t size)
{
  if (SCM_CLOSEDP (in->sock))
    {
      in->state = BROKEN;
      scm_skp__error_closed ("serve-http");
    }
  if (in->expected)
    {
      /* There is room for it: nothing else has been sent since the request.
         Who does not get it goes on without, after a while.  */
      static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
      struct iovec slice = { (char *)(uintptr_t)line, sizeof line - 1 };
      in->expected = 0;
      scm_skp__port_send (in->sock, &slice, 1);
    }
  ssize_t n = scm_skp__port_recv (in->sock, bytes, size);
  in->blocked = n == -EAGAIN;
  if (n == 0)
    refuse (in, 400);
  if (n < 0 && n != -EAGAIN)
    {
      in->state = BROKEN;
      scm_skp__port_fail (in->sock, n, "serve-http");
    }
  return n;
}

static ssize_t
read_length (struct input *in, char *bytes, size_t size)
{
  if (size > in->left)
    size = (size_t)in->left;
  ssize_t n = (ssize_t)(in->end - in->at);
  if (n > 0)
    {
      n = (size_t)n < size ? n : (ssize_t)size;
      memcpy (bytes, buffer_bytes (in) + in->at, (size_t)n);
      in->at += (size_t)n;
    }
  else
    n = receive (in, bytes, size);
  if (n < 0)
    return n;
  in->left -= (uint64_t)n;
  if (in->left == 0)
    in->state = ENDED;
  return n;
}

/* Receive into the buffer behind what is in it from KEEP on.  */
static ssize_t
fill (struct input *in, size_t *keep)
{
  char *bytes = buffer_bytes (in);
  if (*keep > 0)
    {
      memmove (bytes, bytes + *keep, in->end - *keep);
      in->at -= *keep;
      in->end -= *keep;
      *keep = 0;
    }
  if (in->end == buffer_size (in))
    refuse (in, 431);
  ssize_t n = receive (in, bytes + in->end, buffer_size (in) - in->end);
  if (n > 0)
    in->end += (size_t)n;
  return n;
}

/* 1 when the trailers have ended.  */
static ssize_t
read_trailers (struct input *in)
{
  for (;;)
    {
      ssize_t n = skp_http_head_parse (scm_skp__http_head (in->head),
                                       buffer_bytes (in) + in->trailers_at,
                                       in->end - in->trailers_at);
      if (n > 0)
        {
          SCM invalid = SCM_EOL;
          in->trailers = scm_skp__http_headers (
              scm_skp__http_memory (in->memory), scm_skp__http_head (in->head),
              buffer_bytes (in) + in->trailers_at, &invalid);
          in->at = in->trailers_at + (size_t)n;
          in->state = ENDED;
          return 1;
        }
      if (n != -EAGAIN)
        refuse (in, scm_skp__http_status (n));
      n = fill (in, &in->trailers_at);
      if (n < 0)
        return n;
    }
}

static void
begin_trailers (struct input *in)
{
  in->state = TRAILERS;
  in->trailers_at = in->at;
  skp_http_head_init_trailers (scm_skp__http_head (in->head),
                               buffer_size (in) / 2);
}

/* Find data: 1, 0 when the last chunk has been met, or -EAGAIN.  */
static ssize_t
next_run (struct input *in)
{
  while (in->run == 0)
    {
      size_t used = 0, keep;
      ssize_t n = skp_http_chunk_next (&in->chunk, buffer_bytes (in) + in->at,
                                       in->end - in->at, &used);
      if (n < 0)
        refuse (in, 400);
      in->at += used;
      in->run = (size_t)n;
      if (in->total + in->run + in->chunk.left > in->limit)
        refuse (in, 413);
      if (skp_http_chunk_ended (&in->chunk))
        return 0;
      keep = in->at;
      if (n == 0 && (n = fill (in, &keep)) < 0)
        return n;
    }
  return 1;
}

static ssize_t
read_chunks (struct input *in, char *bytes, size_t size)
{
  ssize_t n = 0;
  if (in->state == CHUNKS)
    {
      n = next_run (in);
      if (n < 0)
        return n;
      if (n == 0)
        begin_trailers (in);
    }
  if (in->state == TRAILERS)
    {
      n = read_trailers (in);
      return n < 0 ? n : 0;
    }
  n = (ssize_t)(in->run < size ? in->run : size);
  memcpy (bytes, buffer_bytes (in) + in->at, (size_t)n);
  in->at += (size_t)n;
  in->run -= (size_t)n;
  return n;
}

/* Up to SIZE bytes of the body, 0 at its end, or -EAGAIN.  */
static ssize_t
read_body (struct input *in, char *bytes, size_t size)
{
  ssize_t n = 0;
  switch (in->state)
    {
    case LENGTH:
      n = read_length (in, bytes, size);
      break;
    case CHUNKS:
    case TRAILERS:
      n = read_chunks (in, bytes, size);
      break;
    case ENDED:
      return 0;
    default:
      scm_skp__http_refuse (400);
    }
  /* The limit was compared with the length, or with that of each chunk.  */
  if (n > 0)
    in->total += (size_t)n;
  return n;
}

static size_t
port_read (SCM port, SCM dst, size_t start, size_t count)
{
  ssize_t n = read_body (input_of (port),
                         (char *)SCM_BYTEVECTOR_CONTENTS (dst) + start, count);
  scm_remember_upto_here_1 (dst);
  return n < 0 ? (size_t)-1 : (size_t)n;
}

static void
port_sizes (SCM port, size_t *read_size, size_t *write_size)
{
  (void)port;
  *read_size = *write_size = 4096;
}

static int
port_wait_fd (SCM port)
{
  return scm_skp__port_fd (input_of (port)->sock, 1, "serve-http");
}

/* A port for the body that begins at AT in BUFFER, which has bytes up to END.
   LENGTH is #f for chunks; LIMIT is #f for none.  */
static SCM
make_input (SCM sock, SCM buffer, SCM at, SCM end, SCM length, SCM limit,
            SCM expected, SCM head, SCM memory)
{
  struct input *in = scm_gc_malloc (sizeof *in, "http input");
  *in = (struct input){ .sock = sock,
                        .buffer = buffer,
                        .head = head,
                        .memory = memory,
                        .trailers = SCM_EOL,
                        .at = (size_t)SCM_I_INUM (at),
                        .end = (size_t)SCM_I_INUM (end),
                        .limit = scm_is_false (limit)
                                     ? UINT64_MAX
                                     : (uint64_t)scm_skp__integer (
                                         limit, 0, INT64_MAX, 6, "serve-http"),
                        .expected = scm_is_true (expected),
                        .state = CHUNKS };
  scm_skp__http_head (head);
  if (scm_is_true (length))
    {
      in->left
          = (uint64_t)scm_skp__integer (length, 0, INT64_MAX, 5, "serve-http");
      in->state = in->left > 0 ? LENGTH : ENDED;
    }
  return scm_c_make_port_with_encoding (
      type, SCM_RDNG | SCM_OPN, scm_from_latin1_symbol ("ISO-8859-1"),
      scm_from_latin1_symbol ("error"), (scm_t_bits)in);
}

/* Where what follows the body begins in the buffer, and where it ends.  */
static SCM
input_at (SCM port)
{
  return scm_from_size_t (input_of (port)->at);
}

static SCM
input_end (SCM port)
{
  return scm_from_size_t (input_of (port)->end);
}

static SCM
input_ended (SCM port)
{
  return scm_from_bool (input_of (port)->state == ENDED);
}

static SCM
input_blocked (SCM port)
{
  return scm_from_bool (input_of (port)->blocked);
}

static SCM
input_broken (SCM port)
{
  return scm_from_bool (input_of (port)->state == BROKEN);
}

/* Does the client still wait for 100 Continue?  */
static SCM
input_expected (SCM port)
{
  return scm_from_bool (input_of (port)->expected);
}

/* Once a response has begun, a word on the way to it would be a part of it.  */
static SCM
input_answered (SCM port)
{
  input_of (port)->expected = 0;
  return SCM_UNSPECIFIED;
}

static SCM
input_total (SCM port)
{
  return scm_from_uint64 (input_of (port)->total);
}

static SCM
input_trailers (SCM port)
{
  return input_for (port, "body-trailers")->trailers;
}

void
scm_skp__init_http_input (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%make-http-input", 9, 0, 0, make_input },
    { "%http-input-at", 1, 0, 0, input_at },
    { "%http-input-end", 1, 0, 0, input_end },
    { "%http-input-ended?", 1, 0, 0, input_ended },
    { "%http-input-blocked?", 1, 0, 0, input_blocked },
    { "%http-input-broken?", 1, 0, 0, input_broken },
    { "%http-input-expected?", 1, 0, 0, input_expected },
    { "%http-input-answered!", 1, 0, 0, input_answered },
    { "%http-input-total", 1, 0, 0, input_total },
    { "%http-input-trailers", 1, 0, 0, input_trailers },
  };
  type = scm_make_port_type ("http-body", port_read, NULL);
  scm_set_port_read_wait_fd (type, port_wait_fd);
  scm_set_port_get_natural_buffer_sizes (type, port_sizes);
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
