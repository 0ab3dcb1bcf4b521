/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A server that accepts connections and closes them, as bare as C can be: the
   peer of bench/accept.scm.

     accept-server PORT  */

#include <arpa/inet.h>
#include <err.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int
main (int argc, char **argv)
{
  if (argc != 2)
    errx (2, "usage: accept-server PORT");
  struct sockaddr_in name = { .sin_family = AF_INET,
                              .sin_port = htons ((in_port_t)atoi (argv[1])),
                              .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  int listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int on = 1;
  setsockopt (listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind (listener, (struct sockaddr *)&name, sizeof name) != 0
      || listen (listener, SOMAXCONN) != 0)
    err (1, "listening");
  for (;;)
    {
      int fd = accept4 (listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0)
        close (fd);
    }
}
