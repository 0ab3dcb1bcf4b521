/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Messages.  The kernel refuses more than IOV_MAX slices; the second half of
   this file does what is needed beyond that.  */

#include <sockport/message.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "os.h"

#define SLICES_MAX 1024 /* UIO_MAXIOV of the kernel, whatever sysconf says */

static ssize_t
send_slices (int fd, const struct skp_message *message,
             const struct iovec *slices, size_t count, int flags)
{
  struct msghdr header = { .msg_iov = (struct iovec *)slices,
                           .msg_iovlen = count,
                           .msg_control = message->control,
                           .msg_controllen = message->control_length };
  if (message->address)
    {
      header.msg_name = &message->address->storage;
      header.msg_namelen = message->address->length;
    }
  return skp__sendmsg (fd, &header, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
}

static ssize_t
recv_slices (int fd, struct skp_message *message, const struct iovec *slices,
             size_t count, int flags)
{
  struct msghdr header = { .msg_iov = (struct iovec *)slices,
                           .msg_iovlen = count,
                           .msg_control = message->control,
                           .msg_controllen = message->control_length };
  if (message->address)
    {
      header.msg_name = &message->address->storage;
      header.msg_namelen = sizeof message->address->storage;
    }
  ssize_t n
      = skp__recvmsg (fd, &header, flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0)
    return n;
  if (message->address)
    message->address->length = header.msg_namelen;
  message->control_length = header.msg_controllen;
  message->flags = header.msg_flags & ~MSG_CMSG_CLOEXEC; /* our own */
  return n;
}

/* What the kernel is given instead of too many slices: those that are not
   empty, as many as it takes, the last one standing for TAIL.  */
struct window
{
  struct iovec slices[SLICES_MAX];
  size_t count;
  size_t size; /* bytes in SLICES */
  size_t next; /* index of the first slice not in SLICES */
  char *tail;  /* memory for the slices from TAIL_FROM on, or NULL */
  size_t tail_from;
};

static void
window_fill (struct window *window, const struct skp_message *message,
             size_t from, size_t most)
{
  size_t i = from;
  window->count = window->size = 0;
  window->tail = NULL;
  for (; i < message->count && window->count < most; i++)
    if (message->slices[i].iov_len > 0)
      {
        window->size += message->slices[i].iov_len;
        window->slices[window->count++] = message->slices[i];
      }
  window->next = window->tail_from = i;
}

/* Put the slices that are left behind one, in the heap.  */
static int
window_join (struct window *window, const struct skp_message *message)
{
  size_t size = 0;
  for (size_t i = window->tail_from; i < message->count; i++)
    if (__builtin_add_overflow (size, message->slices[i].iov_len, &size)
        || size > INT_MAX)
      return -EMSGSIZE;
  if (size == 0)
    return 0;
  window->tail = malloc (size);
  if (!window->tail)
    return -ENOMEM;
  window->slices[window->count++] = (struct iovec){ window->tail, size };
  return 0;
}

static void
tail_gather (struct window *window, const struct skp_message *message)
{
  char *at = window->tail;
  for (size_t i = window->tail_from; at && i < message->count; i++)
    at = mempcpy (at, message->slices[i].iov_base, message->slices[i].iov_len);
}

static void
tail_scatter (const struct window *window, const struct skp_message *message,
              size_t received)
{
  const char *at = window->tail;
  size_t rest = received > window->size ? received - window->size : 0;
  for (size_t i = window->tail_from; at && rest > 0 && i < message->count; i++)
    {
      size_t size = message->slices[i].iov_len;
      if (size > rest)
        size = rest;
      memcpy (message->slices[i].iov_base, at, size);
      at += size;
      rest -= size;
    }
}

/* Is the socket's OPTION, SO_TYPE or SO_DOMAIN, EXPECTED?  */
static int
is (int fd, int option, int expected)
{
  int value;
  socklen_t length = sizeof value;
  int err = SKP__CALL (getsockopt (fd, SOL_SOCKET, option, &value, &length));
  return err < 0 ? err : value == expected;
}

static int
is_stream (int fd)
{
  return is (fd, SO_TYPE, SOCK_STREAM);
}

static ssize_t
send_stream (int fd, const struct skp_message *message, int flags)
{
  struct skp_message rest = *message;
  struct window window;
  size_t sent = 0;

  for (size_t from = 0; from < message->count; from = window.next)
    {
      window_fill (&window, message, from, SLICES_MAX);
      ssize_t n = send_slices (fd, &rest, window.slices, window.count, flags);
      if (n < 0)
        return sent ? (ssize_t)sent : n;
      sent += (size_t)n;
      if ((size_t)n < window.size)
        break;
      rest.control = NULL;
      rest.control_length = 0;
    }
  return (ssize_t)sent;
}

static ssize_t
send_whole (int fd, const struct skp_message *message, int flags)
{
  struct window window;
  window_fill (&window, message, 0, SLICES_MAX - 1);
  ssize_t n = window_join (&window, message);
  if (n < 0)
    return n;
  tail_gather (&window, message);
  n = send_slices (fd, message, window.slices, window.count, flags);
  free (window.tail);
  return n;
}

/* The Internet's sockets take no notice of descriptors and credentials. Netlink
   takes credentials, and refuses descriptors itself.  */
static int
control_unnoticed (int fd, const struct skp_message *message)
{
  struct skp_control_item item;
  size_t at = 0;

  while (
      skp_control_next (message->control, message->control_length, &at, &item)
      > 0)
    if (item.level == SOL_SOCKET
        && (item.type == SCM_RIGHTS || item.type == SCM_CREDENTIALS))
      return !is (fd, SO_DOMAIN, AF_UNIX) && !is (fd, SO_DOMAIN, AF_NETLINK);
  return 0;
}

/* A stream of the kernel's loses control messages that no byte carries.  */
static int
control_refused (int fd, const struct skp_message *message)
{
  int err = skp_control_check (message->control, message->control_length);
  size_t i = 0;

  if (err < 0 || message->control_length == 0)
    return err;
  if (control_unnoticed (fd, message))
    return -EOPNOTSUPP;
  while (i < message->count && message->slices[i].iov_len == 0)
    i++;
  if (i < message->count)
    return 0;
  int stream = is_stream (fd);
  return stream > 0 ? -EINVAL : stream;
}

ssize_t
skp_message_send (int fd, const struct skp_message *message, int flags)
{
  int stream = control_refused (fd, message);
  if (stream < 0)
    return stream;
  if (message->count <= SLICES_MAX)
    return send_slices (fd, message, message->slices, message->count, flags);
  stream = is_stream (fd);
  if (stream < 0)
    return stream;
  return stream ? send_stream (fd, message, flags)
                : send_whole (fd, message, flags);
}

/* On a stream the first slices are enough: what does not fit stays queued.  */
static ssize_t
recv_many (int fd, struct skp_message *message, int flags)
{
  struct window window;
  int stream = is_stream (fd);
  if (stream < 0)
    return stream;
  window_fill (&window, message, 0, stream ? SLICES_MAX : SLICES_MAX - 1);
  ssize_t n = stream ? 0 : window_join (&window, message);
  if (n < 0)
    return n;
  n = recv_slices (fd, message, window.slices, window.count, flags);
  if (n > 0)
    tail_scatter (&window, message, (size_t)n);
  free (window.tail);
  return n;
}

ssize_t
skp_message_recv (int fd, struct skp_message *message, int flags)
{
  if (message->count > SLICES_MAX)
    return recv_many (fd, message, flags);
  return recv_slices (fd, message, message->slices, message->count, flags);
}
