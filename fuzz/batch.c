/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Batches over a kernel gone mad: what it says of received messages is the
   input's, as are the calls of the batch's user.  No datagram reaches beyond
   the memory, none is lost or doubled when the batch is sent, and what is sent
   lies in the memory as well.  Linked with --wrap for the system calls.  */

#include "fuzz.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/syscall.h>
#include <sockport/batch.h>

#define SOCKET 1000

static struct input *input;
static struct skp_batch *batch;
static size_t memory, sent_at;

static int
within (const void *start, size_t length)
{
  const unsigned char *bytes = skp_batch_bytes (batch);
  const unsigned char *at = start;
  return at >= bytes && length <= memory
         && (size_t)(at - bytes) <= memory - length;
}

/* Fill one message as the input says, within what the kernel never exceeds:
   the room for the name and for control data.  */
static void
receive_one (struct mmsghdr *message, int truncating)
{
  struct msghdr *header = &message->msg_hdr;
  size_t room = 0;
  for (size_t i = 0; i < header->msg_iovlen; i++)
    {
      require (
          within (header->msg_iov[i].iov_base, header->msg_iov[i].iov_len));
      room += header->msg_iov[i].iov_len;
    }
  size_t length = take_number (input, 3);
  message->msg_len = (unsigned)(truncating || length < room ? length : room);
  header->msg_flags = length > room ? MSG_TRUNC : 0;
  header->msg_namelen = (socklen_t)take_number (input, 1) % 129;
  take_bytes (input, header->msg_name, header->msg_namelen);
  if (take_number (input, 1) & 1)
    {
      int size = (int)take_number (input, 2);
      struct cmsghdr control = { CMSG_LEN (sizeof size), IPPROTO_UDP, UDP_GRO };
      memcpy (header->msg_control, &control, sizeof control);
      memcpy ((char *)header->msg_control + CMSG_LEN (0), &size, sizeof size);
      header->msg_controllen = CMSG_SPACE (sizeof size);
    }
  else
    header->msg_controllen
        = take_bytes (input, header->msg_control,
                      take_number (input, 1) % (header->msg_controllen + 1));
}

static long
refuse (void)
{
  static const int errors[]
      = { EAGAIN, EINTR, ENOMEM, ENOBUFS, EMSGSIZE, EINVAL, EIO, ECONNREFUSED };
  errno = errors[take_number (input, 1) % (sizeof errors / sizeof *errors)];
  /* An input that has ended interrupts no more, or the retries would not.  */
  if (errno == EINTR && input->left == 0)
    errno = EAGAIN;
  return -1;
}

static long
receive (struct mmsghdr *messages, unsigned count, int flags)
{
  unsigned n = (unsigned)take_number (input, 1) % (count + 1);
  if (n == 0)
    return refuse ();
  for (unsigned i = 0; i < n; i++)
    receive_one (&messages[i], (flags & MSG_TRUNC) != 0);
  return n;
}

static size_t
total (const struct msghdr *header)
{
  size_t length = 0;
  for (size_t i = 0; i < header->msg_iovlen; i++)
    {
      require (
          within (header->msg_iov[i].iov_base, header->msg_iov[i].iov_len));
      length += header->msg_iov[i].iov_len;
    }
  return length;
}

/* One header stands for the datagrams from SENT_AT on, as many as its bytes
   make up, each where and as long as the batch says.  */
static void
send_one (const struct msghdr *header)
{
  size_t count, length = total (header), slice = 0, offset = 0, seen = 0;
  const struct skp_datagram *datagrams = skp_batch_datagrams (batch, &count);
  do
    {
      require (sent_at < count);
      const struct skp_datagram *next = &datagrams[sent_at++];
      if (offset == header->msg_iov[slice].iov_len && next->length > 0)
        slice++, offset = 0;
      require (slice < header->msg_iovlen);
      require ((unsigned char *)header->msg_iov[slice].iov_base + offset
               == skp_batch_bytes (batch) + next->start);
      offset += next->length;
      require (offset <= header->msg_iov[slice].iov_len);
      require (header->msg_namelen
               == skp_batch_address (batch, sent_at - 1)->length);
      seen += next->length;
    }
  while (seen < length);
}

static long
send_some (const struct mmsghdr *messages, unsigned count)
{
  require (count > 0);
  unsigned n = (unsigned)take_number (input, 1) % (count + 1);
  if (n == 0)
    return refuse ();
  for (unsigned i = 0; i < n; i++)
    send_one (&messages[i].msg_hdr);
  return n;
}

