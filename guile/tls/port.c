/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The port type.  Reading and writing are procedures in Scheme that try and
   wait; here is what they try.  */

#include "../layer.h"
#include "stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sockport/guile.h>

scm_t_port_type *scm_skp__tls_type;

struct stream *
scm_skp__tls_stream (SCM port, int pos, const char *who)
{
  if (!SCM_PORTP (port) || SCM_PORT_TYPE (port) != scm_skp__tls_type)
    scm_wrong_type_arg_msg (who, pos, port, "port of TLS");
  return (struct stream *)SCM_STREAM (port);
}

static struct stream *
stream_of (SCM port)
{
  return (struct stream *)SCM_STREAM (port);
}

/* Once the socket is closed its descriptor may be another's, and move->fdes
   gives it another.  */
int
scm_skp__tls_usable (struct stream *s)
{
  if (!s->tls || !SCM_OPFPORTP (s->sock))
    return 0;
  if (s->fd != SCM_FPORT_FDES (s->sock))
    skp_tls_move (s->tls, s->fd = SCM_FPORT_FDES (s->sock));
  return 1;
}

/* The value of STEP, which uses S->tls and stores into EVENTS, with the lock
   held; and what it waits for, if it was to do something in DIRECTION.  */
#define STEP(s, direction, step)                                               \
  __extension__({                                                              \
    int events = 0;                                                            \
    pthread_mutex_lock (&(s)->lock);                                           \
    ssize_t n_ = scm_skp__tls_usable (s) ? (step) : -EBADF;                    \
    if (n_ == -EAGAIN)                                                         \
      (s)->awaits[direction] = events == POLLOUT;                              \
    pthread_mutex_unlock (&(s)->lock);                                         \
    n_;                                                                        \
  })

static SCM
below (SCM port)
{
  return stream_of (port)->sock;
}

static int
awaits (SCM port, int direction)
{
  return stream_of (port)->awaits[direction];
}

/* Send what is queued.  */
static ssize_t
send_queue (struct stream *s, int *events)
{
  while (s->at < s->end)
    {
      ssize_t n
          = skp_tls_write (s->tls, s->queue + s->at, s->end - s->at, events);
      if (n < 0)
        return n;
      s->at += (size_t)n;
    }
  s->at = s->end = s->room = 0;
  free (s->queue);
  s->queue = NULL;
  return 0;
}

static ssize_t
queue_and_write (struct stream *s, const void *bytes, size_t size, int *events)
{
  ssize_t n = s->at < s->end ? send_queue (s, events) : 0;
  return n < 0 ? n : skp_tls_write (s->tls, bytes, size, events);
}

static ssize_t
queue_and_flush (struct stream *s, int *events)
{
  ssize_t n = s->at < s->end ? send_queue (s, events) : 0;
  return n < 0 ? n : skp_tls_flush (s->tls, events);
}

/* What a write that was ended has left goes by the next read, if nobody else
   sees to it: the peer may wait for it.  */
static ssize_t
read_some (struct stream *s, void *bytes, size_t size, int *events)
{
  int other;
  ssize_t left = queue_and_flush (s, &other);
  ssize_t n = skp_tls_read (s->tls, bytes, size, events);
  if (n == -EAGAIN && left == -EAGAIN && s->flushing == 0)
    *events = POLLOUT;
  return n == -SKP_TLS_TRUNCATED && s->lenient ? 0 : n;
}

static ssize_t
stream_recv (SCM port, void *bytes, size_t size)
{
  struct stream *s = stream_of (port);
  return STEP (s, 0, read_some (s, bytes, size, &events));
}

/* What a write of SIZE bytes returns for N.  When the port was dropped nobody
   can be told that it has failed, and nothing may wait.  */
static ssize_t
told (const struct stream *s, ssize_t n, size_t size)
{
  return n < 0 && s->dropped ? (ssize_t)size : n;
}

static ssize_t
stream_send (SCM port, const void *bytes, size_t size)
{
  struct stream *s = stream_of (port);
  return told (s, STEP (s, 1, queue_and_write (s, bytes, size, &events)), size);
}

/* What a peer may leave of what C has written, as of a response
   (http-output.c): memory has an end.  */
#define QUEUED_MOST ((size_t)64 << 20)

