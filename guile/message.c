/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sendmsg and recvmsg!, the latter of which returns a record with the count in
   it. SKIP, the last parameter of the primitives, is how many bytes were moved
   before.  */

#include "message.h"
#include "complete.h"
#include "loop.h"
#include "port.h"
#include "wait.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sockport/guile.h>
#include <sockport/socket.h>

#define CONTROL_DEFAULT 1280  /* 253 descriptors, and a little more */
#define CONTROL_MAX (1 << 20) /* far above what the kernel takes or gives */

static SCM message_type;

static void
make_types (void)
{
  message_type
      = scm_skp__record_type ("message", "length address control flags");
  scm_skp__control_type_make ();
  scm_skp__descriptor_type_make ();
}

/* A C program may call these functions without scm_skp_init.  */
static void
need_types (void)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once (&once, make_types);
}

struct exchange
{
  struct scm_skp__call call;
  SCM buffers;
  struct scm_skp__slices slices;
  struct scm_skp__control control;
  struct skp_address address;
  struct skp_message message;
  size_t skip; /* bytes that were moved before */
};

/* Guile strings and bytevectors that stand alone are lists of one.  */
static SCM
buffer_list (SCM buffers, int pos, const char *who)
{
  if (SCM_BYTEVECTOR_P (buffers) || scm_is_string (buffers))
    return scm_list_1 (buffers);
  if (scm_ilength (buffers) < 0)
    scm_wrong_type_arg_msg (who, pos, buffers,
                            "bytevector, string, or list of slices");
  return buffers;
}

/* END, refused here if it is wrong: the slicer would take it for an argument of
   its own, with the next position.  */
static SCM
end_to (SCM buffer, SCM end, int pos, const char *who)
{
  size_t length = 0;
  if (SCM_BYTEVECTOR_P (buffer))
    length = SCM_BYTEVECTOR_LENGTH (buffer);
  else if (scm_is_string (buffer))
    length = scm_c_string_length (buffer);
  scm_skp__integer (end, 0, (int64_t)length, pos, who);
  return end;
}

static void
slice_to (struct scm_skp__slice *slice, SCM element, scm_skp__slicer *slicer,
          int pos, const char *who)
{
  SCM buffer = element, start = SCM_UNDEFINED, end = SCM_UNDEFINED;
  long length = scm_ilength (element);
  if (length == 2 || length == 3)
    {
      buffer = SCM_CAR (element);
      start = SCM_CADR (element);
      if (length == 3)
        end = end_to (buffer, SCM_CADDR (element), pos, who);
    }
  slicer (slice, buffer, start, end, pos, pos, who);
}

/* Drop the first SKIP bytes.  */
static void
slices_skip (struct scm_skp__slices *slices, size_t skip)
{
  for (size_t i = 0; skip > 0 && i < slices->count; i++)
    {
      struct iovec *slice = &slices->slices[i];
      size_t part = skip < slice->iov_len ? skip : slice->iov_len;
      slice->iov_base = (char *)slice->iov_base + part;
      slice->iov_len -= part;
      slices->total -= part;
      skip -= part;
    }
}

void
scm_skp__slices (struct scm_skp__slices *slices, SCM buffers, size_t skip,
                 scm_skp__slicer *slicer, int pos, const char *who)
{
  SCM list = buffer_list (buffers, pos, who);
  size_t count = (size_t)scm_ilength (list);

  slices->slices = slices->few;
  slices->parts = slices->few_parts;
  if (count > sizeof slices->few / sizeof *slices->few)
    {
      /* Scanned by the collector: the copies of strings hang on it.  */
      slices->slices = scm_gc_malloc (count * sizeof *slices->slices, "slices");
      slices->parts = scm_gc_malloc (count * sizeof *slices->parts, "slices");
    }
  slices->count = count;
  slices->total = 0;
  for (size_t i = 0; i < count; i++, list = SCM_CDR (list))
    {
      struct scm_skp__slice *part = &slices->parts[i];
      slice_to (part, SCM_CAR (list), slicer, pos, who);
      slices->slices[i] = (struct iovec){ part->bytes, part->size };
      slices->total += part->size;
    }
  slices_skip (slices, skip);
}

