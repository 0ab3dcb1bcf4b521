/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* recv!, send, recvfrom! and sendto.  The primitives try once; the C functions
   do the same until it is done.  */

#include "layer.h"
#include "plain.h"
#include "value.h"
#include "wait.h"

#include <errno.h>
#include <sockport/guile.h>
#include <sockport/socket.h>
#include <sockport/transfer.h>

/* One transfer, its arguments converted.  FROM is NULL for recv!.  */
struct transfer
{
  struct scm_skp__call call;
  SCM buffer;
  struct scm_skp__slice slice;
  struct skp_address *from;
};

static inline ssize_t
receive_now (struct scm_skp__call *call, size_t moved)
{
  struct transfer *t = (struct transfer *)call;
  int fd = scm_skp__fd (call->sock, 1, call->who);
  char *bytes = t->slice.bytes + moved;
  size_t size = t->slice.size - moved;
  call->target = scm_skp__receive_target (call, t->slice.size);
  return t->from ? skp_transfer_recvfrom (fd, bytes, size, call->flags, t->from)
                 : skp_transfer_recv (fd, bytes, size, call->flags);
}

static inline ssize_t
send_now (struct scm_skp__call *call, size_t moved)
{
  struct transfer *t = (struct transfer *)call;
  int fd = scm_skp__fd (call->sock, 1, call->who);
  const char *bytes = t->slice.bytes + moved;
  size_t size = t->slice.size - moved;
  return call->to ? skp_transfer_sendto (fd, bytes, size, call->flags, call->to)
                  : skp_transfer_send (fd, bytes, size, call->flags);
}

static inline SCM
receive_try (struct transfer *t)
{
  if (!t->call.instant && scm_skp__turn_over ())
    return SCM_BOOL_F;
  ssize_t n = receive_now (&t->call, 0);
  scm_remember_upto_here_2 (t->call.sock, t->buffer);
  if (n > 0 && !SCM_BYTEVECTOR_P (t->buffer))
    scm_skp__in_done (&t->slice, t->buffer, (size_t)n);
  return scm_skp__tried (&t->call, n);
}

static inline SCM
send_try (struct transfer *t)
{
  if (!t->call.instant && scm_skp__turn_over ())
    return SCM_BOOL_F;
  ssize_t n = send_now (&t->call, 0);
  scm_remember_upto_here_2 (t->call.sock, t->buffer);
  return scm_skp__tried (&t->call, n);
}

static SCM
receive_all (struct transfer *t)
{
  size_t n = scm_skp__complete (&t->call, receive_now);
  scm_skp__in_done (&t->slice, t->buffer, n);
  return SCM_I_MAKINUM (n);
}

static SCM
send_all (struct transfer *t)
{
  return SCM_I_MAKINUM (scm_skp__complete (&t->call, send_now));
}

static inline void
receive_begin (struct transfer *t, const char *who, SCM sock, SCM buffer,
               SCM flags, SCM start, SCM end)
{
  *t = (struct transfer){ .call
                          = { .who = who, .sock = sock, .events = POLLIN },
                          .buffer = buffer };
  scm_skp__fd (sock, 1, who);
  t->call.flags = scm_skp__flags (flags, 0, 3, who);
  t->call.instant = t->call.flags & SCM_SKP__RECEIVE_INSTANT;
  scm_skp__in_slice (&t->slice, buffer, start, end, 2, 4, who);
  if (t->call.flags & MSG_TRUNC)
    scm_skp__in_keep (&t->slice, buffer);
}

/* FLAGS, START and END are the arguments from POS on.  */
static inline void
send_slice (struct transfer *t, SCM flags, SCM start, SCM end, int pos)
{
  struct scm_skp__call *call = &t->call;
  call->flags = scm_skp__flags (flags, 0, pos, call->who);
  call->instant = call->flags & MSG_DONTWAIT;
  scm_skp__out_slice (&t->slice, t->buffer, start, end, 2, pos + 1, call->who);
  call->target = t->slice.size;
}

static inline void
send_begin (struct transfer *t, SCM sock, SCM message, SCM flags, SCM start,
            SCM end)
{
  *t = (struct transfer){ .call
                          = { .who = "send", .sock = sock, .events = POLLOUT },
                          .buffer = message };
  scm_skp__fd (sock, 1, t->call.who);
  send_slice (t, flags, start, end, 3);
}

/* [flags [start [end]]] at the end of sendto's arguments.  */
static void
sendto_begin (struct transfer *t, struct skp_address *to, SCM sock, SCM message,
              SCM fam, SCM first, SCM left)
{
  static const char who[] = "sendto";
  SCM rest[3] = { SCM_UNDEFINED, SCM_UNDEFINED, SCM_UNDEFINED };
  int count = 0;
  *t = (struct transfer){
    .call = { .who = who, .sock = sock, .events = POLLOUT, .to = to },
    .buffer = message
  };
  scm_skp__fd (sock, 1, who);
  int pos = 4 + scm_skp__address_args (to, fam, &first, &left, 3, who);
  if (!SCM_UNBNDP (first))
    rest[count++] = first;
  for (; scm_is_pair (left) && count < 3; left = SCM_CDR (left))
    rest[count++] = SCM_CAR (left);
  if (!scm_is_null (left))
    scm_error_num_args_subr (who);
  send_slice (t, rest[0], rest[1], rest[2], pos);
}

