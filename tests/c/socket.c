/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include <sockport/socket.h>

/* What a test asks of the next calls.  */
static struct
{
  int accept_errors[4]; /* what accept4 fails with, one after the other */
  int connect_error;    /* what connect fails with */
  int fcntl_error;      /* what F_SETFL fails with */
  int steal;            /* another process takes the connection first */
  int accepts, connects;
} forced;

long __real_syscall (long number, ...);
long __wrap_syscall (long number, long a, long b, long c, long d, long e,
                     long f);
int __real_connect (int fd, const struct sockaddr *to, socklen_t length);
int __wrap_connect (int fd, const struct sockaddr *to, socklen_t length);
int __real_fcntl (int fd, int command, long value);
int __wrap_fcntl (int fd, int command, long value);
int __wrap_fcntl64 (int fd, int command, long value);

long
__wrap_syscall (long number, long a, long b, long c, long d, long e, long f)
{
  int *errors = forced.accept_errors;
  if (number != SYS_accept4)
    return __real_syscall (number, a, b, c, d, e, f);
  forced.accepts++;
  if (errors[0])
    {
      errno = errors[0];
      memmove (errors, errors + 1, 3 * sizeof *errors);
      return -1;
    }
  if (forced.steal)
    close (accept ((int)a, NULL, NULL));
  return __real_syscall (number, a, b, c, d, e, f);
}

int
__wrap_connect (int fd, const struct sockaddr *to, socklen_t length)
{
  forced.connects++;
  int result = __real_connect (fd, to, length);
  if (!forced.connect_error)
    return result;
  errno = forced.connect_error;
  return -1;
}

int
__wrap_fcntl (int fd, int command, long value)
{
  if (command != F_SETFL || !forced.fcntl_error)
    return __real_fcntl (fd, command, value);
  errno = forced.fcntl_error;
  return -1;
}

/* What glibc calls it where file offsets have 64 bits.  */
int
__wrap_fcntl64 (int fd, int command, long value)
{
  return __wrap_fcntl (fd, command, value);
}

static const struct skp_part loopback[]
    = { { .number = INADDR_LOOPBACK }, { .number = 0 } };
static const struct skp_part unnamed[] = { { .length = 0 } };

/* A listener of FAMILY, whose address is stored in TO.  */
static int
listener (int family, int backlog, struct skp_address *to)
{
  memset (&forced, 0, sizeof forced);
  int fd = skp_socket_open (family, SOCK_STREAM, 0);
  assert_true (fd >= 0);
  assert_int_equal (skp_address_encode (to, family,
                                        family == AF_INET ? loopback : unnamed,
                                        family == AF_INET ? 2 : 1),
                    0);
  assert_int_equal (skp_socket_bind (fd, to), 0);
  assert_int_equal (skp_socket_listen (fd, backlog), 0);
  assert_int_equal (skp_socket_name (fd, to), 0);
  return fd;
}

static int
client_of (const struct skp_address *to)
{
  int fd = skp_socket_open (to->storage.ss_family, SOCK_STREAM, 0);
  int result = skp_socket_connect (fd, to);
  assert_true (result == 0 || result == -EINPROGRESS);
  return fd;
}

static int
closes_on_exec (int fd)
{
  return __real_fcntl (fd, F_GETFD, 0) & FD_CLOEXEC;
}

static void
every_descriptor_is_born_close_on_exec (void **state)
{
  (void)state;
  struct skp_address to, peer;
  int pair[2], server = listener (AF_UNIX, 5, &to), client = client_of (&to);
  int taken = skp_socket_accept (server, 0, &peer);
  assert_int_equal (skp_socket_pair (AF_UNIX, SOCK_STREAM, 0, pair), 0);
  int fds[] = { server, client, taken, pair[0], pair[1] };
  for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
    {
      assert_true (closes_on_exec (fds[i]));
      assert_int_equal (skp_socket_nonblocking (fds[i]), 0);
      close (fds[i]);
    }
}

static void
accept_never_waits (void **state)
{
  (void)state;
  struct skp_address to, peer;
  int server = listener (AF_INET, 5, &to);
  for (int nonblocking = 0; nonblocking < 2; nonblocking++)
    {
      assert_int_equal (skp_socket_set_nonblocking (server, nonblocking), 0);
      assert_int_equal (skp_socket_accept (server, 0, NULL), -EAGAIN);
      assert_int_equal (skp_socket_nonblocking (server), nonblocking);
    }
  assert_int_equal (forced.accepts, 0);
  /* Now it is in non-blocking mode, and known to be.  */
  assert_int_equal (skp_socket_accept_now (server, 0, NULL), -EAGAIN);
  assert_int_equal (forced.accepts, 1);
  assert_int_equal (skp_socket_accept_next (server, 0, NULL), -EAGAIN);
  assert_int_equal (forced.accepts, 1);
  int client = client_of (&to);
  int taken = skp_socket_accept_next (server, 0, &peer);
  assert_true (taken >= 0 && peer.length == to.length && forced.accepts == 2);
  close (taken);
  close (client);
  close (server);
}

