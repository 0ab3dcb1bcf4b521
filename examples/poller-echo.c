/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* poller-echo ADDRESS: an echo server without Guile, for any number of
   connections in one thread, until SIGTERM or SIGINT.

     cc poller-echo.c $(pkg-config --cflags --libs sockport)  */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sockport/sockport.h>

/* What was received and is not sent back yet is from START to END.  */
struct connection
{
  size_t start, end;
  char bytes[4096];
};

static struct skp_poller *poller;
static struct connection **connections; /* by descriptor */
static int room;                        /* of that array */
static int listener;
static int turned_away; /* for want of a descriptor or of memory */
static volatile sig_atomic_t stopped;

static void
stop (int signum)
{
  (void)signum;
  stopped = 1;
  /* Or a signal that comes just before the wait would not end it.  */
  skp_poller_wake (poller);
}

static int
keep (int fd)
{
  if (fd >= room)
    {
      int wanted = 2 * fd + 16;
      struct connection **larger
          = realloc (connections, (size_t)wanted * sizeof *larger);
      if (larger == NULL)
        return -ENOMEM;
      memset (larger + room, 0, (size_t)(wanted - room) * sizeof *larger);
      connections = larger;
      room = wanted;
    }
  connections[fd] = calloc (1, sizeof *connections[fd]);
  return connections[fd] == NULL ? -ENOMEM : skp_poller_watch (poller, fd);
}

static void
end (int fd)
{
  if (fd < room)
    {
      free (connections[fd]);
      connections[fd] = NULL;
    }
  /* Which ends its being watched.  */
  close (fd);
  /* Whoever was turned away waits in the listener's queue.  */
  if (turned_away)
    skp_poller_watch (poller, listener);
  turned_away = 0;
}

static void
accept_all (void)
{
  int fd;
  while ((fd = skp_socket_accept (listener, 0, NULL)) >= 0)
    if (keep (fd) < 0)
      end (fd);
  turned_away = fd != -EAGAIN;
}

/* Readiness is reported once, so go on until there is no more, or, lest the
   others starve, for a while.  Less than 0 when the connection has ended.  */
static int
echo (int fd, struct connection *c)
{
  for (int turn = 0; turn < 16; turn++)
    {
      ssize_t n;
      if (c->start < c->end)
        {
          n = skp_transfer_send (fd, c->bytes + c->start, c->end - c->start, 0);
          c->start += n > 0 ? (size_t)n : 0;
        }
      else
        {
          n = skp_transfer_recv (fd, c->bytes, sizeof c->bytes, 0);
          c->start = 0;
          c->end = n > 0 ? (size_t)n : 0;
          if (n == 0)
            return -1;
        }
      if (n < 0)
        return n == -EAGAIN ? 0 : -1;
    }
  /* Have it reported again.  */
  return skp_poller_watch (poller, fd);
}

static int
serve (void)
{
  struct skp_poller_event events[64];
  while (!stopped)
    {
      int n = skp_poller_wait (poller, events, 64, -1);
      if (n < 0 && n != -EINTR)
        return n;
      for (int i = 0; i < n; i++)
        {
          int fd = events[i].fd;
          if (fd == listener)
            accept_all ();
          else if (fd < room && connections[fd] != NULL
                   && echo (fd, connections[fd]) < 0)
            end (fd);
        }
    }
  return 0;
}

static int
listen_at (const char *text)
{
  struct skp_address address;
  char name[SKP_ADDRESS_TEXT];
  int on = 1, result = skp_address_parse (&address, text);
  if (result < 0
      || (result = listener
          = skp_socket_open (skp_address_number (&address), SOCK_STREAM, 0))
             < 0)
    return result;
  setsockopt (listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if ((result = skp_socket_bind (listener, &address)) < 0
      || (result = skp_socket_listen (listener, SOMAXCONN)) < 0
      || (result = skp_socket_name (listener, &address)) < 0
      || (result = skp_poller_watch (poller, listener)) < 0)
    return result;
  skp_address_format (&address, name, sizeof name);
  printf ("echoing at %s\n", name);
  return fflush (stdout);
}

int
main (int argc, char **argv)
{
  if (argc != 2)
    {
      fprintf (stderr, "usage: %s ADDRESS\n", argv[0]);
      return 2;
    }
  int result = skp_poller_open (&poller);
  if (result == 0)
    result = listen_at (argv[1]);
  signal (SIGTERM, stop);
  signal (SIGINT, stop);
  if (result == 0)
    result = serve ();
  if (result < 0)
    fprintf (stderr, "%s: %s\n", argv[1], strerror (-result));
  for (int fd = 0; fd < room; fd++)
    if (connections[fd] != NULL)
      end (fd);
  free (connections);
  skp_poller_close (poller);
  return result < 0 ? 1 : 0;
}
