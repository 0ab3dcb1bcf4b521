/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A library to be preloaded, under which the system calls of the thread that
   asks for it fail or move less than they could.  (harness fault) steers it.

   The core makes most of its calls by syscall(2), Guile by the C library.  */

/* Both names of what has two are wrapped.  */
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__ ((visibility ("default")))
#define CALLS 4096

static __thread struct
{
  int armed, fail, times, error;
  size_t most;
  pid_t process; /* a child of fork has these too, and is left alone */
  int count;
  const char *names[CALLS];
} run;

/* The calls from number FAIL on fail by ERROR, TIMES of them that have its
   name, and one moves at most MOST bytes, unless that is 0.  */
EXPORT void skp_fault_arm (int fail, int times, int error, size_t most);
EXPORT int skp_fault_disarm (void);
EXPORT const char *skp_fault_name (int index);

void
skp_fault_arm (int fail, int times, int error, size_t most)
{
  run.fail = fail;
  run.times = times;
  run.error = error;
  run.most = most;
  run.process = getpid ();
  run.count = 0;
  run.armed = 1;
}

/* The number of calls that were made.  */
int
skp_fault_disarm (void)
{
  run.armed = 0;
  return run.count;
}

const char *
skp_fault_name (int index)
{
  return run.names[index];
}

/* Only what can wait says that it has to, and pthread_create that there are too
   many. Which call has the number that is to fail may change from run to run,
   where another thread takes part.  */
static int
says_again (const char *name)
{
  static const char *const names[]
      = { "recvfrom",   "sendto",   "recvmsg",       "sendmsg",
          "recvmmsg",   "sendmmsg", "accept4",       "sendfile",
          "sendfile64", "splice",   "pthread_create" };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp (names[i], name) == 0)
      return 1;
  return 0;
}

static int
fails (const char *name)
{
  if (!run.armed || run.count == CALLS || getpid () != run.process)
    return 0;
  int index = run.count++;
  run.names[index] = name;
  if (run.fail < 0 || run.times == 0 || index < run.fail
      || strcmp (run.names[run.fail], name) != 0
      || (run.error == EAGAIN && !says_again (name)))
    return 0;
  run.times--;
  errno = run.error;
  return 1;
}

static size_t
cut (size_t size)
{
  return run.armed && run.most && size > run.most ? run.most : size;
}

static void *
real (const char *name)
{
  return dlsym (RTLD_NEXT, name);
}

