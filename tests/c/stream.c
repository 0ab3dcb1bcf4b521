/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <sockport/stream.h>

static char block[1 << 20];

/* Both ends are in blocking mode, and neither call may wait.  */
static void
fill_and_drain (int reader, int writer)
{
  size_t in = 0, out = 0;
  ssize_t n;
  assert_int_equal (skp_stream_read (reader, block, sizeof block), -EAGAIN);
  while ((n = skp_stream_write (writer, block, sizeof block)) > 0)
    in += (size_t)n;
  assert_int_equal (n, -EAGAIN);
  while ((n = skp_stream_read (reader, block, sizeof block)) > 0)
    out += (size_t)n;
  assert_int_equal (n, -EAGAIN);
  assert_true (in > 0 && in == out);
}

static void
a_pipe_does_not_block (void **state)
{
  (void)state;
  int fds[2];
  assert_int_equal (pipe (fds), 0);
  fill_and_drain (fds[0], fds[1]);
  close (fds[1]);
  assert_int_equal (skp_stream_read (fds[0], block, 1), 0);
  close (fds[0]);
}

static void
a_socket_does_not_block (void **state)
{
  (void)state;
  int fds[2];
  assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM, 0, fds), 0);
  fill_and_drain (fds[0], fds[1]);
  close (fds[0]);
  assert_int_equal (skp_stream_write (fds[1], block, 1), -EPIPE);
  assert_int_equal (skp_stream_read (fds[1], block, 1), 0);
  close (fds[1]);
}

static void
a_file_is_always_ready (void **state)
{
  (void)state;
  FILE *file = tmpfile ();
  int fd = fileno (file);
  assert_int_equal (skp_stream_write (fd, "four", 4), 4);
  assert_int_equal (lseek (fd, 0, SEEK_SET), 0);
  assert_int_equal (skp_stream_read (fd, block, sizeof block), 4);
  assert_memory_equal (block, "four", 4);
  assert_int_equal (skp_stream_read (fd, block, sizeof block), 0);
  fclose (file);
  assert_int_equal (skp_stream_read (-1, block, 1), -EBADF);
  assert_int_equal (skp_stream_write (-1, block, 1), -EBADF);
}

TESTS (TEST (a_pipe_does_not_block), TEST (a_socket_does_not_block),
       TEST (a_file_is_always_ready));
