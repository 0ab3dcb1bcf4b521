/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sendmsg and recvmsg!.  The primitives try once, as those of transfer.c:

     #f      nothing was done, the call would have to wait;
     n       n bytes were sent; for recvmsg! a record with that length;
     -n      n bytes of a stream were moved, and a blocking call would go on.

   SKIP, the last parameter, is how many bytes were moved before.  */

#include "complete.h"
#include "message.h"

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

struct call
{
  const char *who;
  SCM sock, buffers;
  struct scm_skp__slices slices;
  struct scm_skp__control control;
  struct skp_address address;
  struct skp_message message;
  int flags;
  int instant;   /* it never waits */
  size_t target; /* bytes that receiving waits for */
  size_t skip;
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
begin (struct call *call, const char *who, SCM sock, SCM buffers, SCM flags,
       int flags_pos, SCM skip, scm_skp__slicer *slicer)
{
  call->who = who;
  call->sock = sock;
  call->buffers = buffers;
  scm_skp__fd (sock, 1, who);
  call->flags = scm_skp__flags (flags, 0, flags_pos, who);
  call->skip = SCM_UNBNDP (skip)
                   ? 0
                   : (size_t)scm_skp__integer (skip, 0, PTRDIFF_MAX, 2, who);
  scm_skp__slices (&call->slices, buffers, call->skip, slicer, 2, who);
  call->message = (struct skp_message){ .slices = call->slices.slices,
                                        .count = call->slices.count };
}

static void
send_begin (struct call *call, SCM sock, SCM buffers, SCM address, SCM control,
            SCM flags, SCM skip)
{
  static const char who[] = "sendmsg";
  begin (call, who, sock, buffers, flags, 5, skip, scm_skp__out_slice);
  call->instant = call->flags & MSG_DONTWAIT;
  if (!SCM_UNBNDP (address) && scm_is_true (address))
    {
      scm_skp__address_to (&call->address, address, 3, who);
      call->message.address = &call->address;
    }
  if (call->skip > 0 || SCM_UNBNDP (control) || scm_is_null (control))
    return;
  scm_skp__control_to (&call->control, control, 4, who);
  call->message.control = call->control.bytes;
  call->message.control_length = call->control.size;
}

static ssize_t
send_now (struct call *call)
{
  if (call->skip > 0)
    call->message.control_length = 0;
  return skp_message_send (scm_skp__fd (call->sock, 1, call->who),
                           &call->message, call->flags);
}

_Noreturn static void
call_error (const struct call *call, ssize_t n)
{
  const struct skp_address *to = call->message.address;
  scm_skp__error_at (n, call->who, SCM_FPORT_FDES (call->sock),
                     to && to->length > 0 ? to : NULL);
}

/* Try until NOW is done: the result of the last try, SKIP the bytes of those
   before it.  */
static ssize_t
complete (struct call *call, ssize_t (*now) (struct call *),
          int (*unfinished) (const struct call *, ssize_t), int events)
{
  int64_t deadline_ns = 0;
  for (int stalls = 0, looks = 0;; stalls++)
    {
      ssize_t n = now (call);
      if (scm_skp__must_wait (call->sock, n, call->flags, call->instant,
                              call->who))
        {
          if (!scm_skp__complete_wait (
                  call->sock, call->who,
                  scm_skp__waited (events, call->flags, call->skip), call->skip,
                  stalls, &deadline_ns))
            return n;
          continue;
        }
      if (n < 0 && call->skip == 0)
        call_error (call, n);
      if (!unfinished (call, n))
        return n;
      stalls = -1;
      if (call->flags & MSG_PEEK)
        {
          if (!scm_skp__complete_wait (call->sock, call->who, 0, (size_t)n,
                                       ++looks, &deadline_ns))
            return n;
          continue;
        }
      call->skip += (size_t)n;
      slices_skip (&call->slices, (size_t)n);
    }
}

static int
send_unfinished (const struct call *call, ssize_t n)
{
  return n >= 0 && (size_t)n < call->slices.total
         && scm_skp__is_stream (call->sock);
}

static SCM
send_try (SCM sock, SCM buffers, SCM address, SCM control, SCM flags, SCM skip)
{
  struct call call;
  send_begin (&call, sock, buffers, address, control, flags, skip);
  if (!call.instant && scm_skp__turn_over ())
    return SCM_BOOL_F;
  ssize_t n = send_now (&call);
  SCM later = scm_skp__later (n, call.flags, call.instant);
  if (!SCM_UNBNDP (later))
    return later;
  if (n < 0)
    call_error (&call, n);
  scm_remember_upto_here_2 (buffers, control);
  return SCM_I_MAKINUM (send_unfinished (&call, n) ? -n : n);
}

SCM
scm_skp_sendmsg (SCM sock, SCM buffers, SCM address, SCM control, SCM flags)
{
  struct call call;
  need_types ();
  send_begin (&call, sock, buffers, address, control, flags, SCM_UNDEFINED);
  ssize_t n = complete (&call, send_now, send_unfinished, POLLOUT);
  scm_remember_upto_here_2 (buffers, control);
  return scm_from_size_t (call.skip + (n > 0 ? (size_t)n : 0));
}

static void
receive_begin (struct call *call, SCM sock, SCM buffers, SCM flags,
               SCM control_size, SCM skip)
{
  static const char who[] = "recvmsg!";
  int64_t room = SCM_UNBNDP (control_size)
                     ? CONTROL_DEFAULT
                     : scm_skp__integer (control_size, 0, CONTROL_MAX, 4, who);
  begin (call, who, sock, buffers, flags, 3, skip, scm_skp__in_slice);
  call->instant = call->flags & SCM_SKP__RECEIVE_INSTANT;
  scm_skp__control_room (&call->control, (size_t)room);
  call->address.length = 0;
  call->message.address = &call->address;
}

static ssize_t
receive_now (struct call *call)
{
  call->target = scm_skp__receive_target (call->sock, call->flags,
                                          call->skip + call->slices.total);
  call->message.control = call->control.bytes;
  call->message.control_length = call->control.size;
  return skp_message_recv (scm_skp__fd (call->sock, 1, call->who),
                           &call->message, call->flags);
}

static void
drop_control (void *message)
{
  struct skp_message *m = message;
  skp_control_close (m->control, m->control_length);
}

/* Would a blocking call go on after N bytes?  Not past a control message, which
   belongs to these bytes.  */
static int
receive_unfinished (const struct call *call, ssize_t n)
{
  return n > 0 && (size_t)n < call->slices.total
         && call->skip + (size_t)n < call->target
         && call->message.control_length == 0
         && scm_skp__is_stream (call->sock);
}

/* The message that has LENGTH as its length; N bytes came last, and those of
   strings are stored from number FROM on.  */
static SCM
receive_build (struct call *call, ssize_t n, size_t from, ssize_t length)
{
  struct skp_message *m = &call->message;
  SCM control = SCM_EOL;

  if (m->control_length > 0)
    {
      scm_dynwind_begin (0);
      scm_dynwind_unwind_handler (drop_control, m, 0);
      control = scm_skp__control_from (m->control, m->control_length);
      scm_dynwind_end ();
    }
  scm_skp__slices_done (&call->slices, call->buffers, from,
                        call->skip + (size_t)n);
  scm_t_bits fields[]
      = { SCM_UNPACK (scm_from_ssize_t (length)),
          SCM_UNPACK (scm_skp__address_from (&call->address)),
          SCM_UNPACK (control), SCM_UNPACK (scm_from_int (m->flags)) };
  return scm_c_make_structv (message_type, 0, 4, fields);
}

static SCM
receive_try (SCM sock, SCM buffers, SCM flags, SCM control_size, SCM skip)
{
  struct call call;
  receive_begin (&call, sock, buffers, flags, control_size, skip);
  if (!call.instant && scm_skp__turn_over ())
    return SCM_BOOL_F;
  ssize_t n = receive_now (&call);
  SCM later = scm_skp__later (n, call.flags, call.instant);
  if (!SCM_UNBNDP (later))
    return later;
  if (n < 0)
    call_error (&call, n);
  return receive_build (&call, n, call.skip,
                        receive_unfinished (&call, n) ? -n : n);
}

SCM
scm_skp_recvmsg (SCM sock, SCM buffers, SCM flags, SCM control_size)
{
  struct call call;
  need_types ();
  receive_begin (&call, sock, buffers, flags, control_size, SCM_UNDEFINED);
  ssize_t n = complete (&call, receive_now, receive_unfinished, POLLIN);
  if (n < 0)
    {
      call.message.control_length = 0;
      n = 0;
    }
  return receive_build (&call, n, 0, (ssize_t)call.skip + n);
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
