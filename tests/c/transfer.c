/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include <sockport/socket.h>
#include <sockport/transfer.h>

/* What a test asks of the next system calls.  */
static struct
{
  int interruptions; /* this many end with EINTR */
  long most;         /* bytes that one call moves, if not 0 */
  long flags;        /* those of the last call */
} forced;

long __real_syscall (long number, ...);
long __wrap_syscall (long number, long a, long b, long c, long d, long e,
                     long f);

long
__wrap_syscall (long number, long a, long b, long c, long d, long e, long f)
{
  if (number == SYS_recvfrom || number == SYS_sendto)
    {
      forced.flags = d;
      if (forced.interruptions > 0)
        {
          forced.interruptions--;
          errno = EINTR;
          return -1;
        }
      if (forced.most && c > forced.most)
        c = forced.most;
    }
  return __real_syscall (number, a, b, c, d, e, f);
}

static int pair[2];

static void
open_pair (int type)
{
  memset (&forced, 0, sizeof forced);
  assert_int_equal (skp_socket_pair (AF_UNIX, type, 0, pair), 0);
}

static void
close_pair (void)
{
  close (pair[0]);
  close (pair[1]);
}

static void
nothing_waits (void **state)
{
  (void)state;
  char *bytes = calloc (1, 1 << 20);
  struct skp_address from;
  open_pair (SOCK_STREAM);
  assert_int_equal (skp_transfer_recv (pair[0], bytes, 10, 0), -EAGAIN);
  assert_int_equal (skp_transfer_recv (pair[0], bytes, 10, MSG_WAITALL),
                    -EAGAIN);
  assert_int_equal (skp_transfer_recvfrom (pair[0], bytes, 10, 0, &from),
                    -EAGAIN);
  ssize_t n, all = 0;
  while ((n = skp_transfer_send (pair[0], bytes, 1 << 20, 0)) > 0)
    all += n;
  assert_int_equal (n, -EAGAIN);
  assert_true (all > 0);
  assert_int_equal (skp_socket_nonblocking (pair[0]), 0);
  close_pair ();
  free (bytes);
}

static void
a_dead_peer_is_an_error_not_a_signal (void **state)
{
  (void)state;
  struct skp_address to = { .length = 0 };
  open_pair (SOCK_STREAM);
  close (pair[1]);
  assert_int_equal (skp_transfer_send (pair[0], "x", 1, 0), -EPIPE);
  assert_int_equal (skp_transfer_sendto (pair[0], "x", 1, 0, &to), -EPIPE);
  assert_true (forced.flags & MSG_NOSIGNAL);
  close (pair[0]);
}

static void
interrupted_calls_are_repeated (void **state)
{
  (void)state;
  char byte = 0;
  struct skp_address from;
  open_pair (SOCK_DGRAM);
  for (int i = 1; i < 4; i++)
    {
      forced.interruptions = i;
      assert_int_equal (skp_transfer_send (pair[0], "x", 1, 0), 1);
      assert_int_equal (forced.interruptions, 0);
      forced.interruptions = i;
      assert_int_equal (skp_transfer_recv (pair[1], &byte, 1, 0), 1);
      assert_int_equal (forced.interruptions, 0);
      assert_int_equal (byte, 'x');
      forced.interruptions = i;
      assert_int_equal (skp_transfer_recvfrom (pair[1], &byte, 1, 0, &from),
                        -EAGAIN);
      assert_int_equal (forced.interruptions, 0);
    }
  close_pair ();
}

static void
short_counts_are_told (void **state)
{
  (void)state;
  char bytes[100];
  open_pair (SOCK_STREAM);
  forced.most = 7;
  assert_int_equal (skp_transfer_send (pair[0], "0123456789", 10, 0), 7);
  forced.most = 3;
  assert_int_equal (skp_transfer_recv (pair[1], bytes, sizeof bytes, 0), 3);
  forced.most = 0;
  assert_int_equal (skp_transfer_recv (pair[1], bytes, sizeof bytes, 0), 4);
  assert_memory_equal (bytes, "3456", 4);
  close_pair ();
}

static void
datagrams_are_whole_or_cut (void **state)
{
  (void)state;
  char bytes[] = "....";
  open_pair (SOCK_DGRAM);
  skp_transfer_send (pair[0], "0123456789", 10, 0);
  skp_transfer_send (pair[0], "", 0, 0);
  skp_transfer_send (pair[0], "ab", 2, 0);
  assert_int_equal (skp_transfer_recv (pair[1], bytes, 3, MSG_PEEK), 3);
  assert_int_equal (skp_transfer_recv (pair[1], bytes, 3, MSG_TRUNC), 10);
  assert_memory_equal (bytes, "012.", 4);
  assert_int_equal (skp_transfer_recv (pair[1], bytes, 3, 0), 0);
  assert_int_equal (skp_transfer_recv (pair[1], bytes, 3, 0), 2);
  close_pair ();
}

