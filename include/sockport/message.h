/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Messages: data gathered from and scattered into any number of slices, with an
   address and control messages (sendmsg(2), recvmsg(2)).

   As in sockport/transfer.h no call waits and none raises SIGPIPE.  A call may
   have more slices than the kernel takes at once (IOV_MAX, 1024): on a stream
   the kernel is called repeatedly or the count is short; elsewhere, where the
   message must go and come whole, the slices from the 1024th on pass through
   one buffer of the heap.  */

#ifndef SKP_MESSAGE_H
#define SKP_MESSAGE_H

#include <sys/types.h>
#include <sys/uio.h>
#include <sockport/address.h>
#include <sockport/control.h>

SKP_BEGIN_DECLS

struct skp_message
{
  const struct iovec *slices;
  size_t count;
  struct skp_address *address; /* to or from; may be NULL */
  void *control;               /* CONTROL_LENGTH bytes; may be NULL */
  size_t control_length;
  int flags; /* of what was received: MSG_TRUNC, MSG_CTRUNC, MSG_EOR … */
};

/* Send MESSAGE.  The number of bytes that went, on a stream maybe fewer than
   all; control messages go with the first.  Those that are malformed are
   refused (-EINVAL, skp_control_check) before anything is sent, and so are
   those that have no byte to go with on a stream; descriptors and credentials
   on a socket that would drop them are -EOPNOTSUPP.  -EMSGSIZE when the slices
   hold more than INT_MAX bytes and must go as one.  */
SKP_API ssize_t skp_message_send (int fd, const struct skp_message *message,
                                  int flags);

/* Receive into MESSAGE.  The number of bytes; with MSG_TRUNC in FLAGS that of
   the whole datagram, even when the slices were smaller.  CONTROL_LENGTH
   becomes the length of what came, FLAGS shows if data (MSG_TRUNC) or control
   messages (MSG_CTRUNC) were cut, ADDRESS has length 0 when the kernel names no
   sender.  Received descriptors are close-on-exec and belong to the caller:
   skp_control_close closes what is not wanted.  */
SKP_API ssize_t skp_message_recv (int fd, struct skp_message *message,
                                  int flags);

SKP_END_DECLS

#endif /* SKP_MESSAGE_H */