long __real_syscall (long number, long a, long b, long c, long d, long e,
                     long f);
long __wrap_syscall (long number, long a, long b, long c, long d, long e,
                     long f);
int __wrap_setsockopt (int fd, int level, int number, const void *value,
                       socklen_t length);
int __wrap_getsockopt (int fd, int level, int number, void *value,
                       socklen_t *length);
int __wrap_close (int fd);

/* The sanitizers' own code calls it too on machines of 32 bits, before what
   they have put into functions may run.  */
__attribute__ ((no_sanitize ("address", "undefined"))) long
__wrap_syscall (long number, long a, long b, long c, long d, long e, long f)
{
  if (number != SYS_recvmmsg && number != SYS_sendmmsg)
    return __real_syscall (number, a, b, c, d, e, f);
  /* An int that is passed as one of varying arguments leaves the rest open.  */
  require ((int)a == SOCKET);
  if (number == SYS_recvmmsg)
    return receive ((struct mmsghdr *)b, (unsigned)c, (int)d);
  return send_some ((struct mmsghdr *)b, (unsigned)c);
}

int
__wrap_setsockopt (int fd, int level, int number, const void *value,
                   socklen_t length)
{
  (void)fd, (void)level, (void)number, (void)value, (void)length;
  errno = ENOPROTOOPT;
  return take_number (input, 1) & 1 ? -1 : 0;
}

int
__wrap_getsockopt (int fd, int level, int number, void *value,
                   socklen_t *length)
{
  (void)fd, (void)level, (void)number;
  memset (value, 0, *length);
  errno = ENOPROTOOPT;
  return take_number (input, 1) & 1 ? -1 : 0;
}

/* The descriptors in invented control data are nobody's.  */
int
__wrap_close (int fd)
{
  (void)fd;
  return 0;
}

/* Those from FROM on, which are the ones that a step has changed: looking at
   all of them after each would cost more than the rest.  */
static void
check_datagrams (size_t from)
{
  size_t count;
  const struct skp_datagram *datagrams = skp_batch_datagrams (batch, &count);
  for (size_t i = from; i < count; i++)
    {
      require (within (skp_batch_bytes (batch) + datagrams[i].start,
                       datagrams[i].length));
      require (skp_batch_address (batch, i)->length
               <= sizeof (struct sockaddr_storage));
      require (i == 0
               || datagrams[i].start
                      >= datagrams[i - 1].start + datagrams[i - 1].length);
    }
}

static void
send_batch (void)
{
  size_t count, before;
  int error = 1;
  skp_batch_datagrams (batch, &count);
  before = sent_at = take_number (input, 1) % (count + 1);
  int n = skp_batch_send (batch, SOCKET, sent_at, 0, &error);
  require (n >= 0 && before + (size_t)n == sent_at);
  require (error == 0 ? sent_at == count : sent_at < count && error < 0);
}

static void
step (size_t size)
{
  uint8_t bytes[600];
  struct skp_address to = { .length = (socklen_t)take_number (input, 1) % 129 };
  size_t length = take_number (input, 2) % sizeof bytes, from;
  memset (bytes, (int)length, sizeof bytes);
  skp_batch_datagrams (batch, &from);
  switch (take_number (input, 1) % 6)
    {
    case 0:
      from = 0;
      skp_batch_recv (batch, SOCKET,
                      take_number (input, 1) & 1 ? MSG_TRUNC : 0);
      break;
    case 1:
      skp_batch_add (batch, bytes, length, to.length ? &to : NULL);
      break;
    case 2:
      skp_batch_add_segments (batch, bytes, length, take_number (input, 1),
                              to.length ? &to : NULL);
      break;
    case 3:
      from = take_number (input, 1);
      skp_batch_resize (batch, from, length % (size + 2));
      break;
    case 4:
      send_batch ();
      break;
    default:
      skp_batch_clear (batch);
    }
  check_datagrams (from);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct input all = { data, size };
  input = &all;
  size_t slots = 1 + take_number (input, 1) % 4;
  size_t room = 1 + take_number (input, 2) % 512;
  int offload = (int)take_number (input, 1) & 1;
  /* Zeros at each start would cost more than all the rest.  */
  static unsigned char bytes[4 * 65536];
  memory = skp_batch_memory (slots, room, offload);
  require (memory <= sizeof bytes);
  require (skp_batch_open (&batch, slots, room, offload, bytes) == 0);
  while (input->left > 0)
    step (room);
  skp_batch_close (batch);
  return 0;
}