static void
the_end_of_a_stream_is_zero (void **state)
{
  (void)state;
  char bytes[4];
  open_pair (SOCK_STREAM);
  skp_transfer_send (pair[0], "x", 1, 0);
  assert_int_equal (skp_socket_shutdown (pair[0], SHUT_WR), 0);
  assert_int_equal (skp_transfer_recv (pair[1], bytes, sizeof bytes, 0), 1);
  assert_int_equal (skp_transfer_recv (pair[1], bytes, sizeof bytes, 0), 0);
  assert_int_equal (skp_transfer_recv (pair[1], bytes, sizeof bytes, 0), 0);
  close_pair ();
}

static void
a_stream_names_no_sender (void **state)
{
  (void)state;
  char byte;
  struct skp_address from = { .length = 99 };
  open_pair (SOCK_STREAM);
  skp_transfer_send (pair[0], "x", 1, 0);
  assert_int_equal (skp_transfer_recvfrom (pair[1], &byte, 1, 0, &from), 1);
  assert_int_equal (from.length, 0);
  close_pair ();
}

/* With the longest name, which the kernel reports with a byte more than a
   sockaddr_un has.  */
static void
a_sender_with_the_longest_name_can_be_answered (void **state)
{
  (void)state;
  char name[109] = "", byte = 0;
  char *directory = strdup ("/tmp/sockport-test-XXXXXX");
  struct skp_part part = { .bytes = name, .length = 108 };
  struct skp_address named, from;
  open_pair (SOCK_DGRAM);
  close_pair ();
  assert_non_null (mkdtemp (directory));
  assert_int_equal (chdir (directory), 0);
  memset (name, 'n', 108);
  int sender = skp_socket_open (AF_UNIX, SOCK_DGRAM, 0);
  int receiver = skp_socket_open (AF_UNIX, SOCK_DGRAM, 0);
  assert_int_equal (skp_address_encode (&named, AF_UNIX, &part, 1), 0);
  assert_int_equal (skp_socket_bind (sender, &named), 0);
  part.bytes = NULL;
  part.length = 0;
  assert_int_equal (skp_address_encode (&named, AF_UNIX, &part, 1), 0);
  assert_int_equal (skp_socket_bind (receiver, &named), 0);
  assert_int_equal (skp_socket_name (receiver, &named), 0);
  assert_int_equal (skp_transfer_sendto (sender, "q", 1, 0, &named), 1);
  assert_int_equal (skp_transfer_recvfrom (receiver, &byte, 1, 0, &from), 1);
  assert_int_equal (from.length, sizeof (struct sockaddr_un) + 1);
  skp_address_decode (&from, &part);
  assert_int_equal (part.length, 108);
  assert_int_equal (skp_address_encode (&from, AF_UNIX, &part, 1), 0);
  assert_int_equal (skp_transfer_sendto (receiver, "a", 1, 0, &from), 1);
  assert_int_equal (skp_transfer_recv (sender, &byte, 1, 0), 1);
  assert_int_equal (byte, 'a');
  close (sender);
  close (receiver);
  assert_int_equal (unlink (name), 0);
  assert_int_equal (chdir ("/"), 0);
  assert_int_equal (rmdir (directory), 0);
  free (directory);
}

static void
what_is_no_socket_is_refused (void **state)
{
  (void)state;
  char byte;
  int fds[2];
  assert_int_equal (pipe (fds), 0);
  assert_int_equal (skp_transfer_recv (fds[0], &byte, 1, 0), -ENOTSOCK);
  assert_int_equal (skp_transfer_send (fds[1], "x", 1, 0), -ENOTSOCK);
  assert_int_equal (skp_transfer_recv (-1, &byte, 1, 0), -EBADF);
  close (fds[0]);
  close (fds[1]);
}

TESTS (TEST (nothing_waits), TEST (a_dead_peer_is_an_error_not_a_signal),
       TEST (interrupted_calls_are_repeated), TEST (short_counts_are_told),
       TEST (datagrams_are_whole_or_cut), TEST (the_end_of_a_stream_is_zero),
       TEST (a_stream_names_no_sender),
       TEST (a_sender_with_the_longest_name_can_be_answered),
       TEST (what_is_no_socket_is_refused));
