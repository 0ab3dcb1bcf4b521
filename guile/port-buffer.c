/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What most programs for ports do with each message, get-bytevector-some,
   put-bytevector and force-output, on file ports and in one step each: Guile's
   suspendable ones take twenty.  Whatever is out of the ordinary is left to
   those, and so is everything on a release on which this has not been tested.

   A port's buffer is a vector; its first fields are known to Scheme by (ice-9
   ports internal), and what else a port has by the procedures that this is
   given, primitives of Guile's own.  */

#include "loop.h"
#include "port.h"
#include "primitive.h"
#include "stream.h"
#include "task/dynamic-stack.h"

#include <errno.h>
#include <string.h>

enum buffer_field
{
  BUFFER_BYTES,
  BUFFER_CUR,
  BUFFER_END,
  BUFFER_HAS_EOF
};

/* Of Guile's own.  */
static SCM (*read_buffer) (SCM port);
static SCM (*write_buffer) (SCM port);
static SCM (*read_buffering) (SCM port);
static SCM (*random_access) (SCM port);
static SCM (*clear_start) (SCM port);

/* Is nothing in BUFFER?  */
static int
is_empty (SCM buffer)
{
  SCM cur = SCM_SIMPLE_VECTOR_REF (buffer, BUFFER_CUR),
      end = SCM_SIMPLE_VECTOR_REF (buffer, BUFFER_END);
  return SCM_I_INUMP (cur) && SCM_I_INUMP (end)
         && SCM_I_INUM (cur) >= SCM_I_INUM (end)
         && scm_is_false (SCM_SIMPLE_VECTOR_REF (buffer, BUFFER_HAS_EOF));
}

/* What lies in a buffer.  */
struct held
{
  signed char *bytes;
  size_t size, cur, end;
};

/* 0 if BUFFER, which any program can change, is not as it should be.  */
static int
look_into (SCM buffer, struct held *held)
{
  SCM bytes = SCM_SIMPLE_VECTOR_REF (buffer, BUFFER_BYTES),
      cur = SCM_SIMPLE_VECTOR_REF (buffer, BUFFER_CUR),
      end = SCM_SIMPLE_VECTOR_REF (buffer, BUFFER_END);
  if (!SCM_BYTEVECTOR_P (bytes) || !SCM_I_INUMP (cur) || !SCM_I_INUMP (end)
      || SCM_I_INUM (cur) < 0 || SCM_I_INUM (end) < SCM_I_INUM (cur)
      || (size_t)SCM_I_INUM (end) > SCM_BYTEVECTOR_LENGTH (bytes))
    return 0;
  *held = (struct held){ .bytes = SCM_BYTEVECTOR_CONTENTS (bytes),
                         .size = SCM_BYTEVECTOR_LENGTH (bytes),
                         .cur = (size_t)SCM_I_INUM (cur),
                         .end = (size_t)SCM_I_INUM (end) };
  return 1;
}

static void
set_field (SCM buffer, enum buffer_field field, size_t value)
{
  SCM_SIMPLE_VECTOR_SET (buffer, field,
                         SCM_I_MAKINUM ((scm_t_signed_bits)value));
}

/* What needs a larger buffer is not gained by sparing a copy.  */
#define MOST_AT_ONCE 16384

/* How much may be read from PORT, whose BUFFER that is, past it; 0 if something
   is there.  */
static size_t
to_read_past (SCM port, SCM buffer)
{
  scm_t_signed_bits size = SCM_I_INUM (read_buffering (port));
  return is_empty (buffer) && size <= MOST_AT_ONCE
                 && scm_is_false (random_access (port))
             ? (size_t)size
             : 0;
}

static SCM
bytevector (const void *bytes, size_t size)
{
  SCM result = scm_c_make_bytevector (size);
  memcpy (SCM_BYTEVECTOR_CONTENTS (result), bytes, size);
  return result;
}

/* What PORT has, in a new bytevector, or the end of file.  #t if that is for
   Guile's own procedure; if it has to be waited for, 0 where the loop of this
   thread does that, and #f where the waiter has to be called.  */
