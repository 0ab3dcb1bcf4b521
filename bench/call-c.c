/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The C side of bench/call.scm, loaded into the same process: each function
   makes COUNT calls, as a C program would, and answers the nanoseconds.  */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int64_t
now_ns (void)
{
  struct timespec now;
  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C (1000000000) + now.tv_nsec;
}

static struct sockaddr_in
loopback (int port)
{
  return (struct sockaddr_in){ .sin_family = AF_INET,
                               .sin_port = htons ((uint16_t)port),
                               .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
}

#define BENCH __attribute__ ((visibility ("default")))

BENCH int64_t
call_c_send (int fd, const void *bytes, size_t size, int count)
{
  int64_t start = now_ns ();
  while (count--)
    if (send (fd, bytes, size, MSG_NOSIGNAL) < 0)
      return -1;
  return now_ns () - start;
}

BENCH int64_t
call_c_sendto (int fd, const void *bytes, size_t size, int port, int count)
{
  int64_t start = now_ns ();
  while (count--)
    {
      struct sockaddr_in to = loopback (port);
      if (sendto (fd, bytes, size, MSG_NOSIGNAL, (struct sockaddr *)&to,
                  sizeof to)
          < 0)
        return -1;
    }
  return now_ns () - start;
}

BENCH int64_t
call_c_recv (int fd, void *bytes, size_t size, int flags, int count)
{
  int64_t start = now_ns ();
  while (count--)
    if (recv (fd, bytes, size, flags) < 0)
      return -1;
  return now_ns () - start;
}

BENCH int64_t
call_c_recvfrom (int fd, void *bytes, size_t size, int flags, int count)
{
  int64_t start = now_ns ();
  while (count--)
    {
      struct sockaddr_storage from;
      socklen_t length = sizeof from;
      if (recvfrom (fd, bytes, size, flags, (struct sockaddr *)&from, &length)
          < 0)
        return -1;
    }
  return now_ns () - start;
}

BENCH int64_t
call_c_getsockopt (int fd, int level, int name, int count)
{
  int64_t start = now_ns ();
  while (count--)
    {
      int value;
      socklen_t length = sizeof value;
      if (getsockopt (fd, level, name, &value, &length) < 0)
        return -1;
    }
  return now_ns () - start;
}

BENCH int64_t
call_c_accept (int fd, int count)
{
  int64_t start = now_ns ();
  while (count--)
    {
      struct sockaddr_storage from;
      socklen_t length = sizeof from;
      int accepted
          = accept4 (fd, (struct sockaddr *)&from, &length, SOCK_CLOEXEC);
      if (accepted < 0)
        return -1;
      close (accepted);
    }
  return now_ns () - start;
}

/* Not measured: COUNT connections to PORT, into FDS; and an end to them that
   leaves no connection in TIME_WAIT.  */
BENCH int
call_c_connect (int port, int *fds, int count)
{
  struct sockaddr_in to = loopback (port);
  for (int i = 0; i < count; i++)
    {
      fds[i] = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (connect (fds[i], (struct sockaddr *)&to, sizeof to) < 0)
        return -1;
    }
  return 0;
}

BENCH void
call_c_reset (const int *fds, int count)
{
  const struct linger now = { .l_onoff = 1 };
  for (int i = 0; i < count; i++)
    {
      setsockopt (fds[i], SOL_SOCKET, SO_LINGER, &now, sizeof now);
      close (fds[i]);
    }
}
