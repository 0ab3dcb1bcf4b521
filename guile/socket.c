/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Sockets as ports.  The primitives whose names begin with % try once; the C
   functions of the same name wait.  */

#include "complete.h"
#include "loop.h"
#include "port.h"
#include "value.h"
#include "wait.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>
#include <sockport/guile.h>
#include <sockport/socket.h>

static SCM
done (int result, const char *who)
{
  if (result < 0)
    scm_skp__error (result, who);
  return SCM_UNSPECIFIED;
}

static SCM
done_at (int result, const char *who, int fd, const struct skp_address *address)
{
  if (result < 0)
    scm_skp__error_at (result, who, fd, address);
  return SCM_UNSPECIFIED;
}

/* FAMILY, STYLE and PROTO; NONBLOCKING adds SOCK_NONBLOCK.  */
struct kind
{
  int family, style, proto;
};

static struct kind
kind_to (SCM family, SCM style, SCM proto, SCM nonblocking, const char *who)
{
  struct kind kind
      = { (int)scm_skp__integer (family, 0, (sa_family_t)-1, 1, who),
          (int)scm_skp__integer (style, 0, INT_MAX, 2, who),
          (int)scm_skp__integer (proto, 0, INT_MAX, 3, who) };
  if (!SCM_UNBNDP (nonblocking) && scm_is_true (nonblocking))
    kind.style |= SOCK_NONBLOCK;
  return kind;
}

static SCM
socket_try (SCM family, SCM style, SCM proto, SCM nonblocking)
{
  static const char who[] = "socket";
  struct kind kind = kind_to (family, style, proto, nonblocking, who);
  int fd = skp_socket_open (kind.family, kind.style, kind.proto);
  if (fd < 0)
    scm_skp__error (fd, who);
  return scm_skp__port (fd);
}

SCM
scm_skp_socket (SCM family, SCM style, SCM proto)
{
  return socket_try (family, style, proto, SCM_UNDEFINED);
}

static void
close_second (void *fds)
{
  close (((int *)fds)[1]);
}

static SCM
socketpair_try (SCM family, SCM style, SCM proto, SCM nonblocking)
{
  static const char who[] = "socketpair";
  struct kind kind = kind_to (family, style, proto, nonblocking, who);
  int fds[2];
  int err = skp_socket_pair (kind.family, kind.style, kind.proto, fds);
  if (err < 0)
    scm_skp__error (err, who);
  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler (close_second, fds, 0);
  SCM first = scm_skp__port (fds[0]);
  scm_dynwind_end ();
  return scm_cons (first, scm_skp__port (fds[1]));
}

SCM
scm_skp_socketpair (SCM family, SCM style, SCM proto)
{
  return socketpair_try (family, style, proto, SCM_UNDEFINED);
}

SCM
scm_skp_shutdown (SCM sock, SCM how)
{
  static const char who[] = "shutdown";
  int fd = scm_skp__fd (sock, 1, who);
  int direction = (int)scm_skp__integer (how, SHUT_RD, SHUT_RDWR, 2, who);
  return done_at (skp_socket_shutdown (fd, direction), who, fd, NULL);
}

SCM
scm_skp_bind (SCM sock, SCM fam, SCM address, SCM args)
{
  static const char who[] = "bind";
  struct skp_address made;
  int fd = scm_skp__fd (sock, 1, who);
  scm_skp__address_whole (&made, fam, address, args, 2, who);
  return done_at (skp_socket_bind (fd, &made), who, fd, &made);
}

SCM
scm_skp_listen (SCM sock, SCM backlog)
{
  static const char who[] = "listen";
  int fd = scm_skp__fd (sock, 1, who);
  /* The kernel takes a negative one for the most there can be.  */
  int length = (int)scm_skp__integer (backlog, -1, INT_MAX, 2, who);
  return done_at (skp_socket_listen (fd, length), who, fd, NULL);
}

