/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* See layer.h.  The primitives are what (sockport io layer) makes the
   procedures of such ports of.  */

#include "layer.h"
#include "loop.h"
#include "port.h"
#include "primitive.h"
#include "value.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sockport/message.h>
#include <sockport/transfer.h>

const struct scm_skp__layer *scm_skp__layer;

int
scm_skp__port_fd (SCM port, int pos, const char *who)
{
  return scm_skp__fd (scm_skp__bottom (port, NULL), pos, who);
}

ssize_t
scm_skp__port_recv (SCM port, void *bytes, size_t size)
{
  if (scm_skp__layered (port))
    return scm_skp__layer->recv (port, bytes, size);
  return skp_transfer_recv (SCM_FPORT_FDES (port), bytes, size, 0);
}

/* What a layer is to send together is copied together, so that it goes in one
   record.  A little is also for the kernel, which makes more of two slices than
   it costs to copy that.  */
#define TOGETHER 16384
#define LITTLE 1024

/* Copy SLICES to BYTES, as far as there is ROOM: how many.  */
static size_t
gather (char *bytes, size_t room, const struct iovec *slices, int count)
{
  size_t size = 0;
  for (int i = 0; i < count && size < room; i++)
    {
      size_t left = room - size;
      size_t part = slices[i].iov_len < left ? slices[i].iov_len : left;
      if (part > 0)
        memcpy (bytes + size, slices[i].iov_base, part);
      size += part;
    }
  return size;
}

static ssize_t
send_together (SCM port, const struct iovec *slices, int count)
{
  if (count == 1)
    return scm_skp__layer->send (port, slices->iov_base, slices->iov_len);
  char bytes[TOGETHER];
  size_t size = gather (bytes, sizeof bytes, slices, count);
  return scm_skp__layer->send (port, bytes, size);
}

static size_t
size_of (const struct iovec *slices, int count)
{
  size_t size = 0;
  for (int i = 0; i < count; i++)
    size += slices[i].iov_len;
  return size;
}

ssize_t
scm_skp__port_send (SCM port, const struct iovec *slices, int count)
{
  if (scm_skp__layered (port))
    return send_together (port, slices, count);
  if (size_of (slices, count) <= LITTLE)
    {
      char bytes[LITTLE];
      size_t size = gather (bytes, sizeof bytes, slices, count);
      return skp_transfer_send (SCM_FPORT_FDES (port), bytes, size, 0);
    }
  struct skp_message message = { .slices = slices, .count = (size_t)count };
  return skp_message_send (SCM_FPORT_FDES (port), &message, 0);
}

void
scm_skp__port_fail (SCM port, ssize_t n, const char *who)
{
  if (scm_skp__layered (port))
    scm_skp__layer->fail (port, n, who);
  scm_skp__error (n, who);
}

/* A stream has no other flags than these.  */
static int
instant (SCM flags, const char *who)
{
  int bits = scm_skp__flags (flags, 0, 3, who);
  if (bits & ~(MSG_DONTWAIT | MSG_MORE | MSG_NOSIGNAL))
    scm_skp__error (-EOPNOTSUPP, who);
  return bits & MSG_DONTWAIT;
}

static SCM
later (SCM port, ssize_t n, int instant, const char *who)
{
  if (n == -EAGAIN && !instant)
    return SCM_BOOL_F;
  scm_skp__port_fail (port, n, who);
}

static SCM
receive (SCM port, const struct scm_skp__slice *slice, SCM flags,
         const char *who)
{
  int now = instant (flags, who);
  if (SCM_CLOSEDP (port))
    scm_skp__refuse_fd (port, 1, who);
  if (!now && scm_skp__turn_over ())
    return SCM_BOOL_F;
  ssize_t n = scm_skp__layer->recv (port, slice->bytes, slice->size);
  return n < 0 ? later (port, n, now, who) : SCM_I_MAKINUM (n);
}

SCM
scm_skp__layer_receive (const char *who, SCM port, SCM buffer, SCM flags,
                        SCM start, SCM end)
{
  struct scm_skp__slice slice;
  scm_skp__in_slice (&slice, buffer, start, end, 2, 4, who);
  SCM n = receive (port, &slice, flags, who);
  if (SCM_I_INUMP (n) && !SCM_BYTEVECTOR_P (buffer))
    scm_skp__in_done (&slice, buffer, (size_t)SCM_I_INUM (n));
  scm_remember_upto_here_1 (buffer);
  return n;
}

/* So many records of one call, then the others' turn.  */
#define MOST_RECORDS 16

/* When all is taken and not all has gone, this returns as if there were more:
   going on with nothing then waits for that.  */
