/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* See os.h.  */

#include "os.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALL(...)                                                              \
  __extension__({                                                              \
    long result_;                                                              \
    do                                                                         \
      result_ = syscall (__VA_ARGS__);                                         \
    while (result_ < 0 && errno == EINTR);                                     \
    result_ < 0 ? -errno : result_;                                            \
  })

int
skp__result (int result)
{
  return result < 0 ? -errno : result;
}

long
skp__recvfrom (int fd, void *buffer, size_t size, int flags, void *from,
               socklen_t *length)
{
  return CALL (SYS_recvfrom, fd, buffer, size, flags, from, length);
}

long
skp__sendto (int fd, const void *buffer, size_t size, int flags, const void *to,
             socklen_t length)
{
  return CALL (SYS_sendto, fd, buffer, size, flags, to, length);
}

long
skp__recvmsg (int fd, struct msghdr *message, int flags)
{
  return CALL (SYS_recvmsg, fd, message, flags);
}

long
skp__sendmsg (int fd, const struct msghdr *message, int flags)
{
  return CALL (SYS_sendmsg, fd, message, flags);
}

long
skp__recvmmsg (int fd, struct mmsghdr *messages, unsigned count, int flags)
{
  return CALL (SYS_recvmmsg, fd, messages, count, flags, NULL);
}

long
skp__sendmmsg (int fd, struct mmsghdr *messages, unsigned count, int flags)
{
  return CALL (SYS_sendmmsg, fd, messages, count, flags);
}

int
skp__accept4 (int fd, void *address, socklen_t *length, int flags)
{
  return (int)CALL (SYS_accept4, fd, address, length, flags);
}

int
skp__poll_now (struct pollfd *fds, unsigned count)
{
#ifdef SYS_poll
  return (int)CALL (SYS_poll, fds, count, 0);
#else
  return skp__result (poll (fds, count, 0));
#endif
}
