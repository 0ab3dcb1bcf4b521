/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* core-client ADDRESS WORDS: a client without Guile.  It connects to ADDRESS
   ("127.0.0.1:7", "[::1]:7", "unix:/run/echo", "vsock:2:7"), sends WORDS, says
   no more, and prints what comes back.  The core never waits: poll does.

     cc core-client.c $(pkg-config --cflags --libs sockport)  */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sockport/sockport.h>

static void
wait_for (int fd, short events)
{
  struct pollfd wanted = { .fd = fd, .events = events };
  poll (&wanted, 1, -1);
}

static ssize_t
connect_to (int fd, const struct skp_address *address)
{
  int result = skp_socket_connect (fd, address);
  if (result != -EINPROGRESS)
    return result;
  wait_for (fd, POLLOUT);
  return skp_socket_error (fd);
}

static ssize_t
send_all (int fd, const char *bytes, size_t size)
{
  while (size > 0)
    {
      ssize_t n = skp_transfer_send (fd, bytes, size, 0);
      if (n == -EAGAIN)
        wait_for (fd, POLLOUT);
      else if (n < 0)
        return n;
      else
        {
          bytes += n;
          size -= (size_t)n;
        }
    }
  return skp_socket_shutdown (fd, SHUT_WR);
}

static ssize_t
print_all (int fd)
{
  char bytes[4096];
  ssize_t n;
  while ((n = skp_transfer_recv (fd, bytes, sizeof bytes, 0)) != 0)
    {
      if (n == -EAGAIN)
        wait_for (fd, POLLIN);
      else if (n < 0)
        return n;
      else
        fwrite (bytes, 1, (size_t)n, stdout);
    }
  return 0;
}

static int
failed (const char *what, ssize_t negative_errno)
{
  fprintf (stderr, "%s: %s\n", what, strerror ((int)-negative_errno));
  return 1;
}

static int
converse (int fd, const struct skp_address *address, const char *words)
{
  ssize_t result = connect_to (fd, address);
  if (result < 0)
    return failed ("connect", result);
  result = send_all (fd, words, strlen (words));
  if (result < 0)
    return failed ("send", result);
  result = print_all (fd);
  return result < 0 ? failed ("receive", result) : 0;
}

int
main (int argc, char **argv)
{
  struct skp_address address;
  char text[SKP_ADDRESS_TEXT];
  int result;

  if (argc != 3 || skp_address_parse (&address, argv[1]) < 0)
    {
      fprintf (stderr, "usage: %s ADDRESS WORDS\n", argv[0]);
      return 2;
    }
  skp_address_format (&address, text, sizeof text);
  fprintf (stderr, "connecting to %s\n", text);
  int fd = skp_socket_open (skp_address_number (&address), SOCK_STREAM, 0);
  if (fd < 0)
    return failed ("socket", fd);
  result = converse (fd, &address, argv[2]);
  close (fd);
  return result;
}
