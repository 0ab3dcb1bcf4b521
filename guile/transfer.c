/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* recv!, send, recvfrom! and sendto.  The primitives try once:

     #f   nothing was done, the call would have to wait;
     n    n bytes were moved;
     -n   n bytes of a stream were moved, and a blocking call would go on.

   The C functions do the same until it is done.  */

#include "complete.h"

#include <errno.h>
#include <poll.h>
#include <sockport/guile.h>
#include <sockport/socket.h>
#include <sockport/transfer.h>

/* One transfer, its arguments converted.  TO and FROM are NULL for send and
   recv!.  */
struct transfer
{
  const char *who;
  SCM sock, buffer;
  struct scm_skp__slice slice;
  int flags;
  int instant;   /* it never waits */
  size_t target; /* bytes that it waits for */
  const struct skp_address *to;
  struct skp_address *from;
};

static inline ssize_t
receive_now (struct transfer *t, size_t moved)
{
  int fd = scm_skp__fd (t->sock, 1, t->who);
  char *bytes = t->slice.bytes + moved;
  size_t size = t->slice.size - moved;
  t->target = scm_skp__receive_target (t->sock, t->flags, t->slice.size);
  return t->from ? skp_transfer_recvfrom (fd, bytes, size, t->flags, t->from)
                 : skp_transfer_recv (fd, bytes, size, t->flags);
}

static inline ssize_t
send_now (struct transfer *t, size_t moved)
{
  int fd = scm_skp__fd (t->sock, 1, t->who);
  const char *bytes = t->slice.bytes + moved;
  size_t size = t->slice.size - moved;
  return t->to ? skp_transfer_sendto (fd, bytes, size, t->flags, t->to)
               : skp_transfer_send (fd, bytes, size, t->flags);
}

/* Would a blocking call go on after N bytes?  */
static int
receive_unfinished (const struct transfer *t, size_t n)
{
  return n < t->target;
}

/* The answer of a primitive for the result N of one call.  */
static inline SCM
answer (const struct transfer *t, ssize_t n, int unfinished)
{
  if (n >= 0)
    {
      if (unfinished && scm_skp__is_stream (t->sock))
        n = -n;
      return SCM_I_MAKINUM (n);
    }
  SCM later = scm_skp__later (n, t->flags, t->instant);
  if (!SCM_UNBNDP (later))
    return later;
  scm_skp__error_at (n, t->who, SCM_FPORT_FDES (t->sock), t->to);
}

static inline SCM
receive_try (struct transfer *t)
{
  if (!t->instant && scm_skp__turn_over ())
    return SCM_BOOL_F;
  ssize_t n = receive_now (t, 0);
  scm_remember_upto_here_2 (t->sock, t->buffer);
  if (n > 0 && !SCM_BYTEVECTOR_P (t->buffer))
    scm_skp__in_done (&t->slice, t->buffer, (size_t)n);
  return answer (t, n, n > 0 && receive_unfinished (t, (size_t)n));
}

static inline SCM
send_try (struct transfer *t)
{
  if (!t->instant && scm_skp__turn_over ())
    return SCM_BOOL_F;
  ssize_t n = send_now (t, 0);
  scm_remember_upto_here_2 (t->sock, t->buffer);
  return answer (t, n, n > 0 && (size_t)n < t->slice.size);
}

/* Go on until all is moved, EOF or an error.  What was moved before an error is
   answered; the next call meets the error.  */
static ssize_t
complete (struct transfer *t, ssize_t (*now) (struct transfer *, size_t),
          int (*unfinished) (const struct transfer *, size_t), int events)
{
  size_t moved = 0;
  int64_t deadline_ns = 0;
  for (int stalls = 0, looks = 0;; stalls++)
    {
      ssize_t n = now (t, t->flags & MSG_PEEK ? 0 : moved);
      if (scm_skp__must_wait (t->sock, n, t->flags, t->instant, t->who))
        {
          if (!scm_skp__complete_wait (
                  t->sock, t->who, scm_skp__waited (events, t->flags, moved),
                  moved, stalls, &deadline_ns))
            return (ssize_t)moved;
          continue;
        }
      if (n <= 0)
        return moved > 0 ? (ssize_t)moved : n;
      moved = t->flags & MSG_PEEK ? (size_t)n : moved + (size_t)n;
      if (!unfinished (t, moved) || !scm_skp__is_stream (t->sock))
        return (ssize_t)moved;
      stalls = -1;
      /* Nothing tells that there is more than has been looked at.  */
      if (t->flags & MSG_PEEK
          && !scm_skp__complete_wait (t->sock, t->who, 0, moved, ++looks,
                                      &deadline_ns))
        return (ssize_t)moved;
    }
}