/* All is taken, if not by the session by the queue.  */
static ssize_t
queue_up (struct stream *s, const void *bytes, size_t size, int *events)
{
  ssize_t n = queue_and_write (s, bytes, size, events);
  if (n != -EAGAIN)
    return n;
  if (s->end - s->at + size > QUEUED_MOST)
    return -ENOBUFS;
  if (s->room - s->end < size && s->at > s->end / 2)
    {
      memmove (s->queue, s->queue + s->at, s->end - s->at);
      s->end -= s->at;
      s->at = 0;
    }
  if (s->room - s->end < size)
    {
      size_t room = 2 * (s->end + size);
      char *larger = realloc (s->queue, room);
      if (!larger)
        return -ENOMEM;
      s->queue = larger;
      s->room = room;
    }
  memcpy (s->queue + s->end, bytes, size);
  s->end += size;
  return (ssize_t)size;
}

static ssize_t
stream_queue (SCM port, const void *bytes, size_t size)
{
  struct stream *s = stream_of (port);
  return told (s, STEP (s, 1, queue_up (s, bytes, size, &events)), size);
}

static ssize_t
stream_flush (SCM port)
{
  struct stream *s = stream_of (port);
  return told (s, STEP (s, 1, queue_and_flush (s, &events)), 0);
}

static int
stream_queued (SCM port)
{
  struct stream *s = stream_of (port);
  pthread_mutex_lock (&s->lock);
  int queued = s->at < s->end;
  pthread_mutex_unlock (&s->lock);
  return queued;
}

static void
stream_flushing (SCM port, int begins)
{
  struct stream *s = stream_of (port);
  pthread_mutex_lock (&s->lock);
  s->flushing += begins ? 1 : -1;
  pthread_mutex_unlock (&s->lock);
}

ssize_t
scm_skp__tls_end (struct stream *s, int *events)
{
  ssize_t n = s->at < s->end ? send_queue (s, events) : 0;
  return n < 0 ? n : skp_tls_end (s->tls, events);
}

static ssize_t
stream_end (SCM port)
{
  struct stream *s = stream_of (port);
  return STEP (s, 1, scm_skp__tls_end (s, &events));
}

static void
fail (SCM port, ssize_t n, const char *who)
{
  scm_skp__tls_fail (port, n, who);
}

/* libguile calls the procedures in Scheme instead.  */
static size_t
never (SCM port, SCM buffer, size_t start, size_t count)
{
  (void)port;
  (void)buffer;
  (void)start;
  (void)count;
  return 0;
}

static int
port_input_waiting (SCM port)
{
  struct stream *s = stream_of (port);
  return STEP (s, 0, skp_tls_pending (s->tls, &events)) != -EAGAIN;
}

static int
port_fd (SCM port)
{
  SCM sock = stream_of (port)->sock;
  return SCM_OPFPORTP (sock) ? SCM_FPORT_FDES (sock) : -1;
}

/* Much is read and written past the buffers.  HTTP has
   buffers of its own, and memory of this size, for each connection, would keep
   the collector busy.  */
static void
port_sizes (SCM port, size_t *read_size, size_t *write_size)
{
  int small = stream_of (port)->lenient && !stream_of (port)->client;
  *read_size = *write_size = small ? 256 : 4096;
}

static int
port_print (SCM port, SCM out, scm_print_state *state)
{
  (void)state;
  scm_puts ("#<tls ", out);
  if (SCM_CLOSEDP (port))
    scm_puts ("closed ", out);
  scm_intprint (port_fd (port), 10, out);
  scm_putc ('>', out);
  return 1;
}

static void
free_pending (void *tls)
{
  skp_tls_free (tls);
}

static int
is_tls (SCM port)
{
  return SCM_PORTP (port) && SCM_PORT_TYPE (port) == scm_skp__tls_type;
}

/* What TLS is to go through: a socket needs nothing, and OUTER, a port of TLS,
   gives its session away.  */
static int
put_over (struct skp_tls *tls, SCM outer)
{
  if (!is_tls (outer))
    return 0;
  struct stream *s = stream_of (outer);
  pthread_mutex_lock (&s->lock);
  int error = s->tls ? skp_tls_over (tls, s->tls) : -EBADF;
  if (error == 0)
    s->tls = NULL;
  pthread_mutex_unlock (&s->lock);
  return error;
}

/* A port for a session with HOST, or #f for one with a client, that CONTEXT has
   on SOCK; BYTES were received from SOCK before.  A port of TLS in the place of
   SOCK is closed, and what it had on its socket is this one's.  */