void
scm_skp__slices_done (const struct scm_skp__slices *slices, SCM buffers,
                      size_t from, size_t to)
{
  SCM list = buffer_list (buffers, 2, "recvmsg!");
  size_t start = 0;
  for (size_t i = 0; i < slices->count; i++, list = SCM_CDR (list))
    {
      struct scm_skp__slice part = slices->parts[i];
      SCM buffer = SCM_CAR (list);
      size_t end = start + part.size;
      size_t low = from > start ? from : start, high = to < end ? to : end;
      if (scm_is_pair (buffer))
        buffer = SCM_CAR (buffer);
      if (high > low)
        {
          part.bytes += low - start;
          part.start += low - start;
          scm_skp__in_done (&part, buffer, high - low);
        }
      start = end;
    }
}

static void
begin (struct exchange *x, SCM sock, SCM buffers, SCM flags, int flags_pos,
       SCM skip, scm_skp__slicer *slicer)
{
  struct scm_skp__call *call = &x->call;
  call->sock = sock;
  call->to = NULL;
  x->buffers = buffers;
  scm_skp__fd (sock, 1, call->who);
  call->flags = scm_skp__flags (flags, 0, flags_pos, call->who);
  x->skip = SCM_UNBNDP (skip)
                ? 0
                : (size_t)scm_skp__integer (skip, 0, PTRDIFF_MAX, 2, call->who);
  scm_skp__slices (&x->slices, buffers, x->skip, slicer, 2, call->who);
  x->message = (struct skp_message){ .slices = x->slices.slices,
                                     .count = x->slices.count };
}

static void
send_begin (struct exchange *x, SCM sock, SCM buffers, SCM address, SCM control,
            SCM flags, SCM skip)
{
  static const char who[] = "sendmsg";
  x->call.who = who;
  x->call.events = POLLOUT;
  begin (x, sock, buffers, flags, 5, skip, scm_skp__out_slice);
  x->call.instant = x->call.flags & MSG_DONTWAIT;
  x->call.target = x->skip + x->slices.total;
  if (!SCM_UNBNDP (address) && scm_is_true (address))
    {
      scm_skp__address_to (&x->address, address, 3, who);
      x->message.address = &x->address;
      x->call.to = x->address.length > 0 ? &x->address : NULL;
    }
  if (x->skip > 0 || SCM_UNBNDP (control) || scm_is_null (control))
    return;
  scm_skp__control_to (&x->control, control, 4, who);
  x->message.control = x->control.bytes;
  x->message.control_length = x->control.size;
}

/* MOVED bytes in all have gone before.  */
static void
skip_to (struct exchange *x, size_t moved)
{
  slices_skip (&x->slices, moved - x->skip);
  x->skip = moved;
}

static ssize_t
send_now (struct scm_skp__call *call, size_t moved)
{
  struct exchange *x = (struct exchange *)call;
  skip_to (x, moved);
  if (moved > 0)
    x->message.control_length = 0;
  return skp_message_send (scm_skp__fd (call->sock, 1, call->who), &x->message,
                           call->flags);
}

static SCM
send_try (SCM sock, SCM buffers, SCM address, SCM control, SCM flags, SCM skip)
{
  struct exchange x;
  send_begin (&x, sock, buffers, address, control, flags, skip);
  if (!x.call.instant && scm_skp__turn_over ())
    return SCM_BOOL_F;
  ssize_t n = send_now (&x.call, x.skip);
  if (n < 0)
    return scm_skp__later (&x.call, n);
  scm_skp__turn_moved ((size_t)n);
  scm_remember_upto_here_2 (buffers, control);
  return SCM_I_MAKINUM (scm_skp__unfinished (&x.call, x.skip + (size_t)n) ? -n
                                                                          : n);
}

