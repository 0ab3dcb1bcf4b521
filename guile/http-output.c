/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The body of a response as a port: its head with the first bytes, then chunks,
   or bytes up to a length or to the end of the connection.

   What would have to wait says so, and Guile's suspendable procedures then wait
   for the socket.  What C writes, display say, cannot be suspended, and must
   not keep the thread from the other tasks: that part is queued in memory and
   goes first the next time.  Which of the two it is, Scheme knows
   (http-response.scm).  */

#include "error.h"
#include "http.h"
#include "layer.h"
#include "loop.h"
#include "primitive.h"
#include "value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

/* MAKE_HEAD is called for the head when there is something to send, and is #f
   once that has been made.  READY is what goes before anything else, from
   READY_AT on: the head, framing, what was queued.  OPEN is what of a chunk
   that was begun is still to come, LEFT of a length.  */
struct output
{
  SCM sock, make_head;
  char *ready;
  size_t ready_at, ready_size, ready_room;
  size_t open;
  uint64_t left, sent;
  int chunked, limited;
  int blocked; /* the last attempt had to wait */
  int over;    /* the response is; what follows on SOCK is another */
};

static const char who[] = "serve-http";
static scm_t_port_type *type;

static struct output *
output_of (SCM port)
{
  if (!SCM_PORTP (port) || SCM_PORT_TYPE (port) != type)
    scm_wrong_type_arg_msg (who, 1, port, "body");
  return (struct output *)SCM_STREAM (port);
}

static size_t
waiting (const struct output *out)
{
  return out->ready_size - out->ready_at;
}

static void
queue (struct output *out, const void *bytes, size_t size)
{
  if (out->ready_at == out->ready_size)
    out->ready_at = out->ready_size = 0;
  if (out->ready_room - out->ready_size < size)
    {
      size_t held = waiting (out), room = 2 * (held + size) + 64;
      char *larger = scm_gc_malloc_pointerless (room, who);
      if (held > 0)
        memcpy (larger, out->ready + out->ready_at, held);
      out->ready = larger;
      out->ready_at = 0;
      out->ready_size = held;
      out->ready_room = room;
    }
  memcpy (out->ready + out->ready_size, bytes, size);
  out->ready_size += size;
}

/* The head, once.  */
static void
begin (struct output *out)
{
  if (scm_is_false (out->make_head))
    return;
  SCM head = scm_call_0 (out->make_head);
  out->make_head = SCM_BOOL_F;
  queue (out, SCM_BYTEVECTOR_CONTENTS (head), SCM_BYTEVECTOR_LENGTH (head));
}

/* Prepare for SIZE bytes of the body.  How many may follow before the chunk has
   an end: one that was begun is filled first.  */
static size_t
frame (struct output *out, size_t size)
{
  if (out->over)
    scm_misc_error (who, "the response that this port was for has ended",
                    SCM_EOL);
  begin (out);
  if (out->limited)
    {
      if (size > out->left)
        scm_misc_error (who, "a body is longer than its Content-Length",
                        SCM_EOL);
      return size;
    }
  if (!out->chunked)
    return size;
  if (out->open == 0)
    {
      char line[24];
      int length = snprintf (line, sizeof line, "%zx\r\n", size);
      queue (out, line, (size_t)length);
      out->open = size;
    }
  return size < out->open ? size : out->open;
}

/* COUNT bytes of the body have gone, or were queued.  */
static void
count_body (struct output *out, size_t count)
{
  out->sent += count;
  if (out->limited)
    out->left -= count;
  if (out->chunked)
    out->open -= count;
}

/* Send what is ready and SIZE bytes of the body at BYTES, with the end of the
   chunk if it ends with them: how many of those went, or -EAGAIN if one has to
   wait.  */
static ssize_t
transmit_once (struct output *out, const char *bytes, size_t size)
{
  size_t first = waiting (out);
  size_t end = out->chunked && size > 0 && size == out->open ? 2 : 0;
  struct iovec slices[] = { { out->ready + out->ready_at, first },
                            { (void *)(uintptr_t)bytes, size },
                            { (void *)(uintptr_t) "\r\n", end } };
  if (first + size + end == 0)
    return 0;
  if (SCM_CLOSEDP (out->sock))
    scm_skp__error_closed (who);
  ssize_t n = scm_skp__port_send (out->sock, slices, 3);
  out->blocked = n == -EAGAIN || (n >= 0 && (size_t)n < first + size + end);
  if (n == -EAGAIN || n == 0)
    return -EAGAIN;
  if (n < 0)
    scm_skp__port_fail (out->sock, n, who);
  size_t sent = (size_t)n;
  if (sent < first)
    {
      out->ready_at += sent;
      return 0;
    }
  out->ready_at = out->ready_size = 0;
  sent -= first;
  size_t body = sent < size ? sent : size;
  count_body (out, body);
  if (body == size && end > 0)
    queue (out, "\r\n" + (sent - body), end - (sent - body));
  return (ssize_t)body;
}

/* The same, until some of the body went, or everything if there is none.  Less
   than was asked for may have gone though there is room for more, and then no
   event says so.  */
static ssize_t
transmit (struct output *out, const char *bytes, size_t size)
{
  ssize_t n;
  do
    n = transmit_once (out, bytes, size);
  while (n == 0 && (size > 0 || waiting (out) > 0));
  return n;
}

