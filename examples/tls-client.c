/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls-client HOST PORT [AUTHORITIES]: passes its input on to a server of TLS
   and what comes back to its output, at once, with a loop of its own.
   AUTHORITIES is a file of certificates to trust, in PEM; without it, the
   system's.

     cc tls-client.c $(pkg-config --cflags --libs sockport-tls)  */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <netdb.h>
#include <sockport/socket.h>
#include <sockport/tls.h>

static void
die (const char *what, int error)
{
  const char *why = skp_tls_error_text (error);
  fprintf (stderr, "tls-client: %s: %s\n", what, why ? why : strerror (-error));
  exit (1);
}

static int
connect_to (const char *host, const char *port)
{
  struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
  int fd = -1, error = getaddrinfo (host, port, &hints, &found);
  if (error != 0)
    {
      fprintf (stderr, "tls-client: %s: %s\n", host, gai_strerror (error));
      exit (1);
    }
  for (struct addrinfo *at = found; at && fd < 0; at = at->ai_next)
    {
      fd = skp_socket_open (at->ai_family, SOCK_STREAM, 0);
      if (fd >= 0 && connect (fd, at->ai_addr, at->ai_addrlen) < 0)
        {
          error = -errno;
          close (fd);
          fd = -1;
        }
    }
  freeaddrinfo (found);
  if (fd < 0)
    die (host, error);
  return fd;
}

static void
trust_file (struct skp_tls_context *context, const char *name)
{
  static char pem[1 << 20];
  FILE *file = fopen (name, "r");
  if (!file)
    die (name, -errno);
  size_t size = fread (pem, 1, sizeof pem, file);
  fclose (file);
  int count = skp_tls_context_trust (context, pem, size);
  if (count < 0)
    die (name, count);
}

static void
wait_for (int fd, int events)
{
  struct pollfd poll_fd = { .fd = fd, .events = (short)events };
  poll (&poll_fd, 1, -1);
}

/* What was read and has not been taken by the session yet is from START to END;
   of the input no more is read before that.  */
struct outgoing
{
  char bytes[16384];
  size_t start, end;
  int over; /* the input has ended, which the server is told */
};

/* Take as much as goes; return what to poll the socket for, or 0.  */
static int
send_more (struct skp_tls *tls, struct outgoing *out)
{
  int events = 0;
  ssize_t n = skp_tls_flush (tls, &events);
  while (n >= 0 && out->start < out->end)
    {
      n = skp_tls_write (tls, out->bytes + out->start, out->end - out->start,
                         &events);
      out->start += n > 0 ? (size_t)n : 0;
    }
  if (n >= 0)
    n = out->over ? skp_tls_end (tls, &events) : skp_tls_flush (tls, &events);
  if (n < 0 && n != -EAGAIN)
    die ("writing", (int)n);
  return n < 0 ? events : 0;
}

static void
read_input (struct outgoing *out)
{
  ssize_t n = read (0, out->bytes, sizeof out->bytes);
  out->start = 0;
  out->end = n > 0 ? (size_t)n : 0;
  out->over = n <= 0;
}

/* Pass on what has come; 0 at the end.  */
static int
receive_more (struct skp_tls *tls)
{
  char bytes[16384];
  int events;
  ssize_t n;
  while ((n = skp_tls_read (tls, bytes, sizeof bytes, &events)) > 0)
    fwrite (bytes, 1, (size_t)n, stdout);
  fflush (stdout);
  if (n < 0 && n != -EAGAIN)
    die ("reading", (int)n);
  return n != 0;
}

static void
relay (struct skp_tls *tls, int fd)
{
  static struct outgoing out;
  while (receive_more (tls))
    {
      int events = send_more (tls, &out);
      int idle = out.start == out.end && !out.over;
      struct pollfd fds[] = { { .fd = fd, .events = (short)(POLLIN | events) },
                              { .fd = idle ? 0 : -1, .events = POLLIN } };
      poll (fds, 2, -1);
      if (fds[1].revents)
        read_input (&out);
    }
}

int
main (int argc, char **argv)
{
  struct skp_tls_context *context;
  struct skp_tls *tls;
  int events = 0, error;

  if (argc < 3 || argc > 4)
    {
      fputs ("usage: tls-client HOST PORT [AUTHORITIES]\n", stderr);
      return 2;
    }
  error = skp_tls_context_new (&context);
  if (error < 0)
    die ("context", error);
  if (argc == 4)
    trust_file (context, argv[3]);
  else if ((error = skp_tls_context_trust_system (context)) < 0)
    die ("authorities", error);
  int fd = connect_to (argv[1], argv[2]);
  if ((error = skp_tls_client (&tls, context, fd, argv[1])) < 0)
    die (argv[1], error);
  while ((error = skp_tls_handshake (tls, &events)) == -EAGAIN)
    wait_for (fd, events);
  if (error < 0)
    die (argv[1], error);
  relay (tls, fd);
  skp_tls_free (tls);
  skp_tls_context_unref (context);
  close (fd);
  return 0;
}
