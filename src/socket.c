/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Making, naming, connecting and accepting.  Never data, never options but the
   pending error.  */

#include <sockport/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include "os.h"

int
skp_socket_open (int family, int type, int protocol)
{
  return SKP__CALL (socket (family, type | SOCK_CLOEXEC, protocol));
}

int
skp_socket_pair (int family, int type, int protocol, int fds[2])
{
  return SKP__CALL (socketpair (family, type | SOCK_CLOEXEC, protocol, fds));
}

int
skp_socket_bind (int fd, const struct skp_address *address)
{
  return SKP__CALL (
      bind (fd, (const struct sockaddr *)&address->storage, address->length));
}

int
skp_socket_listen (int fd, int backlog)
{
  return SKP__CALL (listen (fd, backlog));
}

static int
int_option (int fd, int number, int *value)
{
  socklen_t length = sizeof *value;
  return SKP__CALL (getsockopt (fd, SOL_SOCKET, number, value, &length));
}

/* -EAGAIN if FD listens, else 0: what does not has no queue either, and this
   alone shows it.  */
static int
queue_empty (int fd)
{
  int value, result = int_option (fd, SO_ACCEPTCONN, &value);
  return result < 0 ? result : value ? -EAGAIN : 0;
}

/* What accept4 reports of a connection that came to nothing, or of the network
   that it came from: the next one is asked for (accept(2)).  EPERM: a firewall
   forbids it.  */
static int
came_to_nothing (int err)
{
  static const int errors[]
      = { ECONNABORTED, EPROTO,       EPERM,  ENETDOWN,   ENOPROTOOPT,
          EHOSTDOWN,    EHOSTUNREACH, ENONET, ENETUNREACH };
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
    if (err == -errors[i])
      return 1;
  return 0;
}

/* A security module refuses every connection alike, and leaves it where it
   is.  */
#define ACCEPT_ATTEMPTS 64

static int
accept_one (int fd, int flags, struct skp_address *peer)
{
  socklen_t length = sizeof peer->storage;
  int result = skp__accept4 (fd, peer ? &peer->storage : NULL,
                             peer ? &length : NULL, flags | SOCK_CLOEXEC);
  if (result >= 0 && peer)
    peer->length = length;
  return result;
}

int
skp_socket_accept_now (int fd, int flags, struct skp_address *peer)
{
  int result, attempts = 0;
  do
    result = accept_one (fd, flags, peer);
  while (result < 0 && came_to_nothing (result)
         && ++attempts < ACCEPT_ATTEMPTS);
  return result;
}

int
skp_socket_accept_next (int fd, int flags, struct skp_address *peer)
{
  int err = skp__check_ready (fd, POLLIN);
  return err < 0 ? err : skp_socket_accept_now (fd, flags, peer);
}

/* accept4 has no flag that keeps it from waiting on a blocking listener, so the
   queue is looked at first; what does not listen never waits there.  If another
   process takes the connection between the two calls, accept4 waits for the
   next one.  */
int
skp_socket_accept (int fd, int flags, struct skp_address *peer)
{
  struct pollfd queue = { .fd = fd, .events = POLLIN };
  int result, attempts = 0;

  do
    {
      result = skp__poll_now (&queue, 1);
      if (result == 0)
        result = queue_empty (fd);
      if (result < 0)
        return result;
      result = accept_one (fd, flags, peer);
    }
  while (result < 0 && came_to_nothing (result)
         && ++attempts < ACCEPT_ATTEMPTS);
  return result;
}

int
skp_socket_nonblocking (int fd)
{
  int flags = SKP__CALL (fcntl (fd, F_GETFL));
  return flags < 0 ? flags : (flags & O_NONBLOCK) != 0;
}

int
skp_socket_set_nonblocking (int fd, int nonblocking)
{
  int flags = SKP__CALL (fcntl (fd, F_GETFL));
  if (flags < 0)
    return flags;
  int wanted = nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  return wanted == flags ? 0 : SKP__CALL (fcntl (fd, F_SETFL, wanted));
}

/* connect has no flag that keeps it from waiting: the descriptor is put into
   non-blocking mode for the call.  An interrupted connect goes on by itself and
   must not be called again (connect(2)), which is what -EINPROGRESS says.  */
