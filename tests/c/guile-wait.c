/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The C functions for Guile that wait: as documented they block, and do so
   outside Guile mode, to the end or to the socket's limit.  Prints TAP.  */

#include "guile-test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <sockport/guile-names.h>
#include <sockport/guile.h>

#define MANY 10000000

/* Two sockets, what is done with them, and the thread that does it.  */
struct scene
{
  SCM a, b;
  SCM (*body) (void *);
  SCM thread;
};

static SCM
zero (void)
{
  return number (0);
}

static SCM
unix_socket (int style)
{
  return scm_socket (number (AF_UNIX), number (style), zero ());
}

static SCM
listener (int backlog)
{
  SCM sock = unix_socket (SOCK_STREAM);
  scm_bind (sock, number (AF_UNIX), scm_from_utf8_string (""), SCM_EOL);
  scm_listen (sock, number (backlog));
  return sock;
}

static struct scene
pair (void)
{
  SCM two = scm_socketpair (number (AF_UNIX), number (SOCK_STREAM), zero ());
  return (struct scene){ .a = SCM_CAR (two), .b = SCM_CDR (two) };
}

static void
limit (SCM sock, int option, long microseconds)
{
  scm_setsockopt (sock, number (SOL_SOCKET), number (option),
                  scm_cons (zero (), number (microseconds)));
}

static void
set_nonblocking (SCM sock)
{
  scm_fcntl (sock, number (F_SETFL), number (O_RDWR | O_NONBLOCK));
}

