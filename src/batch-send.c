/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Sending a batch, and joining datagrams on the way.  */

#include "batch.h"

#include <errno.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sockport/option.h>

#include "os.h"

#define SEGMENTS_JOINED 64 /* what every kernel takes */
#define PAYLOAD_MAX 65507  /* of a UDP datagram over IPv4 */

/* Only UDP knows this option, and a socket of another kind would send what was
   joined as one; so the socket is asked each time, not remembered by number.  A
   size that the user has set on it stays in force.  */
static int
can_join (int fd)
{
  int segment;
  socklen_t length = sizeof segment;
  return skp_option_get (fd, IPPROTO_UDP, UDP_SEGMENT, &segment, &length) == 0
         && segment == 0;
}

static size_t
join_limit (struct skp_batch *batch, int fd, size_t start)
{
  if (!batch->offload || batch->count < start + 2 || !can_join (fd))
    return 0;
  if (batch->join_fd != fd)
    {
      batch->join_fd = fd;
      batch->join_limit = PAYLOAD_MAX;
    }
  return batch->join_limit;
}

/* Point SLICES, of which there is ROOM, at the datagrams from I on that can go
   as one: to one address, all as long as the first, but the last, which can be
   shorter.  One slice does for those that lie in a row; *USED is their number.
   How many datagrams that are.  */
static size_t
run (const struct skp_batch *batch, size_t i, size_t limit,
     struct iovec *slices, size_t room, size_t *used)
{
  const struct skp_datagram *first = &batch->datagrams[i], *next = first + 1;
  const struct skp_datagram *end = &batch->datagrams[batch->count];
  size_t length = first->length, total = length;
  size_t most = room < SEGMENTS_JOINED ? room : SEGMENTS_JOINED;
  struct iovec *slice = slices;

  if (length == 0 || length >= limit)
    end = next;
  if (end > first + most)
    end = first + most;
  /* Most are alike and lie in a row.  */
  for (; next < end && next->start == first->start + total
         && next->length == length && next->address == first->address
         && total + length <= PAYLOAD_MAX;
       next++)
    total += length;
  *slice = (struct iovec){ batch->bytes + first->start, total };
  for (; next < end && next->address == first->address && next->length <= length
         && next->length > 0 && next[-1].length == length
         && total + next->length <= PAYLOAD_MAX;
       next++)
    {
      if (next->start == next[-1].start + next[-1].length)
        slice->iov_len += next->length;
      else
        *++slice = (struct iovec){ batch->bytes + next->start, next->length };
      total += next->length;
    }
  *used = (size_t)(slice - slices) + 1;
  return (size_t)(next - first);
}

static void
set_segment (struct msghdr *header, union control *control, uint16_t size)
{
  control->header
      = (struct cmsghdr){ CMSG_LEN (sizeof size), IPPROTO_UDP, UDP_SEGMENT };
  memcpy (CMSG_DATA (&control->header), &size, sizeof size);
  header->msg_control = control;
  header->msg_controllen = CMSG_SPACE (sizeof size);
}

/* Fill the headers with the datagrams from START on; the number of headers.  */
static size_t
fill (struct skp_batch *batch, size_t start, size_t limit)
{
  size_t headers = 0, slices = 0;

  while (start < batch->count && headers < batch->calls
         && slices < batch->calls)
    {
      struct msghdr *header = &batch->out.headers[headers].msg_hdr;
      struct skp_address *to
          = &batch->addresses[batch->datagrams[start].address];
      struct iovec *slice = &batch->out.slices[slices];
      size_t used, count = run (batch, start, limit, slice,
                                batch->calls - slices, &used);
      *header = (struct msghdr){ .msg_name = to->length ? &to->storage : NULL,
                                 .msg_namelen = to->length,
                                 .msg_iov = slice,
                                 .msg_iovlen = used };
      if (count > 1)
        set_segment (header, &batch->out.controls[headers],
                     (uint16_t)batch->datagrams[start].length);
      batch->covers[headers++] = (uint16_t)count;
      slices += used;
      start += count;
    }
  return headers;
}

/* Learn from the refusal ERR of joined datagrams of LENGTH bytes: too large for
   the path with a header each (EMSGSIZE; EINVAL before Linux 6.9), or not
   possible at all.  The new limit, SIZE_MAX if ERR means something else.  */
static size_t
limit_after (struct skp_batch *batch, int err, size_t length)
{
  switch (err)
    {
    case -EINVAL:
    case -EMSGSIZE:
      batch->join_limit = length;
      return length;
    case -EIO:
    case -ENOPROTOOPT:
    case -EOPNOTSUPP:
      batch->join_limit = 0;
      return 0;
    default:
      return SIZE_MAX;
    }
}

int
skp_batch_send (struct skp_batch *batch, int fd, size_t start, int flags,
                int *error)
{
  size_t limit = join_limit (batch, fd, start), at = start;

  *error = 0;
  while (at < batch->count && *error == 0)
    {
      size_t headers = fill (batch, at, limit), next;
      long n = skp__sendmmsg (fd, batch->out.headers, (unsigned)headers,
                              flags | MSG_DONTWAIT | MSG_NOSIGNAL);
      for (long i = 0; i < n; i++)
        at += batch->covers[i];
      if (n >= 0)
        continue;
      next = batch->covers[0] > 1
                 ? limit_after (batch, (int)n, batch->datagrams[at].length)
                 : SIZE_MAX;
      if (next == SIZE_MAX)
        *error = (int)n;
      else
        limit = next;
    }
  return (int)(at - start);
}