SCM
scm_skp_sendmsg (SCM sock, SCM buffers, SCM address, SCM control, SCM flags)
{
  struct exchange x;
  need_types ();
  send_begin (&x, sock, buffers, address, control, flags, SCM_UNDEFINED);
  size_t moved = scm_skp__complete (&x.call, send_now);
  scm_remember_upto_here_2 (buffers, control);
  return scm_from_size_t (moved);
}

static void
receive_begin (struct exchange *x, SCM sock, SCM buffers, SCM flags,
               SCM control_size, SCM skip)
{
  static const char who[] = "recvmsg!";
  int64_t room = SCM_UNBNDP (control_size)
                     ? CONTROL_DEFAULT
                     : scm_skp__integer (control_size, 0, CONTROL_MAX, 4, who);
  x->call.who = who;
  x->call.events = POLLIN;
  begin (x, sock, buffers, flags, 3, skip, scm_skp__in_slice);
  x->call.instant = x->call.flags & SCM_SKP__RECEIVE_INSTANT;
  scm_skp__control_room (&x->control, (size_t)room);
  x->address.length = 0;
  x->message.address = &x->address;
}

/* A blocking call does not go on past a control message, which belongs to the
   bytes that it came with.  */
static ssize_t
receive_now (struct scm_skp__call *call, size_t moved)
{
  struct exchange *x = (struct exchange *)call;
  skip_to (x, moved);
  call->target = scm_skp__receive_target (call, moved + x->slices.total);
  x->message.control = x->control.bytes;
  x->message.control_length = x->control.size;
  ssize_t n = skp_message_recv (scm_skp__fd (call->sock, 1, call->who),
                                &x->message, call->flags);
  if (n < 0)
    x->message.control_length = 0;
  else if (x->message.control_length > 0)
    call->target = 0;
  return n;
}

static void
drop_control (void *message)
{
  struct skp_message *m = message;
  skp_control_close (m->control, m->control_length);
}

/* The message that has LENGTH as its length; the bytes number FROM to TO are
   stored in strings.  */
static SCM
receive_build (struct exchange *x, size_t from, size_t to, ssize_t length)
{
  struct skp_message *m = &x->message;
  SCM control = SCM_EOL;

  if (m->control_length > 0)
    {
      scm_dynwind_begin (0);
      scm_dynwind_unwind_handler (drop_control, m, 0);
      control = scm_skp__control_from (m->control, m->control_length);
      scm_dynwind_end ();
    }
  scm_skp__slices_done (&x->slices, x->buffers, from, to);
  scm_t_bits fields[]
      = { SCM_UNPACK (scm_from_ssize_t (length)),
          SCM_UNPACK (scm_skp__address_from (&x->address)),
          SCM_UNPACK (control), SCM_UNPACK (scm_from_int (m->flags)) };
  return scm_c_make_structv (message_type, 0, 4, fields);
}

static SCM
receive_try (SCM sock, SCM buffers, SCM flags, SCM control_size, SCM skip)
{
  struct exchange x;
  receive_begin (&x, sock, buffers, flags, control_size, skip);
  if (!x.call.instant && scm_skp__turn_over ())
    return SCM_BOOL_F;
  ssize_t n = receive_now (&x.call, x.skip);
  if (n < 0)
    return scm_skp__later (&x.call, n);
  scm_skp__turn_moved ((size_t)n);
  size_t moved = x.skip + (size_t)n;
  return receive_build (&x, x.skip, moved,
                        n > 0 && scm_skp__unfinished (&x.call, moved) ? -n : n);
}

SCM
scm_skp_recvmsg (SCM sock, SCM buffers, SCM flags, SCM control_size)
{
  struct exchange x;
  need_types ();
  receive_begin (&x, sock, buffers, flags, control_size, SCM_UNDEFINED);
  size_t moved = scm_skp__complete (&x.call, receive_now);
  return receive_build (&x, 0, moved, (ssize_t)moved);
}

void
scm_skp__init_message (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%sendmsg", 2, 4, 0, send_try },
    { "%recvmsg!", 2, 3, 0, receive_try },
  };
  need_types ();
  scm_c_define ("%message-type", message_type);
  scm_c_define ("%control-message-type", scm_skp__control_type);
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