static SCM
recv_once (const char *who, SCM sock, SCM buf, SCM flags, SCM start, SCM end)
{
  struct transfer t;
  if (scm_skp__layered (sock))
    return scm_skp__layer_receive (who, sock, buf, flags, start, end);
  receive_begin (&t, who, sock, buf, flags, start, end);
  if (t.call.flags)
    return receive_try (&t);
  int fd = SCM_FPORT_FDES (sock);
  if (scm_skp__drained (fd))
    return SCM_BOOL_F;
  SCM n = receive_try (&t);
  if (SCM_I_INUMP (n) && SCM_I_INUM (n) > 0
      && (size_t)SCM_I_INUM (n) < t.slice.size)
    scm_skp__note_drained (fd);
  return n;
}

static SCM
recv_into_try (SCM sock, SCM buf, SCM flags, SCM start, SCM end)
{
  if (!scm_skp__receives_plainly (sock, buf, flags))
    return recv_once ("recv!", sock, buf, flags, start, end);
  return scm_skp__turn.left
             ? scm_skp__receive_in_loop ("recv!", sock, buf)
             : scm_skp__receive_plainly ("recv!", sock, buf, NULL);
}

static SCM
recv_try (SCM sock, SCM buf, SCM flags, SCM start, SCM end)
{
  return recv_once ("recv", sock, buf, flags, start, end);
}

static SCM
receive_from (const char *who, SCM sock, SCM buf, SCM flags, SCM start, SCM end,
              struct skp_address *from)
{
  struct transfer t;
  receive_begin (&t, who, sock, buf, flags, start, end);
  t.from = from;
  return receive_try (&t);
}

/* The result goes into PAIR, which is new and may hold a spare address.  */
static SCM
recvfrom_once (const char *who, SCM pair, SCM sock, SCM buf, SCM flags,
               SCM start, SCM end)
{
  struct skp_address from;
  SCM n = !scm_skp__turn.left && scm_skp__receives_plainly (sock, buf, flags)
              ? scm_skp__receive_plainly (who, sock, buf, &from)
              : receive_from (who, sock, buf, flags, start, end, &from);
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
  if ((SCM_UNBNDP (flags) || scm_is_eq (flags, SCM_INUM0))
      && SCM_OPFPORTP (sock) && SCM_BYTEVECTOR_P (message))
    {
      scm_skp__out_slice (&t.slice, message, start, end, 2, 4, "send");
      return scm_skp__turn_over ()
                 ? SCM_BOOL_F
                 : scm_skp__send_plainly ("send", sock, message, t.slice.bytes,
                                          t.slice.size, NULL);
    }
  if (scm_skp__layered (sock))
    return scm_skp__layer_transmit (sock, message, flags, start, end);
  send_begin (&t, sock, message, flags, start, end);
  return send_try (&t);
}

/* Without what is optional, which costs time.  */
static SCM
recv_whole_try (SCM sock, SCM buf)
{
  return recv_into_try (sock, buf, SCM_UNDEFINED, SCM_UNDEFINED, SCM_UNDEFINED);
}

/* The same for a task that goes on after it has waited for SOCK, or what
   scm_skp__goes_on_with has returned.  */
static SCM
recv_on (SCM sock, SCM buf)
{
  SCM first = scm_skp__goes_on_with (sock);
  return scm_is_true (first) ? first : recv_whole_try (sock, buf);
}

static SCM
recvfrom_whole_try (SCM pair, SCM sock, SCM buf)
{
  return recvfrom_into_try (pair, sock, buf, SCM_UNDEFINED, SCM_UNDEFINED,
                            SCM_UNDEFINED);
}

static SCM
send_whole (SCM sock, SCM message)
{
  return send_once (sock, message, SCM_UNDEFINED, SCM_UNDEFINED, SCM_UNDEFINED);
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
  t.call.target = t.slice.size;
  return send_try (&t);
}

/* Most datagrams go whole to an IPv4 address given as two numbers: for those,
   the family's table costs a third of what the rest of the call does.  */
static SCM
sendto_whole (SCM sock, SCM message, SCM fam, SCM part, SCM port)
{
  struct skp_address to;
  if (scm_skp__turn.left || !SCM_OPFPORTP (sock) || !SCM_BYTEVECTOR_P (message)
      || !scm_skp__address_quick (&to, fam, part, port))
    return sendto_try (SCM_INUM0, sock, message, fam, part, scm_list_1 (port));
  return scm_skp__send_plainly ("sendto", sock, message,
                                SCM_BYTEVECTOR_CONTENTS (message),
                                SCM_BYTEVECTOR_LENGTH (message), &to);
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
    { "%recv-whole!", 2, 0, 0, recv_whole_try },
    { "%recv-on!", 2, 0, 0, recv_on },
    { "%recv", 2, 3, 0, recv_try },
    { "%send", 2, 3, 0, send_once },
    { "%send-whole", 2, 0, 0, send_whole },
    { "%recvfrom!", 3, 3, 0, recvfrom_into_try },
    { "%recvfrom-whole!", 3, 0, 0, recvfrom_whole_try },
    { "%recvfrom", 3, 3, 0, recvfrom_try },
    { "%sendto", 4, 1, 1, sendto_try },
    { "%sendto-whole", 5, 0, 0, sendto_whole },
    { "sockatmark", 1, 0, 0, at_mark },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
