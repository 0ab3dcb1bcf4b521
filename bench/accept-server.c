/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A server that accepts connections and closes them, as bare as C can be: the
   peer of bench/accept.scm.

     accept-server PORT [epoll]

   By default it waits in accept4, and could do nothing else; with epoll it
   waits for the listener as a server does that has other connections too.  */

#include <arpa/inet.h>
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void
accept_one (int listener)
{
  int fd = accept4 (listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0)
    close (fd);
}

static void
accept_by_epoll (int listener)
{
  int poller = epoll_create1 (EPOLL_CLOEXEC);
  struct epoll_event event = { .events = EPOLLIN, .data.fd = listener };
  if (epoll_ctl (poller, EPOLL_CTL_ADD, listener, &event) != 0)
    err (1, "epoll_ctl");
  for (;;)
    if (epoll_wait (poller, &event, 1, -1) == 1)
      accept_one (event.data.fd);
}

int
main (int argc, char **argv)
{
  int polls = argc == 3 && strcmp (argv[2], "epoll") == 0;
  if (argc != 2 && !polls)
    errx (2, "usage: accept-server PORT [epoll]");
  struct sockaddr_in name = { .sin_family = AF_INET,
                              .sin_port = htons ((in_port_t)atoi (argv[1])),
                              .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  int style = SOCK_STREAM | SOCK_CLOEXEC | (polls ? SOCK_NONBLOCK : 0);
  int listener = socket (AF_INET, style, 0);
  int on = 1;
  setsockopt (listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind (listener, (struct sockaddr *)&name, sizeof name) != 0
      || listen (listener, SOMAXCONN) != 0)
    err (1, "listening");
  if (polls)
    accept_by_epoll (listener);
  for (;;)
    accept_one (listener);
}