static double
seconds (clockid_t clock)
{
  struct timespec now;
  clock_gettime (clock, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static SCM
in_thread (void *scene)
{
  struct scene *s = scene;
  return thrown (s->body, s);
}

static void
start (struct scene *s, SCM (*body) (void *))
{
  s->body = body;
  s->thread = scm_spawn_thread (in_thread, s, NULL, NULL);
}

static void
a_while (void)
{
  scm_std_usleep (50000);
}

static SCM
receive_many (void *scene)
{
  struct scene *s = scene;
  SCM bytes = scm_c_make_bytevector (MANY);
  a_while ();
  return scm_recv (s->a, bytes, number (MSG_WAITALL));
}

static void
long_sends (void)
{
  struct scene s = pair ();
  SCM many = scm_c_make_bytevector (MANY);
  start (&s, receive_many);
  check (scm_to_long (scm_send (s.b, many, ABSENT)) == MANY,
         "send waits until all has gone");
  check (scm_to_long (scm_join_thread (s.thread)) == MANY,
         "recv waits for all with MSG_WAITALL");
  limit (s.a, SO_SNDTIMEO, 50000);
  long gone = scm_to_long (scm_send (s.a, many, ABSENT));
  check (gone > 0 && gone < MANY, "a limit ends send with what has gone");
  set_nonblocking (s.b);
  gone = scm_to_long (scm_send (s.b, many, ABSENT));
  check (gone > 0 && gone < MANY, "so does non-blocking mode");
  scm_skp_close_port (s.a);
  scm_skp_close_port (s.b);
}

static SCM
receive (void *scene)
{
  return scm_recv (((struct scene *)scene)->a, scm_c_make_bytevector (1),
                   ABSENT);
}

static SCM
do_accept (void *scene)
{
  return scm_accept (((struct scene *)scene)->a);
}

static SCM
do_connect (void *scene)
{
  struct scene *s = scene;
  return scm_connect (s->b, scm_getsockname (s->a), ABSENT, SCM_EOL);
}

static SCM
send_one (void *scene)
{
  struct scene *s = scene;
  return scm_sendto (s->b, scm_c_make_bytevector (1), scm_getsockname (s->a),
                     ABSENT, SCM_EOL);
}

static void
closing (void)
{
  struct scene s = pair (), l = { .a = listener (1) };
  start (&s, receive);
  start (&l, do_accept);
  a_while ();
  scm_gc ();
  scm_skp_close_port (s.a);
  scm_skp_close_port (l.a);
  check (errno_of (scm_join_thread (s.thread)) == EBADF,
         "a close ends recv in another thread");
  check (errno_of (scm_join_thread (l.thread)) == EBADF,
         "a close ends accept in another thread");
  scm_skp_close_port (s.b);
}

static void
limits (void)
{
  struct scene s = pair (), l = { .a = listener (1) };
  double before = seconds (CLOCK_MONOTONIC);
  limit (s.a, SO_RCVTIMEO, 50000);
  limit (l.a, SO_RCVTIMEO, 50000);
  check (errno_of (thrown (receive, &s)) == EAGAIN, "recv has a limit");
  check (errno_of (thrown (do_accept, &l)) == EAGAIN, "accept has a limit");
  check (seconds (CLOCK_MONOTONIC) - before >= 0.09, "not before its time");
  set_nonblocking (s.b);
  set_nonblocking (l.a);
  struct scene other = { .a = s.b };
  check (errno_of (thrown (receive, &other)) == EAGAIN,
         "recv raises EAGAIN in non-blocking mode");
  check (scm_is_false (thrown (do_accept, &l)),
         "accept answers #f in non-blocking mode");
  scm_skp_close_port (s.a);
  scm_skp_close_port (s.b);
  scm_skp_close_port (l.a);
}

static void
full_queues (void)
{
  struct scene first = { .a = listener (0), .b = unix_socket (SOCK_STREAM) };
  struct scene second = { .a = first.a, .b = unix_socket (SOCK_STREAM) };
  check (scm_is_true (do_connect (&first)), "connect");
  limit (second.b, SO_SNDTIMEO, 50000);
  check (errno_of (thrown (do_connect, &second)) == EAGAIN,
         "connect to a full queue has a limit");
  limit (second.b, SO_SNDTIMEO, 0);
  start (&second, do_connect);
  a_while ();
  SCM taken = scm_accept (first.a);
  check (scm_is_true (scm_join_thread (second.thread)),
         "connect waits until the queue has room");
  check (scm_is_vector (scm_getpeername (second.b)), "and is connected");
  scm_skp_close_port (SCM_CAR (taken));
  scm_skp_close_port (first.a);
  scm_skp_close_port (first.b);
  scm_skp_close_port (second.b);
}

static void
full_datagram_queues (void)
{
  struct scene s
      = { .a = unix_socket (SOCK_DGRAM), .b = unix_socket (SOCK_DGRAM) };
  scm_bind (s.a, number (AF_UNIX), scm_from_utf8_string (""), SCM_EOL);
  limit (s.b, SO_SNDTIMEO, 200000);
  double used = seconds (CLOCK_PROCESS_CPUTIME_ID);
  while (scm_is_integer (thrown (send_one, &s)))
    continue;
  check (seconds (CLOCK_PROCESS_CPUTIME_ID) - used < 0.1,
         "sendto does not spin while the receiver's queue is full");
  limit (s.b, SO_SNDTIMEO, 0);
  start (&s, send_one);
  a_while ();
  receive (&s);
  check (scm_to_long (scm_join_thread (s.thread)) == 1,
         "and ends when there is room");
  scm_skp_close_port (s.a);
  scm_skp_close_port (s.b);
}

static SCM
receive_text (void *scene)
{
  struct scene *s = scene;
  SCM text = scm_make_string (number (4), SCM_MAKE_CHAR ('.'));
  SCM from
      = scm_recvfrom (s->a, text, number (MSG_WAITALL), number (1), number (4));
  return scm_cons (SCM_CAR (from), text);
}

static void
strings (void)
{
  struct scene s = pair ();
  start (&s, receive_text);
  a_while ();
  scm_send (s.b, scm_from_utf8_string ("ab"), ABSENT);
  a_while ();
  scm_send (s.b, scm_from_utf8_string ("c"), ABSENT);
  SCM got = scm_join_thread (s.thread);
  SCM wanted = scm_cons (number (3), scm_from_utf8_string (".abc"));
  check (scm_is_true (scm_equal_p (got, wanted)),
         "a string is received into in pieces");
  scm_skp_close_port (s.a);
  scm_skp_close_port (s.b);
}

static void *
run (void *data)
{
  (void)data;
  long_sends ();
  closing ();
  limits ();
  full_queues ();
  full_datagram_queues ();
  strings ();
  return NULL;
}

int
main (void)
{
  alarm (60);
  scm_with_guile (run, NULL);
  printf ("1..%d\n", points);
  return failures != 0;
}
