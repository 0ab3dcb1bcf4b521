/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How GnuTLS reaches the socket.  It asks for the five bytes of a record's head
   and then for the rest; what is received is more than it asks for, so that a
   record takes one system call.  */

#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sockport/message.h>
#include <sockport/transfer.h>

/* A record of 16 KiB with its head, and what TLS 1.2 puts around it.  */
#define AHEAD 18432

/* What a server says first, with one certificate, and more.  */
#define FLIGHT 2048

/* Receive from, or send to, the socket, or the session in its place.  */

static ssize_t
receive_below (struct skp_tls *tls, void *buffer, size_t size)
{
  return tls->below ? skp_tls_read (tls->below, buffer, size, &tls->awaited)
                    : skp_transfer_recv (tls->fd, buffer, size, 0);
}

static ssize_t
send_below (struct skp_tls *tls, const void *buffer, size_t size)
{
  return tls->below ? skp_tls_write (tls->below, buffer, size, &tls->awaited)
                    : skp_transfer_send (tls->fd, buffer, size, 0);
}

static size_t
waiting (const struct skp_tls *tls)
{
  return tls->ahead_end - tls->ahead_at;
}

static ssize_t
take (struct skp_tls *tls, void *buffer, size_t size)
{
  if (size > waiting (tls))
    size = waiting (tls);
  memcpy (buffer, tls->ahead + tls->ahead_at, size);
  tls->ahead_at += size;
  return (ssize_t)size;
}

/* -1 with the session's errno for N, a negative errno.  */
static ssize_t
fail (struct skp_tls *tls, ssize_t n)
{
  int error = (int)-n;
  if (error == EAGAIN)
    tls->blocked = 1;
  else
    tls->socket_error = error;
  gnutls_transport_set_errno (tls->session, error);
  return -1;
}

static ssize_t
pull (gnutls_transport_ptr_t transport, void *buffer, size_t size)
{
  struct skp_tls *tls = transport;
  if (waiting (tls) > 0)
    return take (tls, buffer, size);
  /* The peer does not answer what it has not been sent.  */
  if (tls->flight_at < tls->flight_end)
    return fail (tls, -EAGAIN);
  if (size >= AHEAD || (!tls->ahead && !(tls->ahead = malloc (AHEAD))))
    {
      ssize_t n = receive_below (tls, buffer, size);
      tls->cut |= n == 0;
      return n < 0 ? fail (tls, n) : n;
    }
  if (tls->ahead_size == 0)
    tls->ahead_size = AHEAD;
  ssize_t n = receive_below (tls, tls->ahead, tls->ahead_size);
  if (n < 0)
    return fail (tls, n);
  tls->cut |= n == 0;
  tls->ahead_at = 0;
  tls->ahead_end = (size_t)n;
  return take (tls, buffer, size);
}

/* GnuTLS sends each message of a handshake by itself.  Here they are gathered,
   so that a flight of them takes one system call, and few packets.  */
static ssize_t
gather (struct skp_tls *tls, const giovec_t *slices, int count)
{
  size_t size = 0;
  for (int i = 0; i < count; i++)
    size += slices[i].iov_len;
  if (tls->flight_size - tls->flight_end < size)
    {
      size_t room = 2 * (tls->flight_end + size);
      room = room > FLIGHT ? room : FLIGHT;
      unsigned char *larger = realloc (tls->flight, room);
      if (!larger)
        return fail (tls, -ENOMEM);
      tls->flight = larger;
      tls->flight_size = room;
    }
  for (int i = 0; i < count; i++)
    {
      memcpy (tls->flight + tls->flight_end, slices[i].iov_base,
              slices[i].iov_len);
      tls->flight_end += slices[i].iov_len;
    }
  return (ssize_t)size;
}

