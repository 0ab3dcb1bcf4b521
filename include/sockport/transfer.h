/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Data in and out of a socket, one buffer at a time (recv(2), send(2)).

   No call waits, whatever the mode of FD (MSG_DONTWAIT is added): -EAGAIN says
   that nothing was done.  Sending to a closed peer returns -EPIPE and never
   raises SIGPIPE (MSG_NOSIGNAL is added).  On a stream a count may be less than
   SIZE; a datagram goes and comes whole or cut, never in pieces.  */

#ifndef SKP_TRANSFER_H
#define SKP_TRANSFER_H

#include <sys/types.h>
#include <sockport/address.h>

SKP_BEGIN_DECLS

/* How many of up to SIZE bytes came, 0 at the end of a stream; and how many of
   the SIZE bytes went.  FLAGS are MSG_ constants.  recv(2), send(2).  */
SKP_API ssize_t skp_transfer_recv (int fd, void *buffer, size_t size,
                                   int flags);
SKP_API ssize_t skp_transfer_send (int fd, const void *buffer, size_t size,
                                   int flags);

/* The same with an address.  FROM has length 0 when the kernel names no sender,
   as on a stream.  recvfrom(2), sendto(2).  */
SKP_API ssize_t skp_transfer_recvfrom (int fd, void *buffer, size_t size,
                                       int flags, struct skp_address *from);
SKP_API ssize_t skp_transfer_sendto (int fd, const void *buffer, size_t size,
                                     int flags, const struct skp_address *to);

/* Is what FD receives next the byte that was sent as urgent (MSG_OOB)?  1, 0 or
   -errno.  sockatmark(3).  */
SKP_API int skp_transfer_at_mark (int fd);

SKP_END_DECLS

#endif /* SKP_TRANSFER_H */