static void
accept_answers_the_connection (void **state)
{
  (void)state;
  struct skp_address to, peer, name;
  int server = listener (AF_INET, 5, &to), client = client_of (&to);
  int taken = skp_socket_accept (server, SOCK_NONBLOCK, &peer);
  assert_true (taken >= 0);
  assert_int_equal (skp_socket_nonblocking (taken), 1);
  assert_int_equal (skp_socket_name (client, &name), 0);
  assert_int_equal (peer.length, name.length);
  assert_memory_equal (&peer.storage, &name.storage, 8);
  close (taken);
  int second = client_of (&to);
  taken = skp_socket_accept (server, 0, NULL);
  assert_true (taken >= 0);
  close (taken);
  close (second);
  close (client);
  close (server);
}

static void
accept_goes_on_after_what_is_no_answer (void **state)
{
  (void)state;
  struct skp_address to, peer;
  int server = listener (AF_INET, 5, &to), client = client_of (&to);
  int errors[] = { EINTR, ECONNABORTED, EPROTO };
  memcpy (forced.accept_errors, errors, sizeof errors);
  int taken = skp_socket_accept (server, 0, &peer);
  assert_true (taken >= 0);
  assert_int_equal (forced.accepts, 4);
  close (taken);
  close (client);
  close (server);
}

static void
accept_leaves_what_it_cannot_take (void **state)
{
  (void)state;
  struct skp_address to, peer = { .length = 77 };
  struct rlimit limit, none;
  int server = listener (AF_INET, 5, &to), client = client_of (&to);
  getrlimit (RLIMIT_NOFILE, &limit);
  none = limit;
  none.rlim_cur = (rlim_t)client + 1;
  setrlimit (RLIMIT_NOFILE, &none);
  int result = skp_socket_accept (server, 0, &peer);
  int opened = skp_socket_open (AF_INET, SOCK_STREAM, 0);
  setrlimit (RLIMIT_NOFILE, &limit);
  assert_int_equal (result, -EMFILE);
  assert_int_equal (opened, -EMFILE);
  assert_int_equal (peer.length, 77);
  int taken = skp_socket_accept (server, 0, &peer);
  assert_true (taken >= 0);
  close (taken);
  close (client);
  close (server);
}

static void
a_connection_taken_by_another_is_missed (void **state)
{
  (void)state;
  struct skp_address to, peer;
  int server = listener (AF_INET, 5, &to), client = client_of (&to);
  skp_socket_set_nonblocking (server, 1);
  forced.steal = 1;
  assert_int_equal (skp_socket_accept (server, 0, &peer), -EAGAIN);
  close (client);
  close (server);
}

static void
what_does_not_listen_is_refused (void **state)
{
  (void)state;
  int files[2], pair[2], bound = skp_socket_open (AF_INET, SOCK_STREAM, 0);
  int datagrams = skp_socket_open (AF_INET, SOCK_DGRAM, 0);
  memset (&forced, 0, sizeof forced);
  assert_int_equal (pipe (files), 0);
  assert_int_equal (skp_socket_pair (AF_UNIX, SOCK_STREAM, 0, pair), 0);
  assert_int_equal (skp_socket_accept (bound, 0, NULL), -EINVAL);
  assert_int_equal (skp_socket_accept (pair[0], 0, NULL), -EINVAL);
  assert_int_equal (skp_socket_accept (datagrams, 0, NULL), -EOPNOTSUPP);
  assert_int_equal (skp_socket_accept (files[0], 0, NULL), -ENOTSOCK);
  assert_int_equal (skp_socket_accept (files[1], 0, NULL), -ENOTSOCK);
  assert_int_equal (skp_socket_accept (-1, 0, NULL), -EBADF);
  int fds[] = { bound, datagrams, files[0], files[1], pair[0], pair[1] };
  for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
    close (fds[i]);
}

/* In either mode, whatever comes of it.  */
static void
connect_keeps_the_mode (void **state)
{
  (void)state;
  struct skp_address to, nowhere;
  int server = listener (AF_UNIX, 5, &to);
  struct skp_part part = { .bytes = "/nonexistent/name", .length = 17 };
  assert_int_equal (skp_address_encode (&nowhere, AF_UNIX, &part, 1), 0);
  for (int i = 0; i < 6; i++)
    {
      int fd = skp_socket_open (AF_UNIX,
                                SOCK_STREAM | (i % 2 ? SOCK_NONBLOCK : 0), 0);
      forced.connect_error = i < 4 ? 0 : EINTR;
      int result = skp_socket_connect (fd, i < 2 ? &nowhere : &to);
      assert_int_equal (result, i < 2 ? -ENOENT : (i < 4 ? 0 : -EINPROGRESS));
      assert_int_equal (skp_socket_nonblocking (fd), i % 2);
      close (fd);
    }
  assert_int_equal (forced.connects, 6);
  close (server);
}

