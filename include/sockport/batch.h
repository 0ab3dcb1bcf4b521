/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Batches: many datagrams in or out with one system call (recvmmsg(2),
   sendmmsg(2)), in memory that is used again and again.

   With offload the kernel hands over several datagrams of one sender as one
   (UDP_GRO) and takes several of one size as one (UDP_SEGMENT, udp(7)); a batch
   splits and joins them, so that its user sees datagrams only.  Where the
   socket or the kernel refuses that, they go and come one by one.  No call
   waits and none raises SIGPIPE.  A batch is not for two threads at once.  */

#ifndef SKP_BATCH_H
#define SKP_BATCH_H

#include <stddef.h>
#include <stdint.h>
#include <sockport/address.h>

SKP_BEGIN_DECLS

struct skp_batch;

/* LENGTH bytes at START of the batch's memory.  SEGMENT is the size in which
   the kernel had joined it with others, or 0; CUT is 1 when the datagram was
   longer than what is here; ADDRESS is an index for skp_batch_address.  */
struct skp_datagram
{
  uint32_t start;
  uint32_t length;
  uint32_t address;
  uint16_t segment;
  uint16_t cut;
};

/* The memory, in bytes, of a batch of SLOTS datagrams of SIZE bytes (up to
   65535), at least 65536, or 0 if there can be no such batch.  */
SKP_API size_t skp_batch_memory (size_t slots, size_t size, int offload);

/* Make a batch.  BYTES, of skp_batch_memory bytes, stays the caller's and must
   outlive it; NULL: the batch has its own.  0, -EINVAL, -ENOMEM.  */
SKP_API int skp_batch_open (struct skp_batch **batch, size_t slots, size_t size,
                            int offload, void *bytes);
SKP_API void skp_batch_close (struct skp_batch *batch);

/* What it holds: the memory, and the datagrams with their number.  */
SKP_API unsigned char *skp_batch_bytes (const struct skp_batch *batch);
SKP_API const struct skp_datagram *
skp_batch_datagrams (const struct skp_batch *batch, size_t *count);

/* The sender or destination of number INDEX; length 0 if there is none.  */
SKP_API const struct skp_address *
skp_batch_address (const struct skp_batch *batch, size_t index);

/* Receive as many datagrams as there are and fit, in place of what the batch
   held.  Their number, more than the slots when the kernel had joined some, or
   -EAGAIN when none is there.  The first call with a UDP socket sets UDP_GRO on
   it if the batch has offload; a batch without splits what was joined because
   of another.  Control messages are dropped, descriptors in
   them closed.  */
SKP_API int skp_batch_recv (struct skp_batch *batch, int fd, int flags);

/* Forget the datagrams.  */
SKP_API void skp_batch_clear (struct skp_batch *batch);

/* Add a datagram: LENGTH bytes, copied from BYTES unless that is NULL, to the
   address TO, or, if NULL, to where the socket is connected.  Its index, or
   -EMSGSIZE (longer than a slot), -ENOSPC (the batch is full).  */
SKP_API int skp_batch_add (struct skp_batch *batch, const void *bytes,
                           size_t length, const struct skp_address *to);

/* Add LENGTH bytes cut into datagrams of SIZE bytes; the last can be shorter.
   How many were added, fewer than all when the batch is full, or -EMSGSIZE
   (SIZE is 0 or longer than a slot), -ENOSPC (not even one fits).  */
SKP_API int skp_batch_add_segments (struct skp_batch *batch, const void *bytes,
                                    size_t length, size_t size,
                                    const struct skp_address *to);

/* Make datagram INDEX LENGTH bytes long, up to where the next one starts and
   never more than a slot has: -EMSGSIZE.  -EINVAL if there is no such one.  */
SKP_API int skp_batch_resize (struct skp_batch *batch, size_t index,
                              size_t length);

/* Send the datagrams from number START on, each to its address; received ones
   go back to their senders.  How many went; *ERROR is 0 if all did, else the
   -errno of the first that did not, -EAGAIN included.  */
SKP_API int skp_batch_send (struct skp_batch *batch, int fd, size_t start,
                            int flags, int *error);

SKP_END_DECLS

#endif /* SKP_BATCH_H */
