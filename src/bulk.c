/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sendfile and splice, neither of which has a flag that keeps a socket from
   waiting or the process from a SIGPIPE; and copying, for what they refuse.  */

#include <sockport/bulk.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <time.h>
#include <unistd.h>
#include <sockport/option.h>
#include <sockport/socket.h>
#include <sockport/stream.h>

#include "os.h"

#define CALL_MOST                                                              \
  ((size_t)1 << 30)     /* the kernel moves a little more at most              \
                         */
#define COPY_MOST 16384 /* on the stack */

/* What a call needs around it, to be undone afterwards.  */
struct around
{
  int fds[2];
  int blocking[2]; /* these must not stay in non-blocking mode */
  sigset_t mask;
  int pending; /* a SIGPIPE that was there before */
};

static void
signal_block (struct around *around)
{
  sigset_t pipe, pending;
  sigemptyset (&pipe);
  sigaddset (&pipe, SIGPIPE);
  sigpending (&pending);
  around->pending = sigismember (&pending, SIGPIPE);
  pthread_sigmask (SIG_BLOCK, &pipe, &around->mask);
}

/* SIGPIPE goes to the thread that wrote, so the one that we caused is here.  A
   call that has moved a part before it met the closed peer returns that part,
   and leaves a signal all the same.  */
static void
signal_unblock (const struct around *around)
{
  const struct timespec now = { 0, 0 };
  sigset_t pipe;
  sigemptyset (&pipe);
  sigaddset (&pipe, SIGPIPE);
  if (!around->pending)
    while (sigtimedwait (&pipe, NULL, &now) < 0 && errno == EINTR)
      continue;
  pthread_sigmask (SIG_SETMASK, &around->mask, NULL);
}

static void
end (const struct around *around)
{
  for (int i = 0; i < 2; i++)
    if (around->blocking[i])
      skp_socket_set_nonblocking (around->fds[i], 0);
  signal_unblock (around);
}

static int
begin (struct around *around, int out, int in)
{
  *around = (struct around){ .fds = { out, in } };
  signal_block (around);
  for (int i = 0; i < 2; i++)
    {
      int nonblocking = skp_socket_nonblocking (around->fds[i]);
      int err = nonblocking < 0
                    ? nonblocking
                    : skp_socket_set_nonblocking (around->fds[i], 1);
      if (err < 0)
        {
          end (around);
          return err;
        }
      around->blocking[i] = !nonblocking;
    }
  return 0;
}

static ssize_t
send_file (int out, int in, off_t *at, size_t size)
{
  ssize_t n;
  do
    n = sendfile (out, in, at, size < CALL_MOST ? size : CALL_MOST);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

/* Read from *AT on what OUT then takes at once; no byte of IN is passed over
   that OUT has not taken.  */
static ssize_t
copy_at (int out, int in, off_t *at, size_t size)
{
  char bytes[COPY_MOST];
  ssize_t n = skp__check_ready (out, POLLOUT);
  if (n < 0)
    return n;
  do
    n = pread (in, bytes, size < COPY_MOST ? size : COPY_MOST, *at);
  while (n < 0 && errno == EINTR);
  if (n > 0)
    n = skp_stream_write (out, bytes, (size_t)n);
  else if (n < 0)
    n = -errno;
  if (n > 0)
    *at += n;
  return n;
}

static off_t
position (int fd)
{
  off_t here;
  do
    here = lseek (fd, 0, SEEK_CUR);
  while (here < 0 && errno == EINTR);
  return here < 0 ? -errno : here;
}

/* sendfile refuses to write to a file that is opened for appending, and to read
   what has no pages (sendfile(2)).  */
static ssize_t
copy (int out, int in, off_t *offset, size_t size)
{
  off_t here = offset ? *offset : position (in);
  if (here < 0)
    return here;
  ssize_t n = copy_at (out, in, &here, size);
  if (offset)
    *offset = here;
  else if (n > 0)
    lseek (in, here, SEEK_SET); /* no reason to forget what has gone */
  return n;
}

ssize_t
skp_bulk_send_file (int out, int in, int64_t *offset, size_t size)
{
  struct around around;
  off_t at = offset ? (off_t)*offset : 0;
  ssize_t n = begin (&around, out, in);
  if (n < 0)
    return n;
  n = send_file (out, in, offset ? &at : NULL, size);
  if (n == -EINVAL)
    n = copy (out, in, offset ? &at : NULL, size);
  end (&around);
  if (n >= 0 && offset)
    *offset = at;
  return n;
}

int
skp_bulk_full (int out)
{
  int listens = 0;
  if (skp__check_ready (out, POLLOUT) != -EAGAIN)
    return 0;
  /* One that listens never has room: what goes to it fails.  */
  skp_option_get_int (out, SOL_SOCKET, SO_ACCEPTCONN, &listens);
  return !listens;
}

ssize_t
skp_bulk_write (int out, const void *bytes, size_t size)
{
  struct around around = { 0 };
  signal_block (&around);
  ssize_t n = skp_stream_write (out, bytes, size);
  signal_unblock (&around);
  return n;
}

int
skp_bulk_share (int fd)
{
  return SKP__CALL (fcntl (fd, F_DUPFD_CLOEXEC, 0));
}

ssize_t
skp_bulk_splice (int out, int in, size_t size)
{
  struct around around;
  ssize_t n = begin (&around, out, in);
  if (n < 0)
    return n;
  do
    n = splice (in, NULL, out, NULL, size < CALL_MOST ? size : CALL_MOST,
                SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  while (n < 0 && errno == EINTR);
  n = n < 0 ? -errno : n;
  end (&around);
  return n;
}

int
skp_bulk_pipe (int ends[2], size_t size)
{
  int made[2];
  int err = SKP__CALL (pipe2 (made, O_CLOEXEC | O_NONBLOCK));
  if (err < 0)
    return err;
  /* Beyond a limit this fails, and the usual size does.  */
  fcntl (made[0], F_SETPIPE_SZ, (int)(size < CALL_MOST ? size : CALL_MOST));
  ends[0] = made[0];
  ends[1] = made[1];
  return 0;
}