static int
accept_flags (SCM flags)
{
  int bits = scm_skp__flags (flags, 0, 2, "accept");
  if (bits & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
    scm_skp__out_of_range (flags, "SOCK_NONBLOCK, SOCK_CLOEXEC or 0", 2,
                           "accept");
  return bits;
}

/* Accepting looks at the queue and then takes from it.  Of the threads that
   share a listener only one may be between the two, or another would wait in
   the kernel, where neither a signal's handler nor a close reaches it.  */
#define ACCEPT_LOCKS 256
static pthread_mutex_t accept_locks[ACCEPT_LOCKS];

static void
accept_locks_reset (void)
{
  for (int i = 0; i < ACCEPT_LOCKS; i++)
    pthread_mutex_init (&accept_locks[i], NULL);
}

/* A thread that a fork did not copy may have held one.  */
__attribute__ ((constructor)) static void
accept_locks_init (void)
{
  accept_locks_reset ();
  pthread_atfork (NULL, NULL, accept_locks_reset);
}

static int
accept_alone (int fd, int flags, struct skp_address *peer)
{
  pthread_mutex_t *lock = &accept_locks[fd % ACCEPT_LOCKS];
  pthread_mutex_lock (lock);
  int made = skp_socket_accept (fd, flags, peer);
  pthread_mutex_unlock (lock);
  return made;
}

/* PAIR, which is new and may hold a spare address, with port and address; #f if
   no connection is pending.  */
static SCM
accept_by (int (*accept) (int, int, struct skp_address *), SCM pair, SCM sock,
           SCM flags)
{
  struct skp_address peer;
  int fd = scm_skp__fd (sock, 1, "accept");
  int made = accept (fd, accept_flags (flags), &peer);
  if (made == -EAGAIN)
    return SCM_BOOL_F;
  if (made < 0)
    scm_skp__error_at (made, "accept", fd, NULL);
  SCM_SETCAR (pair, scm_skp__port (made));
  SCM_SETCDR (pair, scm_skp__address_into (SCM_CDR (pair), &peer));
  return pair;
}

static SCM
accept_in_turn (int (*accept) (int, int, struct skp_address *), SCM pair,
                SCM sock, SCM flags)
{
  return scm_skp__turn_over () ? SCM_BOOL_F
                               : accept_by (accept, pair, sock, flags);
}

/* For a listener that is known to be in non-blocking mode: where somebody is
   likely to wait, and where not.  */
static SCM
accept_now (SCM pair, SCM sock, SCM flags)
{
  return accept_in_turn (skp_socket_accept_now, pair, sock, flags);
}

static SCM
accept_next (SCM pair, SCM sock, SCM flags)
{
  return accept_in_turn (skp_socket_accept_next, pair, sock, flags);
}

static SCM
accept_first (SCM pair, SCM sock, SCM flags)
{
  return accept_in_turn (accept_alone, pair, sock, flags);
}

static int
nonblocking (SCM sock, const char *who)
{
  int result = scm_skp__nonblocking (scm_skp__fd (sock, 1, who));
  if (result < 0)
    scm_skp__error (result, who);
  return result;
}

SCM
scm_skp_accept4 (SCM sock, SCM flags)
{
  SCM pair = scm_cons (SCM_BOOL_F, SCM_BOOL_F);
  for (;;)
    {
      SCM accepted = accept_by (accept_alone, pair, sock, flags);
      if (scm_is_true (accepted) || nonblocking (sock, "accept"))
        return accepted;
      scm_skp__block (sock, POLLIN, "accept");
    }
}

SCM
scm_skp_accept (SCM sock)
{
  return scm_skp_accept4 (sock, SCM_UNDEFINED);
}

/* 0 when connected, -EINPROGRESS while the connection is being made, -EAGAIN
   when the queue of a UNIX listener is full and nothing has begun.  */
static int
connect_now (SCM sock, SCM fam, SCM address, SCM args)
{
  static const char who[] = "connect";
  struct skp_address made;
  int fd = scm_skp__fd (sock, 1, who);
  scm_skp__address_whole (&made, fam, address, args, 2, who);
  scm_skp__mode_lock ();
  int result = skp_socket_connect (fd, &made);
  scm_skp__mode_unlock ();
  if (result < 0 && result != -EINPROGRESS && result != -EAGAIN)
    scm_skp__error_at (result, who, fd, &made);
  return result;
}

static SCM
connect_try (SCM sock, SCM fam, SCM address, SCM args)
{
  int result = connect_now (sock, fam, address, args);
  return result == -EAGAIN ? SCM_SKP__FULL : scm_from_bool (result == 0);
}

/* How the connection to the address that SOCK began has ended: #t, an error, or
   #f if it is still being made, or a task's turn is over.  */
static SCM
connect_result (SCM sock, SCM fam, SCM address, SCM args)
{
  static const char who[] = "connect";
  struct skp_address made;
  int fd = scm_skp__fd (sock, 1, who);
  int result = skp_socket_connected (fd);
  if (result > 0 && scm_skp__turn_over () && !scm_skp__below_c ())
    result = 0;
  if (result >= 0)
    return scm_from_bool (result);
  scm_skp__address_whole (&made, fam, address, args, 2, who);
  scm_skp__error_at (result, who, fd, &made);
}

/* A full queue has no event to wait for: look again later.  Not after
   DEADLINE_NS.  */
static int
connect_patiently (SCM sock, SCM fam, SCM address, SCM args,
                   int64_t deadline_ns)
{
  static const char who[] = "connect";
  int result = -EAGAIN;
  for (int times = 0; result == -EAGAIN; times++)
    {
      if (deadline_ns >= 0 && scm_skp__monotonic_ns () >= deadline_ns)
        scm_skp__error (-EAGAIN, who);
      scm_skp__pause (sock, times, who);
      result = connect_now (sock, fam, address, args);
    }
  return result;
}

SCM
scm_skp_connect (SCM sock, SCM fam, SCM address, SCM args)
{
  static const char who[] = "connect";
  int mode = nonblocking (sock, who);
  int result = connect_now (sock, fam, address, args);
  SCM done;

  if (result == -EAGAIN)
    result = connect_patiently (sock, fam, address, args,
                                scm_skp__block_deadline (sock, POLLOUT, who));
  for (done = scm_from_bool (result == 0); scm_is_false (done) && !mode;)
    {
      scm_skp__block (sock, POLLOUT, who);
      done = connect_result (sock, fam, address, args);
    }
  return done;
}

static SCM
address_of (SCM sock, int (*ask) (int, struct skp_address *), const char *who)
{
  struct skp_address address;
  int fd = scm_skp__fd (sock, 1, who);
  int err = ask (fd, &address);
  if (err < 0)
    scm_skp__error_at (err, who, fd, NULL);
  return scm_skp__address_from (&address);
}

SCM
scm_skp_getsockname (SCM sock)
{
  return address_of (sock, skp_socket_name, "getsockname");
}

SCM
scm_skp_getpeername (SCM sock)
{
  return address_of (sock, skp_socket_peer, "getpeername");
}

/* A socket port for SOURCE, a descriptor or a port, which is then returned
   itself; and family, type and protocol.  */
static SCM
adopt (SCM source)
{
  static const char who[] = "adopt-socket";
  int family, type, protocol;
  int fd = SCM_PORTP (source)
               ? scm_skp__fd (source, 1, who)
               : (int)scm_skp__integer (source, 0, INT_MAX, 1, who);
  int err = skp_socket_adopt (fd, &family, &type, &protocol);
  if (err < 0)
    scm_skp__error (err, who);
  return scm_values (scm_list_4 (
      SCM_PORTP (source) ? source : scm_skp__port (fd), scm_from_int (family),
      scm_from_int (type), scm_from_int (protocol)));
}

static SCM
nonblocking_p (SCM sock)
{
  return scm_from_bool (nonblocking (sock, "nonblocking?"));
}

static SCM
set_nonblocking (SCM sock, SCM on)
{
  static const char who[] = "set-nonblocking!";
  int fd = scm_skp__fd (sock, 1, who);
  scm_skp__mode_lock ();
  int result = skp_socket_set_nonblocking (fd, scm_is_true (on));
  scm_skp__mode_unlock ();
  return done (result, who);
}

void
scm_skp__init_socket (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%socket", 3, 1, 0, socket_try },
    { "%socketpair", 3, 1, 0, socketpair_try },
    { "%shutdown", 2, 0, 0, scm_skp_shutdown },
    { "bind", 2, 1, 1, scm_skp_bind },
    { "listen", 2, 0, 0, scm_skp_listen },
    { "%accept", 2, 1, 0, accept_first },
    { "%accept-now", 3, 0, 0, accept_now },
    { "%accept-next", 3, 0, 0, accept_next },
    { "%connect", 2, 1, 1, connect_try },
    { "%connect-result", 2, 1, 1, connect_result },
    { "getsockname", 1, 0, 0, scm_skp_getsockname },
    { "getpeername", 1, 0, 0, scm_skp_getpeername },
    { "adopt-socket", 1, 0, 0, adopt },
    { "nonblocking?", 1, 0, 0, nonblocking_p },
    { "set-nonblocking!", 2, 0, 0, set_nonblocking },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
