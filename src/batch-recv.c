/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Receiving a batch, and splitting what the kernel had joined.  */

#include "batch.h"

#include <errno.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sockport/control.h>
#include <sockport/option.h>

#include "os.h"

/* Are datagrams joined on FD?  It is turned on if the batch wants it.  */
static int
joins (const struct skp_batch *batch, int fd)
{
  int on = 1;
  socklen_t length = sizeof on;
  if (batch->offload)
    return skp_option_set (fd, IPPROTO_UDP, UDP_GRO, &on, length) == 0;
  return skp_option_get (fd, IPPROTO_UDP, UDP_GRO, &on, &length) == 0 && on;
}

/* Room for joined datagrams does no harm where they come one by one, as when
   the number was given to another socket meanwhile.  The lack of it would lose
   some, so the socket is asked each time whether it is still not needed.  */
static void
prepare_socket (struct skp_batch *batch, int fd)
{
  if (!batch->gro || batch->gro_fd != fd)
    {
      batch->gro = joins (batch, fd);
      batch->gro_fd = fd;
    }
  batch->stride = batch->gro ? JOINED_MAX : batch->size;
  batch->messages = batch->slots;
  if (batch->gro && batch->messages > batch->capacity / JOINED_MAX)
    batch->messages = batch->capacity / JOINED_MAX;
}

static void
prepare_header (struct skp_batch *batch, size_t i, size_t number)
{
  struct msghdr *header = &batch->in.headers[i].msg_hdr;
  batch->in.slices[i]
      = (struct iovec){ batch->bytes + number * batch->stride, batch->stride };
  header->msg_name = &batch->addresses[number].storage;
  header->msg_namelen = sizeof batch->addresses->storage;
  header->msg_iov = &batch->in.slices[i];
  header->msg_iovlen = 1;
  header->msg_control = &batch->in.controls[i];
  header->msg_controllen = CONTROL_ROOM;
}

/* One call, for messages from number FROM on.  The kernel writes only the
   headers that it fills, so those that the last call left as they were need not
   be written again.  */
static long
receive_some (struct skp_batch *batch, int fd, size_t from, size_t want,
              int flags)
{
  if (from > 0 || batch->ready_stride != batch->stride)
    batch->ready_from = batch->ready_to = 0;
  for (size_t i = 0; i < batch->ready_from; i++)
    prepare_header (batch, i, from + i);
  for (size_t i = batch->ready_to; i < want; i++)
    prepare_header (batch, i, from + i);
  long n = skp__recvmmsg (fd, batch->in.headers, (unsigned)want,
                          flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  batch->ready_from = n > 0 ? (size_t)n : 0;
  batch->ready_to = from == 0 ? want : 0;
  batch->ready_stride = batch->stride;
  return n;
}

/* The size of the segments in a joined datagram, 0 if it is not one.  */
static size_t
segment_size (struct msghdr *header)
{
  struct skp_control_item item;
  size_t at = 0;
  int size = 0, others = 0;

  while (
      skp_control_next (header->msg_control, header->msg_controllen, &at, &item)
      > 0)
    if (item.level == IPPROTO_UDP && item.type == UDP_GRO
        && item.length == sizeof size)
      memcpy (&size, item.bytes, sizeof size);
    else
      others = 1;
  if (others)
    skp_control_close (header->msg_control, header->msg_controllen);
  return size > 0 && size <= UINT16_MAX ? (size_t)size : 0;
}

/* Add the datagrams of message NUMBER, LENGTH bytes long.  Every message after
   it finds room for one at least: should the kernel have joined more than it
   does today, the last one has the rest, as far as a slot goes.  */
static void
split (struct skp_batch *batch, size_t number, size_t length, size_t segment,
       int cut)
{
  size_t start = number * batch->stride, size = batch->size;
  size_t room = batch->count_max - (batch->messages - number);
  size_t before = segment && length ? (length - 1) / segment : 0;
  struct skp_datagram *next = &batch->datagrams[batch->count];
  struct skp_datagram datagram
      = { .start = (uint32_t)start,
          .length = (uint32_t)(segment < size ? segment : size),
          .address = (uint32_t)number,
          .segment = (uint16_t)segment,
          .cut = segment > size };

  if (before > room - batch->count)
    before = room - batch->count;
  for (size_t i = 0; i < before; i++)
    {
      *next++ = datagram;
      datagram.start += (uint32_t)segment;
    }
  length -= before * segment;
  datagram.length = (uint32_t)(length < size ? length : size);
  datagram.cut = cut || length > size;
  *next = datagram;
  batch->count += before + 1;
}

static void
take (struct skp_batch *batch, size_t from, size_t count)
{
  for (size_t i = 0; i < count; i++)
    {
      struct msghdr *header = &batch->in.headers[i].msg_hdr;
      size_t length = batch->in.headers[i].msg_len;
      size_t segment = header->msg_controllen > 0 ? segment_size (header) : 0;

      batch->addresses[from + i].length = header->msg_namelen;
      if (length > batch->stride) /* MSG_TRUNC was asked for */
        length = batch->stride;
      split (batch, from + i, length, segment,
             (header->msg_flags & MSG_TRUNC) != 0);
    }
}

int
skp_batch_recv (struct skp_batch *batch, int fd, int flags)
{
  size_t from = 0;

  skp_batch_clear (batch);
  prepare_socket (batch, fd);
  while (from < batch->messages)
    {
      size_t want = batch->messages - from;
      if (want > batch->calls)
        want = batch->calls;
      long n = receive_some (batch, fd, from, want, flags);
      if (n < 0 && from == 0)
        return (int)n;
      if (n <= 0)
        break;
      take (batch, from, (size_t)n);
      from += (size_t)n;
      if ((size_t)n < want)
        break;
    }
  batch->used = from * batch->stride;
  batch->addresses_used = from;
  return (int)batch->count;
}