int
skp_socket_connect (int fd, const struct skp_address *address)
{
  int flags = SKP__CALL (fcntl (fd, F_GETFL));
  int blocking = flags >= 0 && !(flags & O_NONBLOCK), result = flags;
  if (blocking)
    result = SKP__CALL (fcntl (fd, F_SETFL, flags | O_NONBLOCK));
  if (result < 0)
    return result;
  result = skp__result (connect (fd, (const struct sockaddr *)&address->storage,
                                 address->length));
  if (blocking)
    (void)SKP__CALL (fcntl (fd, F_SETFL, flags));
  return result == -EINTR ? -EINPROGRESS : result;
}

int
skp_socket_error (int fd)
{
  int pending = 0;
  int result = int_option (fd, SO_ERROR, &pending);
  return result < 0 ? result : -pending;
}

/* The kernel settles a connection that was made without waiting at the next
   connect (inet_stream_connect in Linux's net/ipv4/af_inet.c).  Without this
   one, that of a program would return 0 where it is connected, or ECONNABORTED
   where it tries again after a refusal.  PEER is NULL after a failure.  A UNIX
   socket would wait here for room in the queue of its listener.  */
static void
settle (int fd, const struct skp_address *peer)
{
  static const struct sockaddr none = { .sa_family = AF_UNSPEC };
  if (!peer)
    connect (fd, &none, sizeof none);
  else if (skp_socket_tcp (fd))
    connect (fd, (const struct sockaddr *)&peer->storage, peer->length);
}

int
skp_socket_connected (int fd)
{
  struct pollfd ended = { .fd = fd, .events = POLLOUT };
  struct skp_address peer;
  int result = skp__poll_now (&ended, 1);
  if (result <= 0)
    return result;
  result = skp_socket_error (fd);
  if (result == 0)
    result = skp_socket_peer (fd, &peer);
  settle (fd, result < 0 ? NULL : &peer);
  return result < 0 ? result : 1;
}

int
skp_socket_ended (int fd)
{
  struct pollfd end = { .fd = fd, .events = POLLRDHUP };
  return skp__poll_now (&end, 1) > 0;
}

int
skp_socket_adopt (int fd, int *family, int *type, int *protocol)
{
  int found[3], result = int_option (fd, SO_DOMAIN, &found[0]);
  if (result >= 0)
    result = int_option (fd, SO_TYPE, &found[1]);
  if (result >= 0)
    result = int_option (fd, SO_PROTOCOL, &found[2]);
  if (result >= 0)
    result = SKP__CALL (fcntl (fd, F_SETFD, FD_CLOEXEC));
  if (result < 0)
    return result;
  *family = found[0];
  *type = found[1];
  *protocol = found[2];
  return 0;
}

int
skp_socket_shutdown (int fd, int how)
{
  return SKP__CALL (shutdown (fd, how));
}

static int
name (int fd, struct skp_address *address,
      int (*ask) (int, struct sockaddr *, socklen_t *))
{
  socklen_t length = sizeof address->storage;
  struct sockaddr_storage storage;
  int result = SKP__CALL (ask (fd, (struct sockaddr *)&storage, &length));
  if (result >= 0)
    *address = (struct skp_address){ length, storage };
  return result;
}

int
skp_socket_name (int fd, struct skp_address *address)
{
  return name (fd, address, getsockname);
}

int
skp_socket_peer (int fd, struct skp_address *address)
{
  return name (fd, address, getpeername);
}

int
skp_socket_tcp (int fd)
{
  int protocol;
  return int_option (fd, SO_PROTOCOL, &protocol) == 0
         && protocol == IPPROTO_TCP;
}

int
skp_socket_stream (int fd)
{
  int type;
  return int_option (fd, SO_TYPE, &type) == 0 && type == SOCK_STREAM;
}

int64_t
skp_socket_patience_us (int fd, int sending)
{
  struct timeval limit = { 0 };
  socklen_t length = sizeof limit;
  int option = sending ? SO_SNDTIMEO : SO_RCVTIMEO;
  if (getsockopt (fd, SOL_SOCKET, option, &limit, &length) < 0)
    return 0;
  /* The kernel takes a limit of more than a century.  */
  if (limit.tv_sec > INT32_MAX)
    return 0;
  return (int64_t)limit.tv_sec * 1000000 + limit.tv_usec;
}
