/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Scheme values to C and back, for every file of the binding.

   Each function that takes POS and WHO refuses a bad argument with
   wrong-type-arg or out-of-range at that position; numbers are looked at before
   libguile converts them, because scm_to_ulong and its siblings crash on some
   integers in Guile 3.0.8. */

#ifndef SCM_SKP_VALUE_H
#define SCM_SKP_VALUE_H

#include <libguile.h>
#include <stdint.h>
#include <sockport/address.h>

#include "error.h"

/* VALUE, an exact integer from LOW to HIGH.  On machines of 32 bits an integer
   above 2^29 is no fixnum.  */
int64_t scm_skp__big_integer (SCM value, int64_t low, int64_t high, int pos,
                              const char *who);

static inline int64_t
scm_skp__integer (SCM value, int64_t low, int64_t high, int pos,
                  const char *who)
{
  if (!SCM_I_INUMP (value) || SCM_I_INUM (value) < low
      || SCM_I_INUM (value) > high)
    return scm_skp__big_integer (value, low, high, pos, who);
  return SCM_I_INUM (value);
}

/* As scm_skp__integer from 0 to INT_MAX, DEFAULT_VALUE if VALUE is absent.  */
static inline int
scm_skp__flags (SCM value, int default_value, int pos, const char *who)
{
  return SCM_UNBNDP (value)
             ? default_value
             : (int)scm_skp__integer (value, 0, INT32_MAX, pos, who);
}

/* An unsigned integer of 128 bits from BYTES, most significant first; and the
   bytes of VALUE.  */
SCM scm_skp__wide_from (const unsigned char *bytes);
void scm_skp__wide_to (unsigned char *bytes, SCM value, int pos,
                       const char *who);

/* An address from its vector, and from a procedure's arguments: FAMILY at
   position POS, which may be such a vector, then *FIRST, if bound, then the
   list *ARGS.  *FIRST becomes unbound when it is taken, *ARGS what is left; the
   number of arguments that were taken after FAMILY is returned.  */
void scm_skp__address_to (struct skp_address *address, SCM vector, int pos,
                          const char *who);
int scm_skp__address_args (struct skp_address *address, SCM family, SCM *first,
                           SCM *args, int pos, const char *who);

/* The same of an IPv4 address whose two parts are small integers, without its
   family's table; 0, and nothing was done, if it is none.  */
int scm_skp__address_quick (struct skp_address *address, SCM family, SCM part,
                            SCM port);

/* The same as scm_skp__address_args when nothing may follow the address.  */
void scm_skp__address_whole (struct skp_address *address, SCM family, SCM first,
                             SCM args, int pos, const char *who);

/* The vector of ADDRESS; #f if it is empty.  */
SCM scm_skp__address_from (const struct skp_address *address);

/* The same, in SPARE if that is a vector of the right length; and of an IPv4
   address only, as scm_skp__address_quick.  */
SCM scm_skp__address_into (SCM spare, const struct skp_address *address);
int scm_skp__address_quick_into (SCM spare, const struct skp_address *address);

/* A UNIX name or another string of the system: BYTES as a string in the
   locale's encoding, or as a bytevector when no string would give them back. */
SCM scm_skp__name_from (const void *bytes, size_t length);

/* The bytes of NAME, a string or a bytevector, in memory of the collector.  */
const char *scm_skp__name_to (SCM name, size_t *length, int pos,
                              const char *who);

/* The index of the interface that VALUE, an integer or a name, stands for.  */
int scm_skp__interface (SCM value, int pos, const char *who);

/* A part of a buffer: SIZE bytes at BYTES.  */
struct scm_skp__slice
{
  char *bytes;
  size_t size;
  size_t start;
};

/* The slice of BUFFER, a bytevector or a string of characters 0 to 255, from
   START to END (absent: all), to send from or to receive into.  POS is the
   buffer's position, START_POS that of START.  A string's bytes are a copy.  */
void scm_skp__out_part (struct scm_skp__slice *slice, SCM buffer, SCM start,
                        SCM end, int pos, int start_pos, const char *who);
void scm_skp__in_part (struct scm_skp__slice *slice, SCM buffer, SCM start,
                       SCM end, int pos, int start_pos, const char *who);

static inline void
scm_skp__whole (struct scm_skp__slice *slice, SCM bytevector)
{
  slice->bytes = (char *)SCM_BYTEVECTOR_CONTENTS (bytevector);
  slice->size = SCM_BYTEVECTOR_LENGTH (bytevector);
  slice->start = 0;
}

/* The same of a part that is given by two small integers; 0 if it is not.  */
static inline int
scm_skp__small_part (struct scm_skp__slice *slice, SCM buffer, SCM start,
                     SCM end)
{
  if (!SCM_BYTEVECTOR_P (buffer) || !SCM_I_INUMP (start) || !SCM_I_INUMP (end))
    return 0;
  size_t from = (size_t)SCM_I_INUM (start), to = (size_t)SCM_I_INUM (end);
  if (from > to || to > SCM_BYTEVECTOR_LENGTH (buffer))
    return 0;
  slice->bytes = (char *)SCM_BYTEVECTOR_CONTENTS (buffer) + from;
  slice->size = to - from;
  slice->start = from;
  return 1;
}

static inline void
scm_skp__out_slice (struct scm_skp__slice *slice, SCM buffer, SCM start,
                    SCM end, int pos, int start_pos, const char *who)
{
  if (SCM_UNBNDP (start) && SCM_BYTEVECTOR_P (buffer))
    scm_skp__whole (slice, buffer);
  else if (!scm_skp__small_part (slice, buffer, start, end))
    scm_skp__out_part (slice, buffer, start, end, pos, start_pos, who);
}

static inline void
scm_skp__in_slice (struct scm_skp__slice *slice, SCM buffer, SCM start, SCM end,
                   int pos, int start_pos, const char *who)
{
  if (SCM_UNBNDP (start) && SCM_MUTABLE_BYTEVECTOR_P (buffer))
    scm_skp__whole (slice, buffer);
  else
    scm_skp__in_part (slice, buffer, start, end, pos, start_pos, who);
}

/* Keep what a string holds for bytes that the kernel will not store.  */
void scm_skp__in_keep (const struct scm_skp__slice *slice, SCM buffer);

/* Store the COUNT bytes that were received for BUFFER, if it is a string.  */
void scm_skp__in_done (const struct scm_skp__slice *slice, SCM buffer,
                       size_t count);

#endif /* SCM_SKP_VALUE_H */