int
skp__tls_deliver (struct skp_tls *tls)
{
  while (tls->flight_at < tls->flight_end)
    {
      ssize_t n = send_below (tls, tls->flight + tls->flight_at,
                              tls->flight_end - tls->flight_at);
      if (n < 0)
        return (int)n;
      tls->flight_at += (size_t)n;
    }
  free (tls->flight);
  tls->flight = NULL;
  tls->flight_at = tls->flight_end = tls->flight_size = 0;
  return tls->below ? skp_tls_flush (tls->below, &tls->awaited) : 0;
}

/* What BELOW has taken counts, as far as it has: the rest comes once more.  */
static ssize_t
push_below (struct skp_tls *tls, const giovec_t *slices, int count)
{
  size_t taken = 0;
  for (int i = 0; i < count; i++)
    for (size_t at = 0; at < slices[i].iov_len;)
      {
        ssize_t n = send_below (tls, (char *)slices[i].iov_base + at,
                                slices[i].iov_len - at);
        if (n < 0)
          return taken > 0 ? (ssize_t)taken : n;
        at += (size_t)n;
        taken += (size_t)n;
      }
  return (ssize_t)taken;
}

static ssize_t
push (gnutls_transport_ptr_t transport, const giovec_t *slices, int count)
{
  struct skp_tls *tls = transport;
  if (!tls->established)
    return gather (tls, slices, count);
  struct skp_message message = { .slices = slices, .count = (size_t)count };
  ssize_t n = tls->below ? push_below (tls, slices, count)
                         : skp_message_send (tls->fd, &message, 0);
  return n < 0 ? fail (tls, n) : n;
}

/* No call of ours waits, so there is nothing to be timed.  */
static int
pull_ready (gnutls_transport_ptr_t transport, unsigned ms)
{
  (void)transport;
  (void)ms;
  return 1;
}

void
skp__tls_transport (struct skp_tls *tls)
{
  gnutls_transport_set_ptr (tls->session, tls);
  gnutls_transport_set_pull_function (tls->session, pull);
  gnutls_transport_set_pull_timeout_function (tls->session, pull_ready);
  gnutls_transport_set_vec_push_function (tls->session, push);
}

void
skp__tls_rest (struct skp_tls *tls)
{
  if (tls->ahead && waiting (tls) == 0)
    {
      free (tls->ahead);
      tls->ahead = NULL;
      tls->ahead_at = tls->ahead_end = tls->ahead_size = 0;
    }
}

int
skp_tls_feed (struct skp_tls *tls, const void *bytes, size_t size)
{
  int result = 0;
  pthread_mutex_lock (&tls->lock);
  size_t held = waiting (tls);
  size_t room = held + size > AHEAD ? held + size : AHEAD;
  unsigned char *larger = size > 0 ? malloc (room) : NULL;
  if (larger)
    {
      if (held > 0)
        memcpy (larger, tls->ahead + tls->ahead_at, held);
      memcpy (larger + held, bytes, size);
      free (tls->ahead);
      tls->ahead = larger;
      tls->ahead_at = 0;
      tls->ahead_end = held + size;
      tls->ahead_size = room;
    }
  else if (size > 0)
    result = -ENOMEM;
  pthread_mutex_unlock (&tls->lock);
  return result;
}

int
skp_tls_over (struct skp_tls *tls, struct skp_tls *below)
{
  if (tls->below || tls == below)
    return -EINVAL;
  pthread_mutex_lock (&below->lock);
  int result = below->failed        ? below->failed
               : below->established ? 0
                                    : -ENOTCONN;
  pthread_mutex_unlock (&below->lock);
  if (result == 0)
    tls->below = below;
  return result;
}

void
skp_tls_move (struct skp_tls *tls, int fd)
{
  for (; tls; tls = tls->below)
    {
      pthread_mutex_lock (&tls->lock);
      tls->fd = fd;
      pthread_mutex_unlock (&tls->lock);
    }
}

struct skp_tls *
skp_tls_below (struct skp_tls *tls)
{
  return tls->below;
}