static SCM
get_some (SCM port)
{
  char bytes[MOST_AT_ONCE];
  if (!SCM_OPINFPORTP (port))
    return SCM_BOOL_T;
  SCM buffer = read_buffer (port);
  size_t size = to_read_past (port, buffer);
  if (!size)
    return SCM_BOOL_T;
  if (scm_skp__turn_over () && !scm_skp__below_c ())
    return SCM_BOOL_F;
  clear_start (port);
  int loop_waits
      = scm_skp__drained (SCM_FPORT_FDES (port)) && scm_skp__loop_waits ();
  ssize_t n = loop_waits ? -EAGAIN : scm_skp__read_some (port, bytes, size);
  if (n == -EAGAIN)
    return loop_waits || scm_skp__loop_waits ()
               ? SCM_INUM0
               : scm_skp__would_block (port, 0);
  if (n <= 0)
    return n ? scm_skp__count (n, "fport_read") : SCM_EOF_VAL;
  return bytevector (bytes, (size_t)n);
}

/* What SCM stands for, 0 to MOST, or DEFAULT_VALUE if it is absent; -1 if that
   is not what it is.  */
static ptrdiff_t
part (SCM value, size_t default_value, size_t most)
{
  if (SCM_UNBNDP (value))
    return (ptrdiff_t)default_value;
  return SCM_I_INUMP (value) && SCM_I_INUM (value) >= 0
                 && (size_t)SCM_I_INUM (value) <= most
             ? SCM_I_INUM (value)
             : -1;
}

/* Add COUNT bytes of SRC, from START on, to what PORT has to write; #f if that
   is for Guile's own procedure: they do not fit, or fill the buffer, say.  */
static SCM
put_bytes (SCM port, SCM src, SCM start, SCM count)
{
  if (!SCM_OPOUTFPORTP (port) || !SCM_BYTEVECTOR_P (src))
    return SCM_BOOL_F;
  size_t length = SCM_BYTEVECTOR_LENGTH (src);
  ptrdiff_t from = part (start, 0, length), n;
  if (from < 0
      || (n = part (count, length - (size_t)from, length - (size_t)from)) < 0)
    return SCM_BOOL_F;
  SCM buffer = write_buffer (port);
  struct held held;
  if (!look_into (buffer, &held)
      || (size_t)n >= held.size - (held.end - held.cur)
      || scm_is_true (random_access (port)))
    return SCM_BOOL_F;
  size_t kept = held.end - held.cur;
  if (held.cur && kept)
    memmove (held.bytes, held.bytes + held.cur, kept);
  memcpy (held.bytes + kept, SCM_BYTEVECTOR_CONTENTS (src) + from, (size_t)n);
  set_field (buffer, BUFFER_CUR, 0);
  set_field (buffer, BUFFER_END, kept + (size_t)n);
  return SCM_BOOL_T;
}

/* Write what PORT has to write: #t; #f if that has to be waited for, what was
   not written being kept; 0 if it is for another procedure.  As Guile's own,
   what has failed is not met again by the next call.  */
static SCM
flush (SCM port)
{
  if (!SCM_OPOUTFPORTP (port))
    return SCM_INUM0;
  SCM buffer = write_buffer (port);
  struct held held;
  while (look_into (buffer, &held) && held.cur < held.end)
    {
      ssize_t n = scm_skp__write_some (port, held.bytes + held.cur,
                                       held.end - held.cur);
      if (n == -EAGAIN)
        return SCM_BOOL_F;
      set_field (buffer, BUFFER_CUR, n < 0 ? held.end : held.cur + (size_t)n);
      if (n < 0)
        scm_skp__count (n, "fport_write");
    }
  return SCM_BOOL_T;
}

/* The function of PROC, a primitive of one argument.  */
static void
learn (SCM proc, SCM (**function) (SCM))
{
  scm_permanent_object (proc);
  *function = __extension__(SCM (*) (SCM)) scm_subr_function (proc);
}

/* PROCS are Guile's own port-read-buffer, port-write-buffer,
   port-read-buffering, port-random-access? and
   port-clear-stream-start-for-bom-read.  #f if this is not to be used.  */
static SCM
use_port_buffers (SCM procs)
{
  SCM (**const functions[])
  (SCM) = { &read_buffer, &write_buffer, &read_buffering, &random_access,
            &clear_start };
  if (!scm_skp__known)
    return SCM_BOOL_F;
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
    {
      if (!scm_is_pair (procs) || !SCM_PRIMITIVE_P (SCM_CAR (procs)))
        return SCM_BOOL_F;
      learn (SCM_CAR (procs), functions[i]);
      procs = SCM_CDR (procs);
    }
  return SCM_BOOL_T;
}

void
scm_skp__init_port_buffer (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%get-some", 1, 0, 0, get_some },
    { "%put-bytes", 2, 2, 0, put_bytes },
    { "%flush", 1, 0, 0, flush },
    { "%use-port-buffers!", 1, 0, 0, use_port_buffers },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
