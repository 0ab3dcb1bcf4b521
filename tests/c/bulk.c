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

/* The next call moves so many bytes, and then finds that the peer has gone.  */
static ssize_t part;

static ssize_t
move_part (void)
{
  ssize_t moved = part;
  part = 0;
  raise (SIGPIPE);
  return moved;
}

ssize_t __real_sendfile (int out, int in, off_t *offset, size_t size);
ssize_t __wrap_sendfile (int out, int in, off_t *offset, size_t size);
ssize_t __wrap_sendfile64 (int out, int in, off_t *offset, size_t size);
ssize_t __real_splice (int in, off_t *from, int out, off_t *to, size_t size,
                       unsigned flags);
ssize_t __wrap_splice (int in, off_t *from, int out, off_t *to, size_t size,
                       unsigned flags);

ssize_t
__wrap_sendfile (int out, int in, off_t *offset, size_t size)
{
  return part ? move_part () : __real_sendfile (out, in, offset, size);
}

ssize_t __real_sendfile64 (int out, int in, off_t *offset, size_t size);
ssize_t
__wrap_sendfile64 (int out, int in, off_t *offset, size_t size)
{
  return part ? move_part () : __real_sendfile64 (out, in, offset, size);
}

ssize_t
__wrap_splice (int in, off_t *from, int out, off_t *to, size_t size,
               unsigned flags)
{
  return part ? move_part () : __real_splice (in, from, out, to, size, flags);
}

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
a_part_that_met_a_closed_peer_raises_none_either (void **state)
{
  (void)state;
  int64_t offset = 0;
  sigset_t pending;
  begin (1);
  part = 5;
  assert_int_equal (skp_bulk_send_file (pair[0], file, &offset, 9), 5);
  part = 3;
  assert_int_equal (skp_bulk_splice (pair[0], pair[0], 9), 3);
  sigpending (&pending);
  assert_int_equal (sigismember (&pending, SIGPIPE), 0);
  end ();
}

/* One that the caller has blocked, and that was there before, is his.  */
static void
a_signal_that_was_pending_stays (void **state)
{
  (void)state;
  int64_t offset = 0;
  sigset_t pipe, before, pending;
  int number;
  begin (1);
  sigemptyset (&pipe);
  sigaddset (&pipe, SIGPIPE);
  pthread_sigmask (SIG_BLOCK, &pipe, &before);
  raise (SIGPIPE);
  part = 5;
  assert_int_equal (skp_bulk_send_file (pair[0], file, &offset, 9), 5);
  sigpending (&pending);
  assert_int_equal (sigismember (&pending, SIGPIPE), 1);
  assert_int_equal (sigwait (&pipe, &number), 0);
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  end ();
}

/* What sendfile refuses is copied, and IN stays at what was not taken.  */
static void
a_file_for_appending_is_written_by_copying (void **state)
{
  (void)state;
  char back[4];
  int64_t offset = 5;
  int log = memfd_create ("log", MFD_CLOEXEC);
  begin (1);
  fcntl (log, F_SETFL, O_APPEND);
  assert_int_equal (skp_bulk_send_file (log, file, &offset, 2), 2);
  assert_int_equal (offset, 7);
  assert_int_equal (lseek (file, 7, SEEK_SET), 7);
  assert_int_equal (skp_bulk_send_file (log, file, NULL, 2), 2);
  assert_int_equal (lseek (file, 0, SEEK_CUR), 9);
  assert_int_equal (pread (log, back, 4, 0), 4);
  assert_memory_equal (back, ((char[]){ 35, 42, 49, 56 }), 4);
  assert_int_equal (skp_bulk_send_file (log, pair[0], NULL, 2), -ESPIPE);
  assert_int_equal (skp_bulk_send_file (log, -1, NULL, 2), -EBADF);
  close (log);
  end ();
}

static void
a_full_output_is_known (void **state)
{
  (void)state;
  static const char text[65536];
  begin (1);
  assert_int_equal (skp_bulk_full (pair[0]), 0);
  assert_int_equal (skp_bulk_write (pair[0], text, 9), 9);
  while (skp_bulk_write (pair[0], text, sizeof text) > 0)
    continue;
  assert_int_equal (skp_bulk_full (pair[0]), 1);
  close (pair[1]);
  assert_int_equal (skp_bulk_write (pair[0], text, 9), -EPIPE);
  pair[1] = skp_bulk_share (pair[0]);
  assert_true (pair[1] > pair[0]);
  assert_int_equal (fcntl (pair[1], F_GETFD), FD_CLOEXEC);
  assert_int_equal (skp_bulk_share (-1), -EBADF);
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

static void
a_socket_that_listens_is_not_waited_for (void **state)
{
  (void)state;
  struct skp_address any
      = { .length = sizeof (sa_family_t), .storage.ss_family = AF_UNIX };
  int listener = skp_socket_open (AF_UNIX, SOCK_STREAM, 0);
  assert_int_equal (skp_socket_bind (listener, &any), 0);
  assert_int_equal (skp_socket_listen (listener, 1), 0);
  assert_int_equal (skp_bulk_full (listener), 0);
  close (listener);
}

TESTS (TEST (a_file_goes_as_far_as_there_is_room),
       TEST (the_end_of_a_file_is_zero), TEST (a_closed_peer_raises_no_signal),
       TEST (a_part_that_met_a_closed_peer_raises_none_either),
       TEST (a_signal_that_was_pending_stays),
       TEST (a_file_for_appending_is_written_by_copying),
       TEST (a_full_output_is_known),
       TEST (a_socket_that_listens_is_not_waited_for),
       TEST (a_pipe_joins_two_sockets));
