/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* read and write that never wait, on descriptors whose mode is not ours to
   change: it is shared with every process that has the open file.  */

#include <sockport/stream.h>

#include <errno.h>
#include <limits.h>
#include <stddef.h>

#include "os.h"

ssize_t
skp_stream_read (int fd, void *buffer, size_t size)
{
  ssize_t n = skp__recvfrom (fd, buffer, size, MSG_DONTWAIT, NULL, NULL);
  if (n != -ENOTSOCK)
    return n;
  int err = skp__check_ready (fd, POLLIN);
  return err < 0 ? err : skp__read (fd, buffer, size);
}

ssize_t
skp_stream_write (int fd, const void *buffer, size_t size)
{
  ssize_t n
      = skp__sendto (fd, buffer, size, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
  if (n != -ENOTSOCK)
    return n;
  int err = skp__check_ready (fd, POLLOUT);
  /* A pipe that is writable has room for this many bytes (pipe(7)).  */
  return err < 0 ? err
                 : skp__write (fd, buffer, size < PIPE_BUF ? size : PIPE_BUF);
}