#define WRAP(result, name, parameters, arguments)                              \
  EXPORT result name parameters;                                               \
  result name parameters                                                       \
  {                                                                            \
    static result (*next) parameters;                                          \
    if (!next)                                                                 \
      *(void **)&next = real (#name);                                          \
    return fails (#name) ? (result)-1 : next arguments;                        \
  }

WRAP (int, socket, (int f, int t, int p), (f, t, p))
WRAP (int, socketpair, (int f, int t, int p, int fds[2]), (f, t, p, fds))
WRAP (int, bind, (int fd, __CONST_SOCKADDR_ARG a, socklen_t n), (fd, a, n))
WRAP (int, listen, (int fd, int n), (fd, n))
WRAP (int, shutdown, (int fd, int how), (fd, how))
WRAP (int, getsockname, (int fd, __SOCKADDR_ARG a, socklen_t *n), (fd, a, n))
WRAP (int, getpeername, (int fd, __SOCKADDR_ARG a, socklen_t *n), (fd, a, n))
WRAP (int, getsockopt, (int fd, int l, int o, void *v, socklen_t *n),
      (fd, l, o, v, n))
WRAP (int, setsockopt, (int fd, int l, int o, const void *v, socklen_t n),
      (fd, l, o, v, n))
WRAP (int, pipe2, (int fds[2], int flags), (fds, flags))
WRAP (int, eventfd, (unsigned n, int flags), (n, flags))
WRAP (int, epoll_create1, (int flags), (flags))
WRAP (int, epoll_ctl, (int set, int op, int fd, struct epoll_event *e),
      (set, op, fd, e))
WRAP (int, ppoll,
      (struct pollfd * fds, nfds_t n, const struct timespec *t,
       const sigset_t *mask),
      (fds, n, t, mask))
WRAP (int, timerfd_create, (int clock, int flags), (clock, flags))
WRAP (ssize_t, read, (int fd, void *b, size_t n), (fd, b, cut (n)))
WRAP (ssize_t, write, (int fd, const void *b, size_t n), (fd, b, cut (n)))
WRAP (ssize_t, sendfile, (int to, int from, off_t *at, size_t n),
      (to, from, at, cut (n)))
WRAP (ssize_t, sendfile64, (int to, int from, int64_t *at, size_t n),
      (to, from, at, cut (n)))
WRAP (ssize_t, splice,
      (int from, int64_t *in, int to, int64_t *out, size_t n, unsigned flags),
      (from, in, to, out, cut (n), flags))

WRAP (int, getifaddrs, (struct ifaddrs * *all), (all))
WRAP (ssize_t, getrandom, (void *b, size_t n, unsigned flags), (b, n, flags))

/* The result is the error, which is never EINTR.  */
EXPORT int pthread_create (pthread_t *thread, const pthread_attr_t *attributes,
                           void *(*body) (void *), void *data);

int
pthread_create (pthread_t *thread, const pthread_attr_t *attributes,
                void *(*body) (void *), void *data)
{
  static int (*next) (pthread_t *, const pthread_attr_t *, void *(*)(void *),
                      void *);
  if (!next)
    *(void **)&next = real ("pthread_create");
  if (fails ("pthread_create") && run.error != EINTR)
    return run.error;
  return next (thread, attributes, body, data);
}

/* What the C library does by a socket of its own, which nothing interrupts.  */
#define WRAP_OWN(result, name, parameters, arguments, failure)                 \
  EXPORT result name parameters;                                               \
  result name parameters                                                       \
  {                                                                            \
    static result (*next) parameters;                                          \
    if (!next)                                                                 \
      *(void **)&next = real (#name);                                          \
    return fails (#name) && run.error != EINTR ? failure : next arguments;     \
  }
WRAP_OWN (unsigned, if_nametoindex, (const char *name), (name), 0)
WRAP_OWN (char *, if_indextoname, (unsigned index, char name[IF_NAMESIZE]),
          (index, name), NULL)
WRAP_OWN (int, sockatmark, (int fd), (fd), -1)

/* An interrupted one goes on by itself (connect(2)).  */
EXPORT int connect (int fd, __CONST_SOCKADDR_ARG a, socklen_t n);

int
connect (int fd, __CONST_SOCKADDR_ARG a, socklen_t n)
{
  static int (*next) (int, __CONST_SOCKADDR_ARG, socklen_t);
  if (!next)
    *(void **)&next = real ("connect");
  int failed = fails ("connect");
  if (!failed || run.error == EINTR)
    {
      int result = next (fd, a, n);
      if (!failed)
        return result;
    }
  errno = run.error;
  return -1;
}

#define WRAP_FCNTL(name)                                                       \
  EXPORT int name (int fd, int command, ...);                                  \
  int name (int fd, int command, ...)                                          \
  {                                                                            \
    static int (*next) (int, int, ...);                                        \
    va_list arguments;                                                         \
    va_start (arguments, command);                                             \
    void *argument = va_arg (arguments, void *);                               \
    va_end (arguments);                                                        \
    if (!next)                                                                 \
      *(void **)&next = real (#name);                                          \
    return fails (#name) ? -1 : next (fd, command, argument);                  \
  }
WRAP_FCNTL (fcntl)
WRAP_FCNTL (fcntl64)

static const char *
name_of (long number)
{
  static const struct
  {
    long number;
    const char *name;
  } names[] = { { SYS_recvfrom, "recvfrom" }, { SYS_sendto, "sendto" },
                { SYS_recvmsg, "recvmsg" },   { SYS_sendmsg, "sendmsg" },
                { SYS_recvmmsg, "recvmmsg" }, { SYS_sendmmsg, "sendmmsg" },
                { SYS_accept4, "accept4" },   { SYS_read, "read" },
                { SYS_write, "write" } };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i].number == number)
      return names[i].name;
  return "syscall";
}

/* The slices of a message, as many bytes of them as may move.  */
static struct iovec
first_slice (const struct msghdr *header)
{
  struct iovec slice = { NULL, 0 };
  for (size_t i = 0; i < header->msg_iovlen && slice.iov_len == 0; i++)
    slice = header->msg_iov[i];
  slice.iov_len = cut (slice.iov_len);
  return slice;
}

/* The binding makes no call past this one then.  */
EXPORT extern const char skp_syscall_replaced;
const char skp_syscall_replaced = 1;

EXPORT long syscall (long number, ...);

long
syscall (long number, ...)
{
  static long (*next) (long, ...);
  long a[6];
  va_list arguments;
  va_start (arguments, number);
  for (int i = 0; i < 6; i++)
    a[i] = va_arg (arguments, long);
  va_end (arguments);
  if (!next)
    *(void **)&next = real ("syscall");
  if (fails (name_of (number)))
    return -1;
  if (!run.armed || !run.most)
    return next (number, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (number == SYS_recvfrom || number == SYS_sendto || number == SYS_read
      || number == SYS_write)
    a[2] = (long)cut ((size_t)a[2]);
  if (number == SYS_recvmsg || number == SYS_sendmsg)
    {
      struct msghdr *header = (struct msghdr *)a[1], short_one = *header;
      struct iovec slice = first_slice (header);
      short_one.msg_iov = &slice;
      short_one.msg_iovlen = 1;
      long n = next (number, a[0], (long)&short_one, a[2]);
      if (number == SYS_recvmsg)
        {
          header->msg_namelen = short_one.msg_namelen;
          header->msg_controllen = short_one.msg_controllen;
          header->msg_flags = short_one.msg_flags;
        }
      return n;
    }
  return next (number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