static SCM
transmit (SCM port, const struct scm_skp__slice *slice, SCM flags)
{
  static const char who[] = "send";
  int now = instant (flags, who);
  size_t moved = 0;
  ssize_t n = 0;
  if (SCM_CLOSEDP (port))
    scm_skp__refuse_fd (port, 1, who);
  if (!now && scm_skp__turn_over ())
    return SCM_BOOL_F;
  for (int i = 0; n >= 0 && moved < slice->size && i < MOST_RECORDS; i++)
    {
      n = scm_skp__layer->send (port, slice->bytes + moved,
                                slice->size - moved);
      moved += n > 0 ? (size_t)n : 0;
    }
  if (n >= 0)
    n = scm_skp__layer->flush (port);
  if (n < 0 && (moved == 0 || n != -EAGAIN))
    return later (port, n, now, who);
  int whole = n >= 0 && moved == slice->size;
  return SCM_I_MAKINUM (whole || now ? (ssize_t)moved : -(ssize_t)moved);
}

SCM
scm_skp__layer_transmit (SCM port, SCM message, SCM flags, SCM start, SCM end)
{
  struct scm_skp__slice slice;
  scm_skp__out_slice (&slice, message, start, end, 2, 4, "send");
  SCM n = transmit (port, &slice, flags);
  scm_remember_upto_here_1 (message);
  return n;
}

/* LAYER, a pointer to a struct scm_skp__layer that stays.  */
static SCM
set_layer (SCM layer)
{
  scm_skp__layer = scm_to_pointer (layer);
  return SCM_UNSPECIFIED;
}

static SCM
is_layered (SCM port)
{
  return scm_from_bool (scm_skp__layered (port));
}

/* The socket below PORT, or PORT.  */
static SCM
bottom (SCM port)
{
  return scm_skp__bottom (port, NULL);
}

/* Does PORT wait to write, for what it was to do in DIRECTION?  */
static SCM
awaits_writing (SCM port, SCM direction)
{
  size_t awaited = (size_t)SCM_I_INUM (direction);
  scm_skp__bottom (port, &awaited);
  return scm_from_bool (awaited);
}

static SCM
answer (SCM port, ssize_t n, const char *who)
{
  if (n == -EAGAIN)
    return SCM_BOOL_F;
  if (n < 0)
    scm_skp__port_fail (port, n, who);
  return SCM_I_MAKINUM (n);
}

/* The arguments are those that libguile gives a port type's procedures.  */

static SCM
layer_read (SCM port, SCM buffer, SCM start, SCM count)
{
  if (scm_skp__turn_over ())
    return SCM_BOOL_F;
  ssize_t n = scm_skp__layer->recv (
      port, SCM_BYTEVECTOR_CONTENTS (buffer) + SCM_I_INUM (start),
      (size_t)SCM_I_INUM (count));
  scm_remember_upto_here_1 (buffer);
  return answer (port, n, "read");
}

static SCM
layer_write (SCM port, SCM buffer, SCM start, SCM count)
{
  if (scm_skp__turn_over ())
    return SCM_BOOL_F;
  ssize_t n = scm_skp__layer->send (
      port, SCM_BYTEVECTOR_CONTENTS (buffer) + SCM_I_INUM (start),
      (size_t)SCM_I_INUM (count));
  scm_remember_upto_here_1 (buffer);
  return answer (port, n, "write");
}

static SCM
layer_queue (SCM port, SCM buffer, SCM start, SCM count)
{
  ssize_t n = scm_skp__layer->queue (
      port, SCM_BYTEVECTOR_CONTENTS (buffer) + SCM_I_INUM (start),
      (size_t)SCM_I_INUM (count));
  scm_remember_upto_here_1 (buffer);
  return answer (port, n, "write");
}

/* #f if there is more to go.  */
static SCM
layer_flush (SCM port)
{
  return answer (port, scm_skp__layer->flush (port), "write");
}

/* #f if OBJECT is no open port for output; 1 if it lies over a socket and has
   taken what has not gone there yet, else 0.  */
static SCM
output_below (SCM object)
{
  if (!SCM_OPOUTPORTP (object))
    return SCM_BOOL_F;
  return SCM_I_MAKINUM (scm_skp__layered (object)
                        && scm_skp__layer->queued (object));
}

/* Somebody waits for what is to go, or (BEGINS #f) no longer.  */
static SCM
layer_flushing (SCM port, SCM begins)
{
  scm_skp__layer->flushing (port, scm_is_true (begins));
  return SCM_UNSPECIFIED;
}

static SCM
layer_end (SCM port)
{
  return answer (port, scm_skp__layer->end (port), "shutdown");
}

void
scm_skp__init_layer (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%set-layer!", 1, 0, 0, set_layer },
    { "layered?", 1, 0, 0, is_layered },
    { "bottom-port", 1, 0, 0, bottom },
    { "%awaits-writing?", 2, 0, 0, awaits_writing },
    { "%layer-read", 4, 0, 0, layer_read },
    { "%layer-write", 4, 0, 0, layer_write },
    { "%layer-queue", 4, 0, 0, layer_queue },
    { "%layer-flush", 1, 0, 0, layer_flush },
    { "%output-below", 1, 0, 0, output_below },
    { "%layer-flushing!", 2, 0, 0, layer_flushing },
    { "%layer-end", 1, 0, 0, layer_end },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
