/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The load for servers that accept and close: some connections at a time, each
   made anew when the server has closed it.

     accept-load PORT CONNECTIONS SECONDS

   prints how many connections a second the server has closed.  */

#include <arpa/inet.h>
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 256

static struct sockaddr_in server = { .sin_family = AF_INET };
static int poller;

static int64_t
now_ns (void)
{
  struct timespec now;
  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C (1000000000) + now.tv_nsec;
}

static void
begin (void)
{
  /* The close that follows resets the connection, so that none stays in
     TIME_WAIT and the ports do not run out.  */
  struct linger reset = { 1, 0 };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0)
    err (1, "socket");
  setsockopt (fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  (void)connect (fd, (struct sockaddr *)&server, sizeof server);
  struct epoll_event event = { .events = EPOLLRDHUP, .data.fd = fd };
  if (epoll_ctl (poller, EPOLL_CTL_ADD, fd, &event) != 0)
    err (1, "epoll_ctl");
}

static long
renew_until (int64_t end_ns)
{
  struct epoll_event events[EVENTS];
  long done = 0;
  while (now_ns () < end_ns)
    {
      int count = epoll_wait (poller, events, EVENTS, 100);
      for (int i = 0; i < count; i++)
        {
          done += !(events[i].events & EPOLLERR);
          close (events[i].data.fd);
          begin ();
        }
    }
  return done;
}

int
main (int argc, char **argv)
{
  if (argc != 4)
    errx (2, "usage: accept-load PORT CONNECTIONS SECONDS");
  server.sin_port = htons ((in_port_t)atoi (argv[1]));
  server.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  poller = epoll_create1 (0);
  for (int left = atoi (argv[2]); left > 0; left--)
    begin ();
  int64_t begin_ns = now_ns ();
  int64_t length_ns = (int64_t)(atof (argv[3]) * 1e9);
  long done = renew_until (begin_ns + length_ns);
  double seconds = (double)(now_ns () - begin_ns) / 1e9;
  printf ("%.0f\n", (double)done / seconds);
}
