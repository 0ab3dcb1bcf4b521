/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Data from one descriptor to another without passing through this process
   (sendfile(2), splice(2)).

   No call waits, whatever the mode of the descriptors, and none raises SIGPIPE.
   A count may be less than what was asked for; 0 is the end of the input.

   A descriptor in blocking mode is in non-blocking mode for the time of a call:
   threads that use the same one must not look at its mode meanwhile, nor be in
   another of these calls.  */

#ifndef SKP_BULK_H
#define SKP_BULK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sockport/api.h>

SKP_BEGIN_DECLS

/* Send up to SIZE bytes of IN to OUT, from *OFFSET on, which moves along, or if
   OFFSET is NULL from where IN is read next.  What the kernel does not send by
   itself is copied, as to a file that is opened for appending.  -ESPIPE if IN
   is a pipe, a socket or something else without positions.  */
SKP_API ssize_t skp_bulk_send_file (int out, int in, int64_t *offset,
                                    size_t size);

/* Move up to SIZE bytes from IN to OUT, one of which is a pipe; -EINVAL if the
   kernel cannot splice these two.  After -EAGAIN, skp_bulk_full says whether it
   is OUT that has to be waited for, else it is IN.  */
SKP_API ssize_t skp_bulk_splice (int out, int in, size_t size);
SKP_API int skp_bulk_full (int out);

/* Write up to SIZE bytes to OUT, a descriptor of any kind.  */
SKP_API ssize_t skp_bulk_write (int out, const void *bytes, size_t size);

/* Another descriptor, close-on-exec, for the open file of FD.  */
SKP_API int skp_bulk_share (int fd);

/* A pipe for skp_bulk_splice in ENDS (to read from, to write to), in
   non-blocking mode, as large as SIZE if the system allows.  */
SKP_API int skp_bulk_pipe (int ends[2], size_t size);

SKP_END_DECLS

#endif /* SKP_BULK_H */
