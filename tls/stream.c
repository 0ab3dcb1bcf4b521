/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What a session carries once it is established.

   GnuTLS, when a record did not go and it is called again with other bytes,
   sends the old record and forgets the new bytes.  So a record that it has
   taken counts as written, and goes before anything else.  */

#include "internal.h"
#include "step.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST 16384

int
skp__tls_later (struct skp_tls *tls, int *events)
{
  *events = tls->below                                   ? tls->awaited
            : gnutls_record_get_direction (tls->session) ? POLLOUT
                                                         : POLLIN;
  skp__tls_rest (tls);
  return -EAGAIN;
}

/* CODE, or what it is when the connection was cut within a record: GnuTLS says
   that it is too short.  */
static int
named (struct skp_tls *tls, int code)
{
  return tls->cut && code == GNUTLS_E_UNEXPECTED_PACKET_LENGTH
             ? GNUTLS_E_PREMATURE_TERMINATION
             : code;
}

int
skp__tls_error_of (struct skp_tls *tls, int code)
{
  tls->code = tls->socket_error ? 0 : code;
  /* GnuTLS takes some of them for an end.  */
  if (tls->socket_error)
    return -tls->socket_error;
  if (code == GNUTLS_E_CERTIFICATE_ERROR && tls->reasons)
    for (int i = 0;; i++)
      if (tls->reasons & (1U << i))
        return -(SKP_TLS_EXPIRED + i);
  return skp__tls_error (code);
}

/* Did CODE come from the peer or the socket, so that there is nobody to tell?
 */
static int
came_from_there (int code)
{
  return code == GNUTLS_E_FATAL_ALERT_RECEIVED || code == GNUTLS_E_PULL_ERROR
         || code == GNUTLS_E_PUSH_ERROR
         || code == GNUTLS_E_PREMATURE_TERMINATION;
}

int
skp__tls_fail (struct skp_tls *tls, int code)
{
  code = named (tls, code);
  tls->failed = skp__tls_error_of (tls, code);
  if (code == GNUTLS_E_FATAL_ALERT_RECEIVED)
    tls->alert = (int)gnutls_alert_get (tls->session);
  else if (!came_from_there (code))
    skp__tls_refuse (tls, code, tls->failed);
  return tls->failed;
}

/* Sending.  */

static int
flush (struct skp_tls *tls, int *events)
{
  if (tls->failed || tls->write_failed)
    return tls->failed ? tls->failed : tls->write_failed;
  while (tls->pending)
    {
      skp__tls_begin (tls);
      ssize_t n = gnutls_record_send (tls->session, NULL, 0);
      if (n == GNUTLS_E_AGAIN && tls->blocked)
        {
          *events = POLLOUT;
          return -EAGAIN;
        }
      if (n < 0 && n != GNUTLS_E_INTERRUPTED && n != GNUTLS_E_AGAIN)
        return tls->write_failed = skp__tls_error_of (tls, (int)n);
      if (n >= 0)
        tls->pending = 0;
    }
  return tls->below ? skp_tls_flush (tls->below, events) : 0;
}

static ssize_t
write_some (struct skp_tls *tls, const void *buffer, size_t size, int *events)
{
  if (!tls->established)
    return tls->failed ? tls->failed : -ENOTCONN;
  if (tls->ending)
    return -EPIPE;
  int error = flush (tls, events);
  if (error < 0 || size == 0)
    return error;
  size_t most = gnutls_record_get_max_size (tls->session);
  most = most < LARGEST ? most : LARGEST;
  size = size < most ? size : most;
  skp__tls_begin (tls);
  ssize_t n = gnutls_record_send (tls->session, buffer, size);
  if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
    {
      tls->pending = 1;
      return (ssize_t)size;
    }
  if (n < 0 && tls->socket_error)
    return tls->write_failed = skp__tls_error_of (tls, (int)n);
  /* GnuTLS sends no more once it has seen a cut.  */
  if (n == GNUTLS_E_INVALID_SESSION && tls->read_failed)
    return tls->write_failed = tls->read_failed;
  return n < 0 ? skp__tls_fail (tls, (int)n) : n;
}

ssize_t
skp_tls_write (struct skp_tls *tls, const void *buffer, size_t size,
               int *events)
{
  pthread_mutex_lock (&tls->lock);
  ssize_t n = write_some (tls, buffer, size, events);
  pthread_mutex_unlock (&tls->lock);
  return n;
}

int
skp_tls_flush (struct skp_tls *tls, int *events)
{
  pthread_mutex_lock (&tls->lock);
  int result = flush (tls, events);
  pthread_mutex_unlock (&tls->lock);
  return result;
}

static int
end (struct skp_tls *tls, int *events)
{
  if (!tls->established)
    return tls->failed ? tls->failed : -ENOTCONN;
  int result = flush (tls, events);
  if (result < 0 || tls->ending == 2)
    return result;
  tls->ending = 1;
  int code;
  skp__tls_begin (tls);
  do
    code = gnutls_bye (tls->session, GNUTLS_SHUT_WR);
  while ((code == GNUTLS_E_AGAIN && !tls->blocked)
         || code == GNUTLS_E_INTERRUPTED);
  if (code == GNUTLS_E_AGAIN)
    {
      *events = POLLOUT;
      return -EAGAIN;
    }
  tls->ending = 2;
  return code < 0 ? skp__tls_error_of (tls, code) : flush (tls, events);
}

