/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <errno.h>
#include <poll.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sockport/process.h>
#include <sockport/socket.h>
#include <sockport/transfer.h>

static void
streams_are_told_from_the_others (void **state)
{
  (void)state;
  static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
  int fds[2];
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    {
      int fd = skp_socket_open (AF_UNIX, types[i], 0);
      assert_int_equal (skp_socket_stream (fd), types[i] == SOCK_STREAM);
      close (fd);
    }
  assert_int_equal (pipe (fds), 0);
  assert_int_equal (skp_socket_stream (fds[0]), 0);
  close (fds[0]);
  close (fds[1]);
}

static void
tcp_is_told_from_the_others (void **state)
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
      assert_int_equal (skp_socket_tcp (fd), kinds[i].tcp);
      close (fd);
    }
}

static void
patience_is_what_the_options_say (void **state)
{
  (void)state;
  const struct timeval in = { 2, 500000 }, out = { 0, 40000 };
  int fd = skp_socket_open (AF_UNIX, SOCK_STREAM, 0);
  assert_int_equal (skp_socket_patience_us (fd, 0), 0);
  assert_int_equal (skp_socket_patience_us (fd, 1), 0);
  setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &in, sizeof in);
  setsockopt (fd, SOL_SOCKET, SO_SNDTIMEO, &out, sizeof out);
  assert_int_equal (skp_socket_patience_us (fd, 0), 2500000);
  assert_int_equal (skp_socket_patience_us (fd, 1), 40000);
  close (fd);
}

/* A port of loopback that nobody listens on, while FD keeps it.  */
static void
refusing (struct skp_address *address, int *fd)
{
  assert_int_equal (skp_address_parse (address, "127.0.0.1:0"), 0);
  *fd = skp_socket_open (AF_INET, SOCK_STREAM, 0);
  assert_int_equal (skp_socket_bind (*fd, address), 0);
  assert_int_equal (skp_socket_name (*fd, address), 0);
}

static void
a_pending_error_is_told_once (void **state)
{
  (void)state;
  struct skp_address address;
  int bound, fd = skp_socket_open (AF_INET, SOCK_DGRAM, 0);
  struct pollfd wanted = { .fd = fd, .events = POLLIN };
  refusing (&address, &bound);
  assert_int_equal (skp_socket_error (fd), 0);
  assert_int_equal (skp_socket_connect (fd, &address), 0);
  assert_int_equal (send (fd, "", 1, 0), 1);
  assert_int_equal (poll (&wanted, 1, 5000), 1);
  assert_int_equal (skp_socket_error (fd), -ECONNREFUSED);
  assert_int_equal (skp_socket_error (fd), 0);
  close (fd);
  close (bound);
}

static void
the_end_of_a_stream_is_seen_before_it_is_met (void **state)
{
  (void)state;
  int fds[2];
  char byte;
  assert_int_equal (skp_socket_pair (AF_UNIX, SOCK_STREAM, 0, fds), 0);
  assert_int_equal (send (fds[0], "x", 1, 0), 1);
  assert_int_equal (skp_socket_ended (fds[1]), 0);
  assert_int_equal (skp_transfer_at_mark (-1), -EBADF);
  assert_int_equal (shutdown (fds[0], SHUT_WR), 0);
  assert_int_equal (skp_socket_ended (fds[1]), 1);
  assert_int_equal (recv (fds[1], &byte, 1, 0), 1);
  close (fds[0]);
  close (fds[1]);
}

static void
a_process_tells_its_end (void **state)
{
  (void)state;
  int gate[2], fd;
  pid_t pid;
  struct pollfd wanted = { .events = POLLIN };
  assert_int_equal (pipe (gate), 0);
  pid = fork ();
  if (pid == 0)
    {
      char byte;
      close (gate[1]);
      _exit (read (gate[0], &byte, 1) != 0);
    }
  wanted.fd = fd = skp_process_open (pid);
  assert_true (fd >= 0);
  assert_int_equal (poll (&wanted, 1, 0), 0);
  close (gate[1]);
  assert_int_equal (poll (&wanted, 1, 5000), 1);
  assert_int_equal (waitpid (pid, NULL, 0), pid);
  assert_int_equal (skp_process_open (pid), -ECHILD);
  close (fd);
  close (gate[0]);
}

/* What the connection that CLIENT begins to ADDRESS comes to.  */
static int
connect_to_end (int client, const struct skp_address *address)
{
  struct pollfd ended = { .fd = client, .events = POLLOUT };
  int result = skp_socket_connect (client, address);
  if (result != -EINPROGRESS)
    return result;
  poll (&ended, 1, 10000);
  result = skp_socket_connected (client);
  return result == 1 ? 0 : result;
}

static void
a_connection_is_settled (void **state)
{
  (void)state;
  struct skp_address address;
  int client = skp_socket_open (AF_INET, SOCK_STREAM, 0);
  int server = skp_socket_open (AF_INET, SOCK_STREAM, 0);
  skp_address_parse (&address, "127.0.0.1:0");
  assert_int_equal (skp_socket_bind (server, &address), 0);
  assert_int_equal (skp_socket_name (server, &address), 0);
  for (int i = 0; i < 3; i++)
    assert_int_equal (connect_to_end (client, &address), -ECONNREFUSED);
  assert_int_equal (skp_socket_listen (server, 1), 0);
  assert_int_equal (connect_to_end (client, &address), 0);
  assert_int_equal (connect_to_end (client, &address), -EISCONN);
  close (server);
  close (client);
}

TESTS (TEST (streams_are_told_from_the_others),
       TEST (tcp_is_told_from_the_others),
       TEST (patience_is_what_the_options_say),
       TEST (a_pending_error_is_told_once),
       TEST (the_end_of_a_stream_is_seen_before_it_is_met),
       TEST (a_process_tells_its_end), TEST (a_connection_is_settled));
