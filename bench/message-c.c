/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The C side of bench/message.scm, loaded into the same process: each function
   makes COUNT calls and answers the nanoseconds, or -1.  */

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BENCH __attribute__ ((visibility ("default")))

static int64_t
now_ns (void)
{
  struct timespec now;
  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C (1000000000) + now.tv_nsec;
}

/* Two slices of half the SIZE each.  */
BENCH int64_t
message_c_exchange (int out, int in, char *bytes, size_t size, int count)
{
  int64_t start = now_ns ();
  struct iovec slices[2]
      = { { bytes, size / 2 }, { bytes + size / 2, size - size / 2 } };
  _Alignas(struct cmsghdr) char control[1280];
  struct sockaddr_storage from;
  while (count--)
    {
      struct msghdr message = { .msg_iov = slices, .msg_iovlen = 2 };
      if (sendmsg (out, &message, MSG_NOSIGNAL) < 0)
        return -1;
      message.msg_name = &from;
      message.msg_namelen = sizeof from;
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      if (recvmsg (in, &message, MSG_CMSG_CLOEXEC) < 0)
        return -1;
    }
  return now_ns () - start;
}

/* One byte with the descriptor FD, which is closed again when it arrives.  */
BENCH int64_t
message_c_pass (int out, int in, int fd, int count)
{
  int64_t start = now_ns ();
  char byte = 0;
  struct iovec slice = { &byte, 1 };
  _Alignas(struct cmsghdr) char control[CMSG_SPACE (sizeof fd)];
  while (count--)
    {
      struct msghdr message = { .msg_iov = &slice,
                                .msg_iovlen = 1,
                                .msg_control = control,
                                .msg_controllen = sizeof control };
      struct cmsghdr *header = CMSG_FIRSTHDR (&message);
      *header
          = (struct cmsghdr){ CMSG_LEN (sizeof fd), SOL_SOCKET, SCM_RIGHTS };
      memcpy (CMSG_DATA (header), &fd, sizeof fd);
      int came;
      if (sendmsg (out, &message, MSG_NOSIGNAL) < 0
          || recvmsg (in, &message, MSG_CMSG_CLOEXEC) < 0)
        return -1;
      memcpy (&came, CMSG_DATA (header), sizeof came);
      close (came);
    }
  return now_ns () - start;
}