static SCM
make_port (SCM sock, SCM context, SCM host, SCM bytes, SCM lenient_eof)
{
  static const char server[] = "tls-accept", client[] = "tls-connect";
  const char *who = scm_is_false (host) ? server : client;
  SCM outer = sock;
  if (is_tls (outer))
    sock = stream_of (outer)->sock;
  if (!SCM_OPFPORTP (sock))
    scm_wrong_type_arg_msg (who, 1, outer, "open socket");
  struct skp_tls_context *shared
      = scm_skp__tls_context (context, scm_is_false (host) ? 2 : 3, who);
  struct skp_tls *tls = NULL;
  scm_dynwind_begin (0);
  char *name = NULL;
  if (scm_is_true (host))
    {
      name = scm_to_utf8_string (host);
      scm_dynwind_free (name);
    }
  int fd = SCM_FPORT_FDES (sock);
  int error = name ? skp_tls_client (&tls, shared, fd, name)
                   : skp_tls_server (&tls, shared, fd);
  if (error == 0)
    {
      scm_dynwind_unwind_handler (free_pending, tls, 0);
      error = skp_tls_feed (tls, SCM_BYTEVECTOR_CONTENTS (bytes),
                            SCM_BYTEVECTOR_LENGTH (bytes));
    }
  if (error < 0)
    scm_skp__tls_fail (SCM_BOOL_F, error, who);
  struct stream *s = scm_gc_malloc (sizeof *s, "tls");
  *s = (struct stream){ .sock = sock,
                        .fd = fd,
                        .client = name != NULL,
                        .lenient = scm_is_true (lenient_eof) };
  pthread_mutex_init (&s->lock, NULL);
  SCM port = scm_c_make_port (scm_skp__tls_type, SCM_OPN | SCM_RDNG | SCM_WRTNG,
                              (scm_t_bits)s);
  error = put_over (tls, outer);
  if (error < 0)
    scm_skp__tls_fail (SCM_BOOL_F, error, who);
  s->tls = tls;
  scm_skp__tls_own (port, sock);
  scm_dynwind_end ();
  if (is_tls (outer))
    scm_close_port (outer);
  return port;
}

/* #t once it is done, #f as long as it has to wait.  */
static SCM
handshake (SCM port)
{
  struct stream *s = stream_of (port);
  ssize_t n = STEP (s, 0, skp_tls_handshake (s->tls, &events));
  if (n < 0 && n != -EAGAIN)
    scm_skp__tls_fail (port, n, s->client ? "tls-connect" : "tls-accept");
  return scm_from_bool (n == 0);
}

/* (READ port bytes start count) and WRITE wait; (FAIL who name meaning reasons
   alert detail port) raises.  Returns what the other library is to know of
   these ports.  */
static SCM
init (SCM read, SCM write, SCM fail_procedure)
{
  static struct scm_skp__layer layer = { .below = below,
                                         .recv = stream_recv,
                                         .send = stream_send,
                                         .queue = stream_queue,
                                         .flush = stream_flush,
                                         .queued = stream_queued,
                                         .flushing = stream_flushing,
                                         .end = stream_end,
                                         .awaits = awaits,
                                         .fail = fail };
  scm_skp__tls_failed = scm_permanent_object (fail_procedure);
  scm_t_port_type *type = scm_make_port_type ("tls", never, never);
  scm_set_port_scm_read (type, scm_permanent_object (read));
  scm_set_port_scm_write (type, scm_permanent_object (write));
  scm_set_port_close (type, scm_skp__tls_close);
  scm_set_port_needs_close_on_gc (type, 1);
  scm_set_port_print (type, port_print);
  scm_set_port_input_waiting (type, port_input_waiting);
  scm_set_port_read_wait_fd (type, port_fd);
  scm_set_port_write_wait_fd (type, port_fd);
  scm_set_port_get_natural_buffer_sizes (type, port_sizes);
  layer.type = scm_skp__tls_type = type;
  return scm_from_pointer (&layer, NULL);
}

void
scm_skp__tls_init_port (void)
{
  scm_skp__tls_define ("%tls-init!", 3, init);
  scm_skp__tls_define ("%make-tls-port", 5, make_port);
  scm_skp__tls_define ("%tls-handshake", 1, handshake);
}
