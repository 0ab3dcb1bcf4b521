/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The load for echo servers: many connections, each with one request of 64
   bytes under way at a time.

     echo-load PORT CONNECTIONS SECONDS

   does a round for each line that it reads, or one if there is none.  It
   prints, for the SECONDS after a tenth of them has passed: requests a second,
   and the 50th, 99th and 99.9th percentile of the latency in microseconds.  */

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SIZE 64
#define EVENTS 256

/* Latencies are counted in steps of 1/32 of a power of two of nanoseconds.  */
#define STEPS 32
#define BUCKETS (48 * STEPS)

struct connection
{
  int fd;
  int missing;
  int64_t sent_ns;
};

static uint64_t latencies[BUCKETS];
static char request[SIZE];

static int64_t
now_ns (void)
{
  struct timespec now;
  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C (1000000000) + now.tv_nsec;
}

static int
bucket (int64_t ns)
{
  int power = 0;
  while (ns >> power >= 2 * STEPS)
    power++;
  int at = power * STEPS + (int)(ns >> power);
  return at < BUCKETS ? at : BUCKETS - 1;
}

static double
bucket_us (int at)
{
  int power = at < 2 * STEPS ? 0 : at / STEPS - 1;
  return (double)((int64_t)(at - power * STEPS) << power) / 1000;
}

static double
percentile (double part)
{
  uint64_t total = 0, seen = 0;
  for (int i = 0; i < BUCKETS; i++)
    total += latencies[i];
  for (int i = 0; i < BUCKETS; i++)
    {
      seen += latencies[i];
      if ((double)seen >= part * (double)total)
        return bucket_us (i);
    }
  return 0;
}

static int
connected (int port)
{
  int one = 1;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_port = htons ((uint16_t)port),
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  if (connect (fd, (struct sockaddr *)&address, sizeof address) < 0)
    err (1, "connect");
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

static void
ask (struct connection *c)
{
  c->missing = SIZE;
  c->sent_ns = now_ns ();
  if (send (c->fd, request, SIZE, MSG_NOSIGNAL) != SIZE)
    err (1, "send");
}

/* 1 if the answer to a request is now complete.  */
static int
answered (struct connection *c)
{
  char bytes[SIZE];
  ssize_t n = recv (c->fd, bytes, (size_t)c->missing, MSG_DONTWAIT);
  if (n <= 0)
    {
      if (n < 0 && errno == EAGAIN)
        return 0;
      errx (1, "the server closed a connection");
    }
  if (memcmp (bytes, request + SIZE - c->missing, (size_t)n))
    errx (1, "the server sent something else");
  c->missing -= (int)n;
  return c->missing == 0;
}

/* What ALL, COUNT of them, have asked for in time.  All are idle before and
   after.  */
static uint64_t
run (int set, struct connection *all, int count, int64_t start_ns,
     int64_t end_ns)
{
  struct epoll_event events[EVENTS];
  uint64_t requests = 0;
  for (int i = 0; i < count; i++)
    ask (&all[i]);
  for (int busy = count; busy > 0;)
    {
      int n = epoll_wait (set, events, EVENTS, 1000);
      if (n == 0)
        errx (1, "the server is silent");
      for (int i = 0; i < n; i++)
        {
          struct connection *c = events[i].data.ptr;
          if (!answered (c))
            continue;
          int64_t now = now_ns ();
          if (now >= end_ns)
            {
              busy--;
              continue;
            }
          if (now >= start_ns)
            {
              latencies[bucket (now - c->sent_ns)]++;
              requests++;
            }
          ask (c);
        }
    }
  return requests;
}

static void
do_round (int set, struct connection *all, int count, double seconds)
{
  memset (latencies, 0, sizeof latencies);
  int64_t start_ns = now_ns () + (int64_t)(seconds * 1e8);
  int64_t end_ns = start_ns + (int64_t)(seconds * 1e9);
  uint64_t requests = run (set, all, count, start_ns, end_ns);
  printf ("%.1f %.1f %.1f %.1f\n", (double)requests / seconds, percentile (0.5),
          percentile (0.99), percentile (0.999));
  fflush (stdout);
}

int
main (int argc, char **argv)
{
  if (argc != 4)
    errx (2, "usage: echo-load PORT CONNECTIONS SECONDS");
  int count = atoi (argv[2]);
  double seconds = atof (argv[3]);
  struct rlimit limit;
  getrlimit (RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
  for (int i = 0; i < SIZE; i++)
    request[i] = (char)('!' + i);
  int set = epoll_create1 (EPOLL_CLOEXEC);
  struct connection *all = calloc ((size_t)count, sizeof *all);
  for (int i = 0; i < count; i++)
    {
      all[i].fd = connected (atoi (argv[1]));
      struct epoll_event event = { .events = EPOLLIN, .data.ptr = &all[i] };
      if (epoll_ctl (set, EPOLL_CTL_ADD, all[i].fd, &event) < 0)
        err (1, "epoll_ctl");
    }
  for (int rounds = 0; getchar () != EOF || rounds == 0; rounds++)
    do_round (set, all, count, seconds);
  free (all);
  return 0;
}