static int
send_unfinished (const struct transfer *t, size_t n)
{
  return n < t->slice.size;
}

static SCM
receive_all (struct transfer *t)
{
  ssize_t n = complete (t, receive_now, receive_unfinished, POLLIN);
  if (n < 0)
    scm_skp__error_at (n, t->who, SCM_FPORT_FDES (t->sock), NULL);
  scm_skp__in_done (&t->slice, t->buffer, (size_t)n);
  return SCM_I_MAKINUM (n);
}

static SCM
send_all (struct transfer *t)
{
  ssize_t n = complete (t, send_now, send_unfinished, POLLOUT);
  if (n < 0)
    scm_skp__error_at (n, t->who, SCM_FPORT_FDES (t->sock), t->to);
  return SCM_I_MAKINUM (n);
}

static inline void
receive_begin (struct transfer *t, const char *who, SCM sock, SCM buffer,
               SCM flags, SCM start, SCM end)
{
  *t = (struct transfer){ .who = who, .sock = sock, .buffer = buffer };
  scm_skp__fd (sock, 1, who);
  t->flags = scm_skp__flags (flags, 0, 3, who);
  t->instant = t->flags & SCM_SKP__RECEIVE_INSTANT;
  scm_skp__in_slice (&t->slice, buffer, start, end, 2, 4, who);
  if (t->flags & MSG_TRUNC)
    scm_skp__in_keep (&t->slice, buffer);
}

static inline void
send_begin (struct transfer *t, SCM sock, SCM message, SCM flags, SCM start,
            SCM end)
{
  *t = (struct transfer){ .who = "send", .sock = sock, .buffer = message };
  scm_skp__fd (sock, 1, t->who);
  t->flags = scm_skp__flags (flags, 0, 3, t->who);
  t->instant = t->flags & MSG_DONTWAIT;
  scm_skp__out_slice (&t->slice, message, start, end, 2, 4, t->who);
}

/* [flags [start [end]]] at the end of sendto's arguments.  */
static void
sendto_begin (struct transfer *t, struct skp_address *to, SCM sock, SCM message,
              SCM fam, SCM first, SCM left)
{
  SCM rest[3] = { SCM_UNDEFINED, SCM_UNDEFINED, SCM_UNDEFINED };
  int count = 0;

  *t = (struct transfer){ .who = "sendto", .sock = sock, .buffer = message };
  scm_skp__fd (sock, 1, t->who);
  int pos = 4 + scm_skp__address_args (to, fam, &first, &left, 3, t->who);
  if (!SCM_UNBNDP (first))
    rest[count++] = first;
  for (; scm_is_pair (left) && count < 3; left = SCM_CDR (left))
    rest[count++] = SCM_CAR (left);
  if (!scm_is_null (left))
    scm_error_num_args_subr (t->who);
  t->flags = scm_skp__flags (rest[0], 0, pos, t->who);
  t->instant = t->flags & MSG_DONTWAIT;
  t->to = to;
  scm_skp__out_slice (&t->slice, message, rest[1], rest[2], 2, pos + 1, t->who);
}

static inline SCM
recv_once (const char *who, SCM sock, SCM buf, SCM flags, SCM start, SCM end)
{
  struct transfer t;
  receive_begin (&t, who, sock, buf, flags, start, end);
  if (t.flags)
    return receive_try (&t);
  int fd = SCM_FPORT_FDES (sock);
  if (scm_skp__drained (fd))
    {
      scm_skp__wanted = t.slice.bytes;
      return SCM_BOOL_F;
    }
  SCM n = receive_try (&t);
  if (SCM_I_INUMP (n) && SCM_I_INUM (n) > 0
      && (size_t)SCM_I_INUM (n) < t.slice.size)
    scm_skp__note_drained (fd);
  return n;
}