static void
connect_gives_up_when_it_would_wait (void **state)
{
  (void)state;
  struct skp_address to;
  int server = listener (AF_UNIX, 5, &to);
  int fd = skp_socket_open (AF_UNIX, SOCK_STREAM, 0);
  forced.fcntl_error = EPERM;
  assert_int_equal (skp_socket_connect (fd, &to), -EPERM);
  assert_int_equal (forced.connects, 0);
  close (fd);
  close (server);
  assert_int_equal (skp_socket_connect (fd, &to), -EBADF);
}

static void
a_full_unix_queue_is_no_success (void **state)
{
  (void)state;
  struct skp_address to;
  int server = listener (AF_UNIX, 0, &to), first = client_of (&to);
  int second = skp_socket_open (AF_UNIX, SOCK_STREAM, 0);
  assert_int_equal (skp_socket_connect (second, &to), -EAGAIN);
  assert_int_equal (skp_socket_nonblocking (second), 0);
  close (skp_socket_accept (server, 0, NULL));
  assert_int_equal (skp_socket_connect (second, &to), 0);
  assert_int_equal (skp_socket_connected (second), 1);
  close (first);
  close (second);
  close (server);
}

static void
how_a_connection_ends_is_told (void **state)
{
  (void)state;
  struct skp_address to;
  struct pollfd ended = { .events = POLLOUT };
  int server = listener (AF_INET, 5, &to), client = client_of (&to);
  ended.fd = client;
  poll (&ended, 1, 5000);
  assert_int_equal (skp_socket_connected (client), 1);
  close (client);
  close (server);
  client = skp_socket_open (AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  int result = skp_socket_connect (client, &to);
  if (result == -EINPROGRESS)
    {
      ended.fd = client;
      poll (&ended, 1, 5000);
      result = skp_socket_connected (client);
    }
  assert_int_equal (result, -ECONNREFUSED);
  /* The error has been read: it must not look like a connection.  */
  assert_int_equal (skp_socket_connected (client), -ENOTCONN);
  close (client);
}

/* A TCP listener that drops what comes once its queue is full.  */
static void
a_connection_being_made_is_told (void **state)
{
  (void)state;
  struct skp_address to;
  int clients[8], server = listener (AF_INET, 0, &to);
  int result = 1;
  for (int i = 0; i < 8; i++)
    clients[i] = client_of (&to);
  for (int i = 0; i < 8; i++)
    if (skp_socket_connected (clients[i]) == 0)
      result = 0;
  assert_int_equal (result, 0);
  for (int i = 0; i < 8; i++)
    close (clients[i]);
  close (server);
}

static void
names_are_written_on_success_alone (void **state)
{
  (void)state;
  struct skp_address address = { .length = 77 };
  int fd = skp_socket_open (AF_INET, SOCK_STREAM, 0);
  assert_int_equal (skp_socket_peer (fd, &address), -ENOTCONN);
  assert_int_equal (skp_socket_name (-1, &address), -EBADF);
  assert_int_equal (address.length, 77);
  assert_int_equal (skp_socket_name (fd, &address), 0);
  assert_int_equal (address.length, sizeof (struct sockaddr_in));
  close (fd);
}

static void
tcp_is_told_from_the_rest (void **state)
{
  (void)state;
  static const struct
  {
    int family, type, tcp;
  } kinds[] = { { AF_INET, SOCK_STREAM, 1 },
                { AF_INET6, SOCK_STREAM, 1 },
                { AF_INET, SOCK_DGRAM, 0 },
                { AF_UNIX, SOCK_STREAM, 0 } };
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    {
      int fd = skp_socket_open (kinds[i].family, kinds[i].type, 0);
      if (fd < 0)
        continue; /* no IPv6 here */
      assert_int_equal (skp_socket_tcp (fd), kinds[i].tcp);
      close (fd);
    }
  assert_int_equal (skp_socket_tcp (-1), 0);
}

TESTS (TEST (tcp_is_told_from_the_rest),
       TEST (every_descriptor_is_born_close_on_exec), TEST (accept_never_waits),
       TEST (accept_answers_the_connection),
       TEST (accept_goes_on_after_what_is_no_answer),
       TEST (accept_leaves_what_it_cannot_take),
       TEST (a_connection_taken_by_another_is_missed),
       TEST (what_does_not_listen_is_refused), TEST (connect_keeps_the_mode),
       TEST (connect_gives_up_when_it_would_wait),
       TEST (a_full_unix_queue_is_no_success),
       TEST (how_a_connection_ends_is_told),
       TEST (a_connection_being_made_is_told),
       TEST (names_are_written_on_success_alone));
