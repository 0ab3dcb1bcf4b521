/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The system calls of the core, each one converted to >= 0 or -errno where it
   is made, and repeated when interrupted.  In one place, so that tests can put
   their own `syscall' underneath.

   `syscall' rather than the C library's functions on the hot path: those are
   cancellation points and pay for it once the process has threads, and a thread
   cancelled inside one would leak what the call had obtained.  */

#ifndef SKP_OS_H
#define SKP_OS_H

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

long skp__recvfrom (int fd, void *buffer, size_t size, int flags, void *from,
                    socklen_t *length);
long skp__sendto (int fd, const void *buffer, size_t size, int flags,
                  const void *to, socklen_t length);
long skp__recvmsg (int fd, struct msghdr *message, int flags);
long skp__sendmsg (int fd, const struct msghdr *message, int flags);
long skp__recvmmsg (int fd, struct mmsghdr *messages, unsigned count,
                    int flags);
long skp__sendmmsg (int fd, struct mmsghdr *messages, unsigned count,
                    int flags);
int skp__accept4 (int fd, void *address, socklen_t *length, int flags);
int skp__poll_now (struct pollfd *fds, unsigned count);
/* 0 if FD is ready for EVENTS or has an error to report, else -EAGAIN.  */
int skp__check_ready (int fd, short events);
ssize_t skp__read (int fd, void *buffer, size_t size);
ssize_t skp__write (int fd, const void *buffer, size_t size);

/* These return -EINTR: whoever waits long wants to know.  The second returns
   -ENOSYS before Linux 5.11.  */
struct epoll_event;
int skp__epoll_wait (int set, struct epoll_event *events, int count,
                     int timeout_ms);
int skp__epoll_wait_ns (int set, struct epoll_event *events, int count,
                        int64_t timeout_ns);

/* CALL, of the C library, as >= 0 or -errno, and repeated when interrupted. Few
   calls are said to be interruptible that do not wait, but a file system in
   user space, a security module or a tracer can interrupt any.  */
#define SKP__CALL(call)                                                        \
  __extension__({                                                              \
    int result_;                                                               \
    do                                                                         \
      result_ = skp__result (call);                                            \
    while (result_ == -EINTR);                                                 \
    result_;                                                                   \
  })

/* What a C library function returned as >= 0 or -errno.  */
static inline int
skp__result (int result)
{
  return result < 0 ? -errno : result;
}

#endif /* SKP_OS_H */
