/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The echo server that others are compared with: one thread, level-triggered
   epoll, recv and send, nothing else.

     echo-server PORT      serves on 127.0.0.1:PORT until it is killed  */

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 256

static int
listen_on (int port)
{
  int one = 1;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_port = htons ((uint16_t)port),
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind (fd, (struct sockaddr *)&address, sizeof address) < 0
      || listen (fd, SOMAXCONN) < 0)
    err (1, "127.0.0.1:%d", port);
  return fd;
}

static void
watch (int set, int fd)
{
  struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
  if (epoll_ctl (set, EPOLL_CTL_ADD, fd, &event) < 0)
    err (1, "epoll_ctl");
}

static void
accept_all (int set, int listener)
{
  int fd, one = 1;
  while ((fd = accept4 (listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC))
         >= 0)
    {
      setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      watch (set, fd);
    }
  if (errno != EAGAIN && errno != ECONNABORTED)
    err (1, "accept");
}

static void
echo (int fd)
{
  char bytes[4096];
  ssize_t n = recv (fd, bytes, sizeof bytes, 0);
  if (n > 0 && send (fd, bytes, (size_t)n, MSG_NOSIGNAL) == n)
    return;
  if (n < 0 && errno == EAGAIN)
    return;
  close (fd);
}

int
main (int argc, char **argv)
{
  struct epoll_event events[EVENTS];
  int listener = listen_on (argc > 1 ? atoi (argv[1]) : 0);
  int set = epoll_create1 (EPOLL_CLOEXEC);
  watch (set, listener);
  for (;;)
    {
      int n = epoll_wait (set, events, EVENTS, -1);
      for (int i = 0; i < n; i++)
        if (events[i].data.fd == listener)
          accept_all (set, listener);
        else
          echo (events[i].data.fd);
    }
}
