/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Bytes in and out of any descriptor: sockets, pipes, terminals, files.

   No call waits, whatever the mode of FD: -EAGAIN says that nothing was done.
   What is always ready, as a regular file, is read and written at once.  */

#ifndef SKP_STREAM_H
#define SKP_STREAM_H

#include <sys/types.h>
#include <sockport/api.h>

SKP_BEGIN_DECLS

/* Up to SIZE bytes; 0 is the end of file.  */
SKP_API ssize_t skp_stream_read (int fd, void *buffer, size_t size);

/* Some of SIZE bytes.  A socket whose peer has gone returns -EPIPE without
   SIGPIPE; a pipe raises it.  */
SKP_API ssize_t skp_stream_write (int fd, const void *buffer, size_t size);

SKP_END_DECLS

#endif /* SKP_STREAM_H */
