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

/* How many datagrams from I on can go as one: to one address, all as long as
   the first, but the last, which can be shorter.  */
static size_t
run_length (const struct skp_batch *batch, size_t i, size_t limit)
{
  const struct skp_datagram *first = &batch->datagrams[i];
  size_t most = batch->count - i, total = first->length, n = 1;

  if (first->length == 0 || first->length >= limit)
    return 1;
  if (most > SEGMENTS_JOINED)
    most = SEGMENTS_JOINED;
  for (; n < most; n++)
    {
      const struct skp_datagram *next = first + n;
      if (next->address != first->address || next->length == 0
          || next->length > first->length || total + next->length > PAYLOAD_MAX
          || next[-1].length < first->length)
        break;
      total += next->length;
    }
  return n;
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

/* Point slices at COUNT datagrams from I on, one for those that lie in a row;
   their number.  */
static size_t
point (const struct skp_batch *batch, size_t i, size_t count,
       struct iovec *slices)
{
  size_t n = 0;
  for (; count > 0; i++, count--)
    {
      const struct skp_datagram *datagram = &batch->datagrams[i];
      unsigned char *at = batch->bytes + datagram->start;
      struct iovec *last = &slices[n - 1];
      if (n > 0 && (unsigned char *)last->iov_base + last->iov_len == at)
        last->iov_len += datagram->length;
      else
        slices[n++] = (struct iovec){ at, datagram->length };
    }
  return n;
}

/* Fill the headers with the datagrams from START on; the number of headers.  */
static size_t
fill (struct skp_batch *batch, size_t start, size_t limit)
{
  size_t headers = 0, slices = 0;

  while (start < batch->count && headers < batch->calls)
    {
      struct msghdr *header = &batch->headers[headers].msg_hdr;
      size_t run = run_length (batch, start, limit);
      struct skp_address *to
          = &batch->addresses[batch->datagrams[start].address];
      if (slices + run > batch->calls)
        break;
      *header = (struct msghdr){ .msg_name = to->length ? &to->storage : NULL,
                                 .msg_namelen = to->length,
                                 .msg_iov = &batch->slices[slices] };
      header->msg_iovlen = point (batch, start, run, header->msg_iov);
      slices += header->msg_iovlen;
      if (run > 1)
        set_segment (header, &batch->controls[headers],
                     (uint16_t)batch->datagrams[start].length);
      batch->covers[headers++] = (uint16_t)run;
      start += run;
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
      long n = skp__sendmmsg (fd, batch->headers, (unsigned)headers,
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
