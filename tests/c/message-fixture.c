/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "message-fixture.h"

#include <sys/syscall.h>

struct forced forced;

long __real_syscall (long number, ...);
long __wrap_syscall (long number, long a, long b, long c, long d, long e,
                     long f);

long
__wrap_syscall (long number, long a, long b, long c, long d, long e, long f)
{
  struct msghdr *header = (struct msghdr *)b;
  struct iovec cut;

  if (number == SYS_recvmsg && forced.interruptions > 0)
    {
      forced.interruptions--;
      errno = EINTR;
      return -1;
    }
  if (number == SYS_recvmsg && forced.room)
    header->msg_controllen = forced.room;
  if (number == SYS_sendmsg && forced.most)
    {
      cut = header->msg_iov[0];
      if (cut.iov_len > forced.most)
        cut.iov_len = forced.most;
      header->msg_iov = &cut;
      header->msg_iovlen = 1;
    }
  return __real_syscall (number, a, b, c, d, e, f);
}

int pair[2];

void
open_pair (int type)
{
  memset (&forced, 0, sizeof forced);
  assert_int_equal (skp_socket_pair (AF_UNIX, type, 0, pair), 0);
}

void
close_pair (void)
{
  close (pair[0]);
  close (pair[1]);
}

ssize_t
send_rights (int count, int items, size_t size)
{
  int fds[254];
  unsigned char control[2048];
  struct iovec slice = { "data", size };
  ssize_t end = 0;

  for (int i = 0; i < count; i++)
    fds[i] = pair[0];
  for (int i = 0; i < items; i++)
    {
      struct skp_control_item item
          = { SOL_SOCKET, SCM_RIGHTS, fds, (size_t)count * sizeof (int) };
      end = skp_control_append (control, sizeof control, (size_t)end, &item);
      assert_true (end > 0);
    }
  struct skp_message message = { .slices = &slice,
                                 .count = 1,
                                 .control = control,
                                 .control_length = (size_t)end };
  return skp_message_send (pair[0], &message, 0);
}

struct skp_message received;
unsigned char received_control[2048];
char received_data[16];

ssize_t
receive (size_t room, int flags)
{
  static struct iovec slice = { received_data, sizeof received_data };
  received = (struct skp_message){ .slices = &slice,
                                   .count = 1,
                                   .control = received_control,
                                   .control_length = room };
  return skp_message_recv (pair[1], &received, flags);
}

size_t
rights_received (void)
{
  struct skp_control_item item;
  size_t at = 0, count = 0;
  while (
      skp_control_next (received.control, received.control_length, &at, &item)
      > 0)
    {
      assert_int_equal (item.type, SCM_RIGHTS);
      for (size_t i = 0; i < item.length / sizeof (int); i++)
        {
          int fd;
          memcpy (&fd, (const char *)item.bytes + i * sizeof fd, sizeof fd);
          assert_int_equal (fcntl (fd, F_GETFD), FD_CLOEXEC);
          count++;
        }
    }
  return count;
}

int
close_rights (void)
{
  return skp_control_close (received.control, received.control_length);
}