static SCM
recv_into_try (SCM sock, SCM buf, SCM flags, SCM start, SCM end)
{
  return recv_once ("recv!", sock, buf, flags, start, end);
}

static SCM
recv_try (SCM sock, SCM buf, SCM flags, SCM start, SCM end)
{
  return recv_once ("recv", sock, buf, flags, start, end);
}

/* The result goes into PAIR, which is new and may hold a spare address.  */
static inline SCM
recvfrom_once (const char *who, SCM pair, SCM sock, SCM buf, SCM flags,
               SCM start, SCM end)
{
  struct transfer t;
  struct skp_address from;
  receive_begin (&t, who, sock, buf, flags, start, end);
  t.from = &from;
  SCM n = receive_try (&t);
  if (scm_is_false (n))
    return n;
  SCM_SETCAR (pair, n);
  SCM_SETCDR (pair, scm_skp__address_into (SCM_CDR (pair), &from));
  return pair;
}

static SCM
recvfrom_into_try (SCM pair, SCM sock, SCM buf, SCM flags, SCM start, SCM end)
{
  return recvfrom_once ("recvfrom!", pair, sock, buf, flags, start, end);
}

static SCM
recvfrom_try (SCM pair, SCM sock, SCM buf, SCM flags, SCM start, SCM end)
{
  return recvfrom_once ("recvfrom", pair, sock, buf, flags, start, end);
}

static SCM
send_once (SCM sock, SCM message, SCM flags, SCM start, SCM end)
{
  struct transfer t;
  send_begin (&t, sock, message, flags, start, end);
  return send_try (&t);
}

/* MOVED bytes of the message have gone already.  */
static SCM
sendto_try (SCM moved, SCM sock, SCM message, SCM fam, SCM address, SCM args)
{
  struct transfer t;
  struct skp_address to;
  sendto_begin (&t, &to, sock, message, fam, address, args);
  size_t gone
      = (size_t)scm_skp__integer (moved, 0, (int64_t)t.slice.size, 2, "sendto");
  t.slice.bytes += gone;
  t.slice.size -= gone;
  return send_try (&t);
}

SCM
scm_skp_recv (SCM sock, SCM buf, SCM flags)
{
  struct transfer t;
  receive_begin (&t, "recv!", sock, buf, flags, SCM_UNDEFINED, SCM_UNDEFINED);
  return receive_all (&t);
}

SCM
scm_skp_recvfrom (SCM sock, SCM buf, SCM flags, SCM start, SCM end)
{
  struct transfer t;
  struct skp_address from;
  receive_begin (&t, "recvfrom!", sock, buf, flags, start, end);
  t.from = &from;
  SCM n = receive_all (&t);
  return scm_cons (n, scm_skp__address_from (&from));
}

SCM
scm_skp_send (SCM sock, SCM message, SCM flags)
{
  struct transfer t;
  send_begin (&t, sock, message, flags, SCM_UNDEFINED, SCM_UNDEFINED);
  return send_all (&t);
}

SCM
scm_skp_sendto (SCM sock, SCM message, SCM fam, SCM address, SCM args_and_flags)
{
  struct transfer t;
  struct skp_address to;
  SCM rest = SCM_UNBNDP (args_and_flags) ? SCM_EOL : args_and_flags;
  sendto_begin (&t, &to, sock, message, fam, address, rest);
  return send_all (&t);
}

/* Is what comes next the byte that was sent as urgent?  */
static SCM
at_mark (SCM sock)
{
  static const char who[] = "sockatmark";
  int result = skp_transfer_at_mark (scm_skp__fd (sock, 1, who));
  if (result < 0)
    scm_skp__error (result, who);
  return scm_from_bool (result);
}

void
scm_skp__init_transfer (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%recv!", 2, 3, 0, recv_into_try },
    { "%recv", 2, 3, 0, recv_try },
    { "%send", 2, 3, 0, send_once },
    { "%recvfrom!", 3, 3, 0, recvfrom_into_try },
    { "%recvfrom", 3, 3, 0, recvfrom_try },
    { "%sendto", 4, 1, 1, sendto_try },
    { "sockatmark", 1, 0, 0, at_mark },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
