/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Every call of the C library that can fail and that the core makes, wrapped
   (ld's --wrap), with the errors that its man page lists for what the core
   asks of it, ENOBUFS and ENOMEM of socket(7) and tcp(7) included.  */

#include "fault.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum
{
  SOCKET,
  SOCKETPAIR,
  BIND,
  LISTEN,
  CONNECT,
  SHUTDOWN,
  GETSOCKNAME,
  GETPEERNAME,
  GETSOCKOPT,
  SETSOCKOPT,
  FCNTL,
  PIPE2,
  PREAD,
  LSEEK,
  WAITID,
  SOCKATMARK,
  SENDFILE,
  SPLICE,
  EVENTFD,
  EPOLL_CREATE1,
  EPOLL_CTL,
  MMAP,
  MADVISE,
  GETIFADDRS,
  IF_NAMETOINDEX,
  IF_INDEXTONAME,
  MALLOC,
  CALLOC,
  CLOSE,
  GETRANDOM,
  OPENAT,
  FSTAT,
  /* By syscall(2).  */
  RECVFROM,
  SENDTO,
  RECVMSG,
  SENDMSG,
  RECVMMSG,
  SENDMMSG,
  ACCEPT4,
  POLL,
  READ,
  WRITE,
  EPOLL_WAIT,
  EPOLL_PWAIT2,
  PIDFD_OPEN,
  OPENAT2,
  OTHER
};

#define RECEIVING                                                              \
  EAGAIN, EBADF, ECONNREFUSED, ECONNRESET, EFAULT, EINVAL, ENOBUFS, ENOMEM,    \
      ENOTCONN, ENOTSOCK, EPERM, ETIMEDOUT
#define SENDING                                                                \
  EACCES, EAGAIN, EALREADY, EBADF, ECONNRESET, EDESTADDRREQ, EFAULT, EINVAL,   \
      EIO, EISCONN, EMSGSIZE, ENOBUFS, ENOMEM, ENOPROTOOPT, ENOTCONN,          \
      ENOTSOCK, EOPNOTSUPP, EPERM, EPIPE
#define OPENING EMFILE, ENFILE, ENOMEM

struct call calls[] = {
  [SOCKET]
  = { .name = "socket",
      { OPENING, EACCES, EAFNOSUPPORT, EINVAL, ENOBUFS, EPROTONOSUPPORT } },
  [SOCKETPAIR] = { .name = "socketpair",
                   { OPENING, EAFNOSUPPORT, EFAULT, EINVAL, ENOBUFS, EOPNOTSUPP,
                     EPROTONOSUPPORT } },
  [BIND]
  = { .name = "bind",
      { EACCES, EADDRINUSE, EADDRNOTAVAIL, EBADF, EFAULT, EINVAL, ELOOP,
        ENAMETOOLONG, ENOENT, ENOMEM, ENOTDIR, ENOTSOCK, EPERM, EROFS } },
  [LISTEN] = { .name = "listen", { EADDRINUSE, EBADF, ENOTSOCK, EOPNOTSUPP } },
  [CONNECT] = { .name = "connect",
                { EACCES, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN,
                  EALREADY, EBADF, ECONNREFUSED, EFAULT, EINPROGRESS, EISCONN,
                  ENETUNREACH, ENOTSOCK, EPERM, EPROTOTYPE, ETIMEDOUT } },
  [SHUTDOWN] = { .name = "shutdown", { EBADF, EINVAL, ENOTCONN, ENOTSOCK } },
  [GETSOCKNAME]
  = { .name = "getsockname", { EBADF, EFAULT, EINVAL, ENOBUFS, ENOTSOCK } },
  [GETPEERNAME] = { .name = "getpeername",
                    { EBADF, EFAULT, EINVAL, ENOBUFS, ENOTCONN, ENOTSOCK } },
  [GETSOCKOPT] = { .name = "getsockopt",
                   { EBADF, EFAULT, EINVAL, ENOBUFS, ENOMEM, ENOPROTOOPT,
                     ENOTSOCK, EPERM } },
  [SETSOCKOPT] = { .name = "setsockopt",
                   { EACCES, EADDRNOTAVAIL, EBADF, EDOM, EFAULT, EINVAL,
                     ENOBUFS, ENODEV, ENOMEM, ENOPROTOOPT, ENOTSOCK, EPERM } },
  [FCNTL] = { .name = "fcntl",
              { EACCES, EAGAIN, EBADF, EBUSY, EINVAL, ENOMEM, EPERM } },
  [PIPE2] = { .name = "pipe2", { OPENING, EFAULT, EINVAL } },
  [PREAD]
  = { .name = "pread",
      { EBADF, EFAULT, EINVAL, EIO, EISDIR, ENXIO, EOVERFLOW, ESPIPE } },
  [LSEEK] = { .name = "lseek", { EBADF, EINVAL, ENXIO, EOVERFLOW, ESPIPE } },
  [SOCKATMARK] = { .name = "sockatmark", { EBADF, EINVAL } },
  [WAITID] = { .name = "waitid", { ECHILD, EINVAL } },
  [SENDFILE] = { .name = "sendfile",
                 { EAGAIN, EBADF, EFAULT, EINVAL, EIO, ENOMEM, EOVERFLOW, EPIPE,
                   ESPIPE } },
  [SPLICE]
  = { .name = "splice", { EAGAIN, EBADF, EINVAL, ENOMEM, EPIPE, ESPIPE } },
  [EVENTFD] = { .name = "eventfd", { OPENING, EINVAL, ENODEV } },
  [EPOLL_CREATE1] = { .name = "epoll_create1", { OPENING, EINVAL } },
  [EPOLL_CTL]
  = { .name = "epoll_ctl",
      { EBADF, EEXIST, EINVAL, ELOOP, ENOENT, ENOMEM, ENOSPC, EPERM } },
  [MMAP]
  = { .name = "mmap",
      { EACCES, EAGAIN, EINVAL, ENFILE, ENODEV, ENOMEM, EOVERFLOW, EPERM },
      .memory = 1 },
  [MADVISE] = { .name = "madvise",
                { EACCES, EAGAIN, EBADF, EINVAL, EIO, ENOMEM, EPERM } },
  [GETIFADDRS]
  = { .name = "getifaddrs", { OPENING, EACCES, EAFNOSUPPORT, ENOBUFS } },
  [IF_NAMETOINDEX] = { .name = "if_nametoindex", { OPENING, ENOBUFS, ENODEV } },
  [IF_INDEXTONAME] = { .name = "if_indextoname", { OPENING, ENOBUFS, ENXIO } },
  [MALLOC] = { .name = "malloc", { ENOMEM }, .memory = 1 },
  [CALLOC] = { .name = "calloc", { ENOMEM }, .memory = 1 },
  [CLOSE] = { .name = "close", { EBADF, EDQUOT, EIO, ENOSPC } },
  [GETRANDOM] = { .name = "getrandom", { EAGAIN, EFAULT, EINVAL, ENOSYS } },
  [OPENAT] = { .name = "openat",
               { OPENING, EACCES, EBADF, EINVAL, ELOOP, ENAMETOOLONG, ENOENT,
                 ENOTDIR, ENXIO, EOVERFLOW, EPERM } },
  [FSTAT] = { .name = "fstat", { EBADF, EFAULT, ENOMEM, EOVERFLOW } },
  [OPENAT2]
  = { .name = "openat2",
      { OPENING, E2BIG, EACCES, EAGAIN, EBADF, EINVAL, ELOOP, ENAMETOOLONG,
        ENOENT, ENOSYS, ENOTDIR, ENXIO, EPERM, EXDEV } },
  [RECVFROM] = { .name = "recvfrom", { RECEIVING } },
  [SENDTO] = { .name = "sendto", { SENDING } },
  [RECVMSG] = { .name = "recvmsg", { RECEIVING } },
  [SENDMSG] = { .name = "sendmsg", { SENDING } },
  [RECVMMSG] = { .name = "recvmmsg", { RECEIVING } },
  [SENDMMSG] = { .name = "sendmmsg", { SENDING } },
  [ACCEPT4]
  = { .name = "accept4",
      { OPENING, EAGAIN, EBADF, ECONNABORTED, EFAULT, EHOSTDOWN, EHOSTUNREACH,
        EINVAL, ENETDOWN, ENETUNREACH, ENOBUFS, ENONET, ENOPROTOOPT, ENOTSOCK,
        EOPNOTSUPP, EPERM, EPROTO, ETIMEDOUT } },
  [POLL] = { .name = "poll", { EFAULT, EINVAL, ENOMEM } },
  [READ] = { .name = "read", { EAGAIN, EBADF, EFAULT, EINVAL, EIO, EISDIR } },
  [WRITE] = { .name = "write",
              { EAGAIN, EBADF, EDESTADDRREQ, EDQUOT, EFAULT, EFBIG, EINVAL, EIO,
                ENOSPC, EPERM, EPIPE } },
  [EPOLL_WAIT] = { .name = "epoll_wait", { EBADF, EFAULT, EINVAL } },
  [EPOLL_PWAIT2]
  = { .name = "epoll_pwait2", { EBADF, EFAULT, EINVAL, ENOSYS } },
  [PIDFD_OPEN] = { .name = "pidfd_open", { OPENING, EINVAL, ENODEV, ESRCH } },
  [OTHER] = { .name = "other", { 0 } },
};
const size_t calls_count = sizeof calls / sizeof *calls;

_Thread_local struct run run;

/* Note a call; whether it fails, and then errno is set.  */
static int
fails (int call)
{
  if (!run.armed)
    return 0;
  int index = run.count++;
  assert_true (index < (int)(sizeof run.names / sizeof *run.names));
  run.names[index] = call;
  calls[call].made++;
  if (run.fail < 0 || run.times == 0 || index < run.fail
      || run.names[run.fail] != call)
    return 0;
  run.times--;
  errno = run.error;
  return 1;
}

#define WRAP(result, call, name, parameters, arguments)                        \
  result __real_##name parameters;                                             \
  result __wrap_##name parameters;                                             \
  result __wrap_##name parameters                                              \
  {                                                                            \
    return fails (call) ? (result)-1 : __real_##name arguments;                \
  }

WRAP (int, SOCKET, socket, (int f, int t, int p), (f, t, p))
WRAP (int, SOCKETPAIR, socketpair, (int f, int t, int p, int *fds),
      (f, t, p, fds))
WRAP (int, BIND, bind, (int fd, const void *a, socklen_t n), (fd, a, n))
WRAP (int, LISTEN, listen, (int fd, int n), (fd, n))
WRAP (int, CONNECT, connect, (int fd, const void *a, socklen_t n), (fd, a, n))
WRAP (int, SHUTDOWN, shutdown, (int fd, int how), (fd, how))
WRAP (int, GETSOCKNAME, getsockname, (int fd, void *a, socklen_t *n),
      (fd, a, n))
WRAP (int, GETPEERNAME, getpeername, (int fd, void *a, socklen_t *n),
      (fd, a, n))
WRAP (int, GETSOCKOPT, getsockopt,
      (int fd, int level, int number, void *v, socklen_t *n),
      (fd, level, number, v, n))
WRAP (int, SETSOCKOPT, setsockopt,
      (int fd, int level, int number, const void *v, socklen_t n),
      (fd, level, number, v, n))
WRAP (int, FCNTL, fcntl, (int fd, int command, long a), (fd, command, a))
WRAP (int, FCNTL, fcntl64, (int fd, int command, long a), (fd, command, a))
WRAP (int, PIPE2, pipe2, (int *fds, int flags), (fds, flags))
WRAP (ssize_t, PREAD, pread, (int fd, void *to, size_t n, long at),
      (fd, to, n, at))
WRAP (ssize_t, PREAD, pread64, (int fd, void *to, size_t n, int64_t at),
      (fd, to, n, at))
WRAP (off_t, LSEEK, lseek, (int fd, long at, int from), (fd, at, from))
WRAP (int64_t, LSEEK, lseek64, (int fd, int64_t at, int from), (fd, at, from))
WRAP (int, SOCKATMARK, sockatmark, (int fd), (fd))
WRAP (int, WAITID, waitid, (int kind, id_t id, void *info, int options),
      (kind, id, info, options))
WRAP (ssize_t, SENDFILE, sendfile, (int to, int from, long *at, size_t n),
      (to, from, at, n))
WRAP (ssize_t, SENDFILE, sendfile64, (int to, int from, int64_t *at, size_t n),
      (to, from, at, n))
WRAP (ssize_t, SPLICE, splice,
      (int from, int64_t *in, int to, int64_t *out, size_t n, unsigned flags),
      (from, in, to, out, n, flags))
WRAP (int, EVENTFD, eventfd, (unsigned n, int flags), (n, flags))
WRAP (int, EPOLL_CREATE1, epoll_create1, (int flags), (flags))
WRAP (int, EPOLL_CTL, epoll_ctl,
      (int set, int what, int fd, struct epoll_event *event),
      (set, what, fd, event))
/* Where the kernel has no such calls for syscall(2).  */
WRAP (int, POLL, poll, (struct pollfd * fds, nfds_t n, int ms), (fds, n, ms))
WRAP (int, EPOLL_WAIT, epoll_wait,
      (int set, struct epoll_event *events, int n, int ms),
      (set, events, n, ms))
WRAP (ssize_t, GETRANDOM, getrandom, (void *bytes, size_t n, unsigned flags),
      (bytes, n, flags))
WRAP (int, MADVISE, madvise, (void *at, size_t n, int advice), (at, n, advice))

WRAP (int, FSTAT, fstat, (int fd, void *status), (fd, status))
WRAP (int, FSTAT, fstat64, (int fd, void *status), (fd, status))
WRAP (int, OPENAT, openat, (int fd, const char *name, int flags, long mode),
      (fd, name, flags, mode))
WRAP (int, OPENAT, openat64, (int fd, const char *name, int flags, long mode),
      (fd, name, flags, mode))

/* On Linux the descriptor is closed whatever close answers (close(2)).  */
int __real_close (int fd);
int __wrap_close (int fd);
int
__wrap_close (int fd)
{
  int failed = fails (CLOSE), result = __real_close (fd);
  if (!failed)
    return result;
  errno = run.error;
  return -1;
}

/* What is obtained, and given back.  */

#define OBTAIN(call, name, parameters, arguments, none)                        \
  void *__real_##name parameters;                                              \
  void *__wrap_##name parameters;                                              \
  void *__wrap_##name parameters                                               \
  {                                                                            \
    void *made = fails (call) ? none : __real_##name arguments;                \
    run.memory += run.counting && made != none;                                \
    return made;                                                               \
  }

OBTAIN (MALLOC, malloc, (size_t n), (n), NULL)
OBTAIN (CALLOC, calloc, (size_t n, size_t size), (n, size), NULL)
OBTAIN (MMAP, mmap, (void *at, size_t n, int p, int f, int fd, long o),
        (at, n, p, f, fd, o), MAP_FAILED)
OBTAIN (MMAP, mmap64, (void *at, size_t n, int p, int f, int fd, int64_t o),
        (at, n, p, f, fd, o), MAP_FAILED)

void __real_free (void *memory);
void __wrap_free (void *memory);
void
__wrap_free (void *memory)
{
  run.memory -= run.counting && memory;
  __real_free (memory);
}

int __real_munmap (void *at, size_t size);
int __wrap_munmap (void *at, size_t size);
int
__wrap_munmap (void *at, size_t size)
{
  run.memory -= run.counting != 0;
  return __real_munmap (at, size);
}

int __real_getifaddrs (struct ifaddrs **list);
int __wrap_getifaddrs (struct ifaddrs **list);
int
__wrap_getifaddrs (struct ifaddrs **list)
{
  if (fails (GETIFADDRS))
    return -1;
  run.memory += run.counting != 0;
  return __real_getifaddrs (list);
}

void __real_freeifaddrs (struct ifaddrs *list);
void __wrap_freeifaddrs (struct ifaddrs *list);
void
__wrap_freeifaddrs (struct ifaddrs *list)
{
  run.memory -= run.counting != 0;
  __real_freeifaddrs (list);
}

unsigned __real_if_nametoindex (const char *name);
unsigned __wrap_if_nametoindex (const char *name);
unsigned
__wrap_if_nametoindex (const char *name)
{
  return fails (IF_NAMETOINDEX) ? 0 : __real_if_nametoindex (name);
}

char *__real_if_indextoname (unsigned index, char *name);
char *__wrap_if_indextoname (unsigned index, char *name);
char *
__wrap_if_indextoname (unsigned index, char *name)
{
  return fails (IF_INDEXTONAME) ? NULL : __real_if_indextoname (index, name);
}

static int
call_of (long number)
{
  switch (number)
    {
    case SYS_recvfrom:
      return RECVFROM;
    case SYS_sendto:
      return SENDTO;
    case SYS_recvmsg:
      return RECVMSG;
    case SYS_sendmsg:
      return SENDMSG;
    case SYS_recvmmsg:
      return RECVMMSG;
    case SYS_sendmmsg:
      return SENDMMSG;
    case SYS_accept4:
      return ACCEPT4;
#ifdef SYS_poll
    case SYS_poll:
      return POLL;
#endif
    case SYS_read:
      return READ;
    case SYS_write:
      return WRITE;
#ifdef SYS_epoll_wait
    case SYS_epoll_wait:
      return EPOLL_WAIT;
#endif
#ifdef SYS_openat2
    case SYS_openat2:
      return OPENAT2;
#endif
#ifdef SYS_epoll_pwait2
    case SYS_epoll_pwait2:
      return EPOLL_PWAIT2;
#endif
    case SYS_pidfd_open:
      return PIDFD_OPEN;
    default:
      return OTHER;
    }
}

long __real_syscall (long number, ...);
long __wrap_syscall (long number, long a, long b, long c, long d, long e,
                     long f);
long
__wrap_syscall (long number, long a, long b, long c, long d, long e, long f)
{
  return fails (call_of (number)) ? -1
                                  : __real_syscall (number, a, b, c, d, e, f);
}
