/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A socket that is made and connected at once.  */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <sockport/connect.h>
#include <sockport/option.h>
#include <sockport/socket.h>

static int
listener (const char *where, int backlog, struct skp_address *to)
{
  assert_int_equal (skp_address_parse (to, where), 0);
  int fd = skp_socket_open (to->storage.ss_family, SOCK_STREAM, 0);
  assert_int_equal (skp_socket_bind (fd, to), 0);
  assert_int_equal (skp_socket_listen (fd, backlog), 0);
  assert_int_equal (skp_socket_name (fd, to), 0);
  return fd;
}

static void
it_is_connected_in_the_mode_that_was_asked_for (void **state)
{
  (void)state;
  static const char *const places[] = { "127.0.0.1:0", "[::1]:0" };
  for (int i = 0; i < 8; i++)
    {
      struct skp_address to, peer;
      int fd, flags = i / 2, no_delay = 0;
      int server = listener (places[i % 2], 5, &to);
      assert_int_equal (skp_connect_begin (&fd, &to, flags), 1);
      assert_int_equal (fcntl (fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
      assert_int_equal (skp_socket_nonblocking (fd),
                        (flags & SKP_CONNECT_NONBLOCKING) != 0);
      assert_int_equal (
          skp_option_get_int (fd, IPPROTO_TCP, TCP_NODELAY, &no_delay), 0);
      assert_int_equal (no_delay, (flags & SKP_CONNECT_NO_DELAY) != 0);
      assert_int_equal (skp_socket_peer (fd, &peer), 0);
      assert_memory_equal (&peer.storage, &to.storage, to.length);
      /* The kernel has nothing left to settle: it is connected once.  */
      assert_int_equal (connect (fd, (void *)&to.storage, to.length), -1);
      assert_int_equal (errno, EISCONN);
      close (fd);
      close (server);
    }
}

static void
a_refusal_leaves_no_socket (void **state)
{
  (void)state;
  struct skp_address to;
  int fd = -7;
  close (listener ("127.0.0.1:0", 5, &to));
  assert_int_equal (skp_connect_begin (&fd, &to, SKP_CONNECT_NO_DELAY),
                    -ECONNREFUSED);
  assert_int_equal (fd, -7);
  to.storage.ss_family = AF_MAX;
  assert_int_equal (skp_connect_begin (&fd, &to, 0), -EAFNOSUPPORT);
}

/* A listener whose queue is full drops what comes; when there is room, the
   kernel asks again.  */
static void
what_takes_time_goes_on (void **state)
{
  (void)state;
  struct skp_address to;
  int fds[8], pending = -1, server = listener ("127.0.0.1:0", 0, &to);
  for (int i = 0; i < 8; i++)
    if (skp_connect_begin (&fds[i], &to, 0) == 0 && pending < 0)
      pending = fds[i];
  assert_true (pending >= 0);
  assert_int_equal (skp_socket_nonblocking (pending), 0);
  assert_int_equal (skp_socket_connected (pending), 0);
  struct pollfd ended = { .fd = pending, .events = POLLOUT };
  int taken[8], count = 0;
  while (skp_socket_connected (pending) == 0)
    {
      if (count < 8
          && (taken[count] = skp_socket_accept (server, 0, NULL)) >= 0)
        count++;
      poll (&ended, 1, 10);
    }
  assert_int_equal (skp_socket_connected (pending), 1);
  for (int i = 0; i < 8; i++)
    close (fds[i]);
  for (int i = 0; i < count; i++)
    close (taken[i]);
  close (server);
}

TESTS (TEST (it_is_connected_in_the_mode_that_was_asked_for),
       TEST (a_refusal_leaves_no_socket), TEST (what_takes_time_goes_on));
