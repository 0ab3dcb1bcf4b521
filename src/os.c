/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* See os.h.  */

#include "os.h"

#include <linux/time_types.h>
#include <sys/epoll.h>
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
  return SKP__CALL (poll (fds, count, 0));
#endif
}

int
skp__check_ready (int fd, short events)
{
  struct pollfd ready = { .fd = fd, .events = events };
  int n = skp__poll_now (&ready, 1);
  return n < 0 ? n : n == 0 ? -EAGAIN : 0;
}

ssize_t
skp__read (int fd, void *buffer, size_t size)
{
  return CALL (SYS_read, fd, buffer, size);
}

ssize_t
skp__write (int fd, const void *buffer, size_t size)
{
  return CALL (SYS_write, fd, buffer, size);
}

int
skp__epoll_wait (int set, struct epoll_event *events, int count, int timeout_ms)
{
#ifdef SYS_epoll_wait
  return skp__result (
      (int)syscall (SYS_epoll_wait, set, events, count, timeout_ms));
#else
  return skp__result (epoll_wait (set, events, count, timeout_ms));
#endif
}

int
skp__epoll_wait_ns (int set, struct epoll_event *events, int count,
                    int64_t timeout_ns)
{
#ifdef SYS_epoll_pwait2
  /* The kernel's own structure: the C library's has 32 bits on some machines.
   */
  const int64_t ns = 1000000000;
  struct __kernel_timespec timeout = { timeout_ns / ns, timeout_ns % ns };
  return skp__result (
      (int)syscall (SYS_epoll_pwait2, set, events, count, &timeout, NULL, 0));
#else
  (void)set, (void)events, (void)count, (void)timeout_ns;
  return -ENOSYS;
#endif
}