int
skp_tls_end (struct skp_tls *tls, int *events)
{
  pthread_mutex_lock (&tls->lock);
  int result = end (tls, events);
  pthread_mutex_unlock (&tls->lock);
  return result;
}

/* Receiving.  */

/* What ends reading alone: the peer may still take what is written.  */
static int
read_fail (struct skp_tls *tls, int code)
{
  code = named (tls, code);
  if (code == GNUTLS_E_PREMATURE_TERMINATION || code == GNUTLS_E_PULL_ERROR)
    return tls->read_failed = skp__tls_error_of (tls, code);
  return tls->read_failed = skp__tls_fail (tls, code);
}

#define MOST_REFUSALS 16

/* The peer wants to begin anew (TLS 1.2), which is never done.  It may go on
   without, but not ask for ever.  */
static int
refuse_renegotiation (struct skp_tls *tls, int *events)
{
  if (tls->refusals++ == MOST_REFUSALS)
    return read_fail (tls, GNUTLS_E_REHANDSHAKE);
  int result = flush (tls, events);
  if (result < 0)
    return result;
  int code = gnutls_alert_send (tls->session, GNUTLS_AL_WARNING,
                                GNUTLS_A_NO_RENEGOTIATION);
  if (code == GNUTLS_E_AGAIN)
    tls->pending = 1;
  return 0;
}

/* So many records of TLS itself, tickets say, may come one behind the other:
   who sends nothing else would keep the thread that reads here for ever.  */
#define MOST_OTHERS 64

/* The bytes of a record, or those for which BUFFER has room.  */
static ssize_t
receive (struct skp_tls *tls, void *buffer, size_t size, int *events)
{
  for (int warnings = 0, others = 0;;)
    {
      skp__tls_begin (tls);
      ssize_t n = gnutls_record_recv (tls->session, buffer, size);
      if (n > 0)
        {
          if (!tls->saved)
            skp__tls_save (tls);
          return n;
        }
      if (n == 0)
        {
          tls->ended = 1;
          return 0;
        }
      /* A record that is for TLS itself is answered in the same way.  */
      if (n == GNUTLS_E_AGAIN && !tls->blocked && others++ < MOST_OTHERS)
        continue;
      if (n == GNUTLS_E_AGAIN && !tls->blocked)
        return read_fail (tls, GNUTLS_E_TOO_MANY_HANDSHAKE_PACKETS);
      if (n == GNUTLS_E_AGAIN)
        return skp__tls_later (tls, events);
      if (n == GNUTLS_E_REHANDSHAKE)
        {
          int result = refuse_renegotiation (tls, events);
          if (result < 0)
            return result;
        }
      else if (gnutls_error_is_fatal ((int)n) || warnings++ == MOST_WARNINGS)
        return read_fail (tls, (int)n);
    }
}

static ssize_t
take_kept (struct skp_tls *tls, void *buffer, size_t size)
{
  size_t left = tls->kept_end - tls->kept_at;
  size = size < left ? size : left;
  memcpy (buffer, tls->kept + tls->kept_at, size);
  tls->kept_at += size;
  if (size == left)
    {
      free (tls->kept);
      tls->kept = NULL;
    }
  return (ssize_t)size;
}

/* 1 if a record may be asked for, else what to answer.  */
static int
readable (struct skp_tls *tls)
{
  if (!tls->established)
    return tls->failed ? tls->failed : -ENOTCONN;
  if (tls->ended)
    return 0;
  if (tls->read_failed || tls->failed)
    return tls->read_failed ? tls->read_failed : tls->failed;
  int events;
  if (tls->pending)
    flush (tls, &events);
  return 1;
}

static ssize_t
read_some (struct skp_tls *tls, void *buffer, size_t size, int *events)
{
  if (tls->kept)
    return take_kept (tls, buffer, size);
  int may = readable (tls);
  if (may <= 0 || size == 0)
    return may < 0 ? may : 0;
  return receive (tls, buffer, size, events);
}

ssize_t
skp_tls_read (struct skp_tls *tls, void *buffer, size_t size, int *events)
{
  pthread_mutex_lock (&tls->lock);
  ssize_t n = read_some (tls, buffer, size, events);
  pthread_mutex_unlock (&tls->lock);
  return n;
}

/* Not gnutls_record_recv_packet, which loses memory when the peer wants to
   begin anew.  */
static ssize_t
keep (struct skp_tls *tls, int *events)
{
  int may = readable (tls);
  if (may <= 0)
    return may;
  unsigned char *room = malloc (LARGEST);
  if (!room)
    return -ENOMEM;
  ssize_t n = receive (tls, room, LARGEST, events);
  if (n <= 0)
    {
      free (room);
      return n;
    }
  tls->kept = room;
  tls->kept_at = 0;
  tls->kept_end = (size_t)n;
  return n;
}

/* What ends reading can be read at once, too.  */
static ssize_t
pending (struct skp_tls *tls, int *events)
{
  ssize_t n = tls->kept ? (ssize_t)(tls->kept_end - tls->kept_at)
                        : keep (tls, events);
  return n > 0 || n == -EAGAIN ? n : 1;
}

ssize_t
skp_tls_pending (struct skp_tls *tls, int *events)
{
  pthread_mutex_lock (&tls->lock);
  ssize_t n = pending (tls, events);
  pthread_mutex_unlock (&tls->lock);
  return n;
}
