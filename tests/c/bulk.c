/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <sockport/bulk.h>
#include <sockport/socket.h>

#define SIZE (4 << 20)

static int pair[2], file;

static void
begin (int blocking)
{
  static char text[SIZE];
  assert_int_equal (skp_socket_pair (AF_UNIX, SOCK_STREAM, 0, pair), 0);
  for (int i = 0; i < SIZE; i++)
    text[i] = (char)(i * 7);
  file = memfd_create ("bulk", MFD_CLOEXEC);
  assert_int_equal (write (file, text, SIZE), SIZE);
  if (!blocking)
    skp_socket_set_nonblocking (pair[0], 1);
}

static void
end (void)
{
  close (pair[0]);
  close (pair[1]);
  close (file);
}

static void
a_file_goes_as_far_as_there_is_room (void **state)
{
  (void)state;
  for (int blocking = 0; blocking < 2; blocking++)
    {
      int64_t offset = 3;
      char first;
      begin (blocking);
      ssize_t n = skp_bulk_send_file (pair[0], file, &offset, SIZE);
      assert_true (n > 0 && n < SIZE);
      assert_int_equal (offset, 3 + n);
      while ((n = skp_bulk_send_file (pair[0], file, &offset, SIZE)) > 0)
        continue;
      assert_int_equal (n, -EAGAIN);
      assert_int_equal (skp_socket_nonblocking (pair[0]), !blocking);
      assert_int_equal (recv (pair[1], &first, 1, 0), 1);
      assert_int_equal (first, (char)21);
      end ();
    }
}

static void
the_end_of_a_file_is_zero (void **state)
{
  (void)state;
  int64_t offset = SIZE - 5;
  begin (1);
  assert_int_equal (skp_bulk_send_file (pair[0], file, &offset, SIZE), 5);
  assert_int_equal (skp_bulk_send_file (pair[0], file, &offset, SIZE), 0);
  assert_int_equal (lseek (file, -2, SEEK_END), SIZE - 2);
  assert_int_equal (skp_bulk_send_file (pair[0], file, NULL, SIZE), 2);
  assert_int_equal (skp_bulk_send_file (pair[0], -1, NULL, SIZE), -EBADF);
  end ();
}

/* The test dies of SIGPIPE if this is wrong.  */
static void
a_closed_peer_raises_no_signal (void **state)
{
  (void)state;
  int64_t offset = 0;
  int ends[2];
  sigset_t pending;
  begin (1);
  assert_int_equal (skp_bulk_pipe (ends, 65536), 0);
  assert_int_equal (write (ends[1], "x", 1), 1);
  close (pair[1]);
  assert_int_equal (skp_bulk_send_file (pair[0], file, &offset, 9), -EPIPE);
  assert_int_equal (offset, 0);
  assert_int_equal (skp_bulk_splice (pair[0], ends[0], 1), -EPIPE);
  sigpending (&pending);
  assert_int_equal (sigismember (&pending, SIGPIPE), 0);
  pair[1] = ends[0];
  close (ends[1]);
  end ();
}

static void
a_pipe_joins_two_sockets (void **state)
{
  (void)state;
  int ends[2];
  char back[4];
  begin (1);
  assert_int_equal (skp_bulk_pipe (ends, 65536), 0);
  assert_int_equal (skp_bulk_splice (ends[1], pair[1], 9), -EAGAIN);
  assert_int_equal (send (pair[0], "data", 4, 0), 4);
  assert_int_equal (skp_bulk_splice (ends[1], pair[1], 9), 4);
  assert_int_equal (skp_bulk_splice (pair[1], ends[0], 4), 4);
  assert_int_equal (skp_bulk_splice (pair[1], ends[0], 4), -EAGAIN);
  assert_int_equal (recv (pair[0], back, 4, 0), 4);
  assert_memory_equal (back, "data", 4);
  shutdown (pair[0], SHUT_WR);
  assert_int_equal (skp_bulk_splice (ends[1], pair[1], 9), 0);
  assert_int_equal (skp_socket_nonblocking (pair[1]), 0);
  close (ends[0]);
  close (ends[1]);
  end ();
}

TESTS (TEST (a_file_goes_as_far_as_there_is_room),
       TEST (the_end_of_a_file_is_zero), TEST (a_closed_peer_raises_no_signal),
       TEST (a_pipe_joins_two_sockets));
