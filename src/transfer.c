/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* One buffer in or out, without waiting and without SIGPIPE.  Several buffers
   and control data are message.c's.  */

#include <sockport/transfer.h>

#include <sys/socket.h>

#include "os.h"

int
skp_transfer_at_mark (int fd)
{
  return SKP__CALL (sockatmark (fd));
}

ssize_t
skp_transfer_recv (int fd, void *buffer, size_t size, int flags)
{
  return skp__recvfrom (fd, buffer, size, flags | MSG_DONTWAIT, NULL, NULL);
}

ssize_t
skp_transfer_send (int fd, const void *buffer, size_t size, int flags)
{
  return skp__sendto (fd, buffer, size, flags | MSG_DONTWAIT | MSG_NOSIGNAL,
                      NULL, 0);
}

ssize_t
skp_transfer_recvfrom (int fd, void *buffer, size_t size, int flags,
                       struct skp_address *from)
{
  socklen_t length = sizeof from->storage;
  ssize_t n = skp__recvfrom (fd, buffer, size, flags | MSG_DONTWAIT,
                             &from->storage, &length);
  if (n >= 0)
    from->length = length;
  return n;
}

ssize_t
skp_transfer_sendto (int fd, const void *buffer, size_t size, int flags,
                     const struct skp_address *to)
{
  return skp__sendto (fd, buffer, size, flags | MSG_DONTWAIT | MSG_NOSIGNAL,
                      &to->storage, to->length);
}
