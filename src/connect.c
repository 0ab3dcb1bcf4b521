/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* See connect.h.  Of a socket that nobody else has seen it is known in which
   mode it is, and that nothing has happened to it.  */

#include <sockport/connect.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sockport/socket.h>
#include <unistd.h>

#include "os.h"

static int
connect_once (int fd, const struct skp_address *address)
{
  return SKP__CALL (connect (fd, (const struct sockaddr *)&address->storage,
                             address->length));
}

/* Without waiting, connect says EINPROGRESS even when the answer of the same
   machine has come before it returns.  The next one, which a socket that does
   not wait may make (inet_stream_connect in Linux's net/ipv4/af_inet.c), says
   how that ended, or EALREADY; and leaves nothing that src/socket.c would have
   to settle.  */
static int
connect_and_look (int fd, const struct skp_address *address)
{
  int result = connect_once (fd, address);
  if (result == -EINPROGRESS)
    result = connect_once (fd, address);
  int under_way = result == -EALREADY || result == -EINPROGRESS;
  return result == 0 ? 1 : under_way ? 0 : result;
}

static int
begin (int fd, const struct skp_address *address, int flags)
{
  static const int on = 1;
  int err = 0;
  if (flags & SKP_CONNECT_NO_DELAY)
    err = SKP__CALL (setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
  int result = err < 0 ? err : connect_and_look (fd, address);
  if (result >= 0 && !(flags & SKP_CONNECT_NONBLOCKING))
    err = SKP__CALL (fcntl (fd, F_SETFL, O_RDWR));
  return err < 0 ? err : result;
}

int
skp_connect_begin (int *fd, const struct skp_address *address, int flags)
{
  int made = skp_socket_open (address->storage.ss_family,
                              SOCK_STREAM | SOCK_NONBLOCK, 0);
  int result = made < 0 ? made : begin (made, address, flags);
  if (result >= 0)
    *fd = made;
  else if (made >= 0)
    close (made);
  return result;
}