/* How many bytes went, or #f.  */
static SCM
output_write (SCM port, SCM src, SCM start, SCM count)
{
  struct output *out = output_of (port);
  if (scm_skp__turn_over ())
    return SCM_BOOL_F;
  size_t size = frame (out, scm_to_size_t (count));
  ssize_t n = transmit (
      out, (char *)SCM_BYTEVECTOR_CONTENTS (src) + scm_to_size_t (start), size);
  scm_remember_upto_here_1 (src);
  return n < 0 ? SCM_BOOL_F : scm_from_ssize_t (n);
}

/* What a client may leave of what C has written.  */
#define QUEUED_MOST ((size_t)64 << 20)

/* Take everything, up to a limit.  */
static SCM
output_queue (SCM port, SCM src, SCM start, SCM count)
{
  struct output *out = output_of (port);
  const char *bytes
      = (const char *)SCM_BYTEVECTOR_CONTENTS (src) + scm_to_size_t (start);
  size_t size = frame (out, scm_to_size_t (count));
  ssize_t n = transmit (out, bytes, size);
  if (n < 0)
    n = 0;
  size_t rest = size - (size_t)n;
  if (waiting (out) + rest > QUEUED_MOST)
    scm_misc_error (who,
                    "the client takes less than display and the like write;"
                    " put-string and force-output wait for it",
                    SCM_EOL);
  if (rest > 0)
    {
      queue (out, bytes + n, rest);
      count_body (out, rest);
      if (out->chunked && out->open == 0)
        queue (out, "\r\n", 2);
    }
  scm_remember_upto_here_1 (src);
  return scm_from_size_t (size);
}

/* WRITE is how bytes are written to such ports.  */
static SCM
output_writer (SCM write)
{
  scm_set_port_scm_write (type, scm_permanent_object (write));
  return SCM_UNSPECIFIED;
}

/* A type of output ports needs one in C; it is not called (output_writer).  */
static size_t
write_nothing (SCM port, SCM src, size_t start, size_t count)
{
  (void)port, (void)src, (void)start, (void)count;
  return 0;
}

static int
port_wait_fd (SCM port)
{
  return scm_skp__port_fd (output_of (port)->sock, 1, who);
}

static void
port_sizes (SCM port, size_t *read_size, size_t *write_size)
{
  (void)port;
  *read_size = 1;
  *write_size = 8192;
}

/* A port for the body of a response; (MAKE_HEAD) returns the bytes of its head.
   LENGTH is an integer, #f for chunks, #t for what ends with the connection. */
static SCM
make_output (SCM sock, SCM make_head, SCM length, SCM encoding)
{
  struct output *out = scm_gc_malloc (sizeof *out, "http output");
  *out = (struct output){ .sock = sock,
                          .make_head = make_head,
                          .chunked = scm_is_false (length),
                          .limited = scm_is_exact_integer (length) };
  if (out->limited)
    out->left = (uint64_t)scm_skp__integer (length, 0, INT64_MAX, 3, who);
  return scm_c_make_port_with_encoding (
      type, SCM_WRTNG | SCM_OPN,
      scm_string_to_symbol (scm_string_upcase (encoding)),
      scm_from_latin1_symbol ("error"), (scm_t_bits)out);
}

/* Has the head gone, or is it about to?  */
static SCM
output_begun (SCM port)
{
  return scm_from_bool (scm_is_false (output_of (port)->make_head));
}

static SCM
output_sent (SCM port)
{
  return scm_from_uint64 (output_of (port)->sent);
}

static SCM
output_blocked (SCM port)
{
  return scm_from_bool (output_of (port)->blocked);
}

/* Does the body that has begun end with the connection?  */
static SCM
output_open_ended (SCM port)
{
  const struct output *out = output_of (port);
  return scm_from_bool (!out->chunked && !out->limited
                        && scm_is_false (out->make_head));
}

/* What is missing of the length, or of a chunk that was begun: who writes may
   have been ended within it, and have gone on.  */
static SCM
output_missing (SCM port)
{
  const struct output *out = output_of (port);
  return scm_from_uint64 (out->left + out->open);
}

/* Put the last chunk behind what is ready.  */
static SCM
output_end (SCM port)
{
  struct output *out = output_of (port);
  begin (out);
  if (out->chunked)
    queue (out, "0\r\n\r\n", 5);
  return SCM_UNSPECIFIED;
}

static SCM
output_over (SCM port)
{
  output_of (port)->over = 1;
  return SCM_UNSPECIFIED;
}

/* Send what is ready: #f if there is more.  */
static SCM
output_flush (SCM port)
{
  struct output *out = output_of (port);
  return scm_from_bool (transmit (out, NULL, 0) >= 0 && waiting (out) == 0);
}

void
scm_skp__init_http_output (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%make-http-output", 4, 0, 0, make_output },
    { "%http-output-begun?", 1, 0, 0, output_begun },
    { "%http-output-open-ended?", 1, 0, 0, output_open_ended },
    { "%http-output-sent", 1, 0, 0, output_sent },
    { "%http-output-missing", 1, 0, 0, output_missing },
    { "%http-output-blocked?", 1, 0, 0, output_blocked },
    { "%http-output-end!", 1, 0, 0, output_end },
    { "%http-output-over!", 1, 0, 0, output_over },
    { "%http-output-flush!", 1, 0, 0, output_flush },
    { "%http-output-write", 4, 0, 0, output_write },
    { "%http-output-queue", 4, 0, 0, output_queue },
    { "%http-output-writer!", 1, 0, 0, output_writer },
  };
  type = scm_make_port_type ("http-response-body", NULL, write_nothing);
  scm_set_port_write_wait_fd (type, port_wait_fd);
  scm_set_port_get_natural_buffer_sizes (type, port_sizes);
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
