/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Batches as objects over a bytevector.  Nothing here allocates for a datagram
   but what asks for a copy or an address.  */

#include "loop.h"
#include "message.h"
#include "port.h"
#include "primitive.h"

#include <errno.h>
#include <string.h>
#include <sockport/batch.h>

/* Memory of the collector, so that BYTES lives as long as what points into it.
 */
struct holder
{
  struct skp_batch *batch;
  SCM bytes;
  size_t shift; /* of the batch's memory in BYTES */
  size_t slots, size;
  SCM to[SKP_ADDRESS_PARTS + 1]; /* the last destination given, if numbers */
  size_t to_length;
  struct skp_address address; /* which is this */
};

/* The kernel copies into aligned memory twice as fast as into what follows a
   bytevector's header.  */
#define ALIGNMENT 4096

static scm_t_bits batch_type;

static struct holder *
holder_of (SCM object, const char *who)
{
  if (!SCM_SMOB_PREDICATE (batch_type, object))
    scm_wrong_type_arg_msg (who, 1, object, "batch");
  return (struct holder *)SCM_SMOB_DATA (object);
}

static size_t
batch_free (SCM object)
{
  struct holder *holder = (struct holder *)SCM_SMOB_DATA (object);
  skp_batch_close (holder->batch);
  holder->batch = NULL;
  return 0;
}

static int
batch_print (SCM object, SCM port, scm_print_state *state)
{
  size_t count;
  const struct holder *holder = holder_of (object, "write");
  (void)state;
  skp_batch_datagrams (holder->batch, &count);
  scm_simple_format (port, scm_from_utf8_string ("#<batch ~A of ~A x ~A>"),
                     scm_list_3 (scm_from_size_t (count),
                                 scm_from_size_t (holder->slots),
                                 scm_from_size_t (holder->size)));
  return 1;
}

static SCM
make_batch (SCM slots, SCM size, SCM offload)
{
  static const char who[] = "make-batch";
  size_t count = (size_t)scm_skp__integer (slots, 1, INT32_MAX, 1, who);
  size_t bytes = (size_t)scm_skp__integer (size, 1, 65535, 2, who);
  size_t memory = skp_batch_memory (count, bytes, scm_is_true (offload));
  if (memory == 0)
    scm_skp__out_of_range (slots, "as many as memory can be had for", 1, who);
  struct holder *holder = scm_gc_malloc (sizeof *holder, "batch");
  *holder = (struct holder){ .slots = count, .size = bytes };
  holder->bytes = scm_c_make_bytevector (memory + ALIGNMENT);
  char *start = (char *)SCM_BYTEVECTOR_CONTENTS (holder->bytes);
  holder->shift = ALIGNMENT - (uintptr_t)start % ALIGNMENT;
  int err = skp_batch_open (&holder->batch, count, bytes, scm_is_true (offload),
                            start + holder->shift);
  if (err < 0)
    scm_skp__error (err, who);
  return scm_new_smob (batch_type, (scm_t_bits)holder);
}

static SCM
is_batch (SCM object)
{
  return scm_from_bool (SCM_SMOB_PREDICATE (batch_type, object));
}

static SCM
batch_slots (SCM batch)
{
  return scm_from_size_t (holder_of (batch, "batch-slots")->slots);
}

static SCM
batch_slot_size (SCM batch)
{
  return scm_from_size_t (holder_of (batch, "batch-slot-size")->size);
}

static SCM
batch_bytes (SCM batch)
{
  return holder_of (batch, "batch-bytes")->bytes;
}

static SCM
batch_count (SCM batch)
{
  size_t count;
  skp_batch_datagrams (holder_of (batch, "batch-count")->batch, &count);
  return SCM_I_MAKINUM (count);
}

/* The datagram number INDEX of BATCH.  */
static const struct skp_datagram *
datagram_of (const struct holder *holder, SCM index, int pos, const char *who)
{
  size_t count;
  const struct skp_datagram *datagrams
      = skp_batch_datagrams (holder->batch, &count);
  if (count == 0 && SCM_I_INUMP (index))
    scm_skp__out_of_range (index, "the batch holds no datagrams", pos, who);
  return &datagrams[scm_skp__integer (index, 0, (int64_t)count - 1, pos, who)];
}

#define FIELD_OF(function, name, expression)                                   \
  static SCM function (SCM batch, SCM index)                                   \
  {                                                                            \
    const struct skp_datagram *datagram                                        \
        = datagram_of (holder_of (batch, name), index, 2, name);               \
    return expression;                                                         \
  }
FIELD_OF (batch_length, "batch-length", SCM_I_MAKINUM (datagram->length))
FIELD_OF (batch_segment, "batch-segment-size",
          SCM_I_MAKINUM (datagram->segment))
FIELD_OF (batch_cut, "batch-cut?", scm_from_bool (datagram->cut))

static SCM
batch_start (SCM batch, SCM index)
{
  const struct holder *holder = holder_of (batch, "batch-start");
  return SCM_I_MAKINUM (datagram_of (holder, index, 2, "batch-start")->start
                        + holder->shift);
}

static SCM
batch_address (SCM batch, SCM index)
{
  static const char who[] = "batch-address";
  const struct holder *holder = holder_of (batch, who);
  datagram_of (holder, index, 2, who);
  return scm_skp__address_from (
      skp_batch_address (holder->batch, (size_t)SCM_I_INUM (index)));
}

static SCM
batch_ref (SCM batch, SCM index)
{
  static const char who[] = "batch-ref";
  const struct holder *holder = holder_of (batch, who);
  const struct skp_datagram *datagram = datagram_of (holder, index, 2, who);
  SCM copy = scm_c_make_bytevector (datagram->length);
  memcpy (SCM_BYTEVECTOR_CONTENTS (copy),
          skp_batch_bytes (holder->batch) + datagram->start, datagram->length);
  return copy;
}

static SCM
batch_clear (SCM batch)
{
  skp_batch_clear (holder_of (batch, "batch-clear!")->batch);
  return SCM_UNSPECIFIED;
}

/* Add SLICE; the index, or #f when the batch is full.  */
static SCM
add (const struct holder *holder, const struct scm_skp__slice *slice,
     const struct skp_address *to, const char *who)
{
  int index = skp_batch_add (holder->batch, slice->bytes, slice->size, to);
  if (index == -ENOSPC)
    return SCM_BOOL_F;
  if (index == -EMSGSIZE)
    scm_syserror_msg (who, "~A (~A bytes, but a slot of the batch has ~A)",
                      scm_list_3 (scm_strerror (scm_from_int (EMSGSIZE)),
                                  scm_from_size_t (slice->size),
                                  scm_from_size_t (holder->size)),
                      EMSGSIZE);
  if (index < 0)
    scm_skp__error (index, who);
  return SCM_I_MAKINUM (index);
}

static __attribute__ ((noinline)) void
read_destination (struct holder *holder, SCM to, int pos, const char *who)
{
  size_t length
      = SCM_HAS_TYP7 (to, scm_tc7_vector) ? SCM_SIMPLE_VECTOR_LENGTH (to) : 0;
  size_t i = 0;

  holder->to_length = 0;
  scm_skp__address_to (&holder->address, to, pos, who);
  for (; i < length && SCM_NUMBERP (SCM_SIMPLE_VECTOR_REF (to, i)); i++)
    holder->to[i] = SCM_SIMPLE_VECTOR_REF (to, i);
  holder->to_length = i == length ? length : 0;
}

static inline int
same_destination (const struct holder *holder, SCM to)
{
  size_t length = holder->to_length;

  if (length == 0 || !SCM_HAS_TYP7 (to, scm_tc7_vector)
      || SCM_SIMPLE_VECTOR_LENGTH (to) != length)
    return 0;
  for (size_t i = 0; i < length; i++)
    if (!scm_is_eq (SCM_SIMPLE_VECTOR_REF (to, i), holder->to[i]))
      return 0;
  return 1;
}

/* The address that TO stands for.  Datagrams to one destination come in a row,
   and comparing its parts is far cheaper than reading them; what is not a
   number could have changed inside.  */
static inline const struct skp_address *
destination (struct holder *holder, SCM to, int pos, const char *who)
{
  if (!same_destination (holder, to))
    read_destination (holder, to, pos, who);
  return &holder->address;
}

static SCM
batch_add (SCM batch, SCM buffer, SCM to, SCM start, SCM end)
{
  static const char who[] = "batch-add!";
  struct holder *holder = holder_of (batch, who);
  struct scm_skp__slice slice;
  const struct skp_address *address = NULL;

  scm_skp__out_slice (&slice, buffer, start, end, 2, 4, who);
  if (!SCM_UNBNDP (to) && scm_is_true (to))
    address = destination (holder, to, 3, who);
  return add (holder, &slice, address, who);
}

static SCM
batch_add_segments (SCM batch, SCM buffer, SCM size, SCM to, SCM start, SCM end)
{
  static const char who[] = "batch-add-segments!";
  struct holder *holder = holder_of (batch, who);
  struct scm_skp__slice slice;
  const struct skp_address *address = NULL;

  scm_skp__out_slice (&slice, buffer, start, end, 2, 5, who);
  int64_t step = scm_skp__integer (size, 1, (int64_t)holder->size, 3, who);
  if (!SCM_UNBNDP (to) && scm_is_true (to))
    address = destination (holder, to, 4, who);
  int n = skp_batch_add_segments (holder->batch, slice.bytes, slice.size,
                                  (size_t)step, address);
  return SCM_I_MAKINUM (n > 0 ? n : 0);
}

/* Add to BATCH an answer to the sender of datagram INDEX of RECEIVED.  */
static SCM
batch_add_reply (SCM batch, SCM received, SCM index, SCM buffer, SCM start,
                 SCM end)
{
  static const char who[] = "batch-add-reply!";
  const struct holder *holder = holder_of (batch, who);
  struct scm_skp__slice slice;

  if (!SCM_SMOB_PREDICATE (batch_type, received))
    scm_wrong_type_arg_msg (who, 2, received, "batch");
  const struct holder *from = holder_of (received, who);
  datagram_of (from, index, 3, who);
  scm_skp__out_slice (&slice, buffer, start, end, 4, 5, who);
  return add (holder, &slice,
              skp_batch_address (from->batch, (size_t)SCM_I_INUM (index)), who);
}

static SCM
batch_resize (SCM batch, SCM index, SCM length)
{
  static const char who[] = "batch-resize!";
  const struct holder *holder = holder_of (batch, who);
  datagram_of (holder, index, 2, who);
  int64_t size = scm_skp__integer (length, 0, (int64_t)holder->size, 3, who);
  if (skp_batch_resize (holder->batch, (size_t)SCM_I_INUM (index), (size_t)size)
      < 0)
    scm_skp__out_of_range (length, "at most the datagram's present size", 3,
                           who);
  return SCM_UNSPECIFIED;
}

static SCM
batch_receive (SCM batch, SCM sock, SCM flags)
{
  static const char who[] = "batch-receive!";
  const struct holder *holder = holder_of (batch, who);
  int fd = scm_skp__fd (sock, 2, who);
  int bits = scm_skp__flags (flags, 0, 3, who);
  if (!(bits & MSG_DONTWAIT) && scm_skp__turn_over ())
    return SCM_BOOL_F;
  int n = skp_batch_recv (holder->batch, fd, bits);
  scm_remember_upto_here_1 (batch);
  if (n == -EAGAIN && !(bits & MSG_DONTWAIT))
    return SCM_BOOL_F;
  if (n < 0)
    scm_skp__error_at (n, who, fd, NULL);
  return SCM_I_MAKINUM (n);
}

/* n: all from START on went, and n is their number; -n: n did, and a blocking
   call would go on; (n . errno): n did, and errno is why the next did not.  */
static SCM
batch_send (SCM batch, SCM sock, SCM flags, SCM start)
{
  static const char who[] = "batch-send!";
  const struct holder *holder = holder_of (batch, who);
  int fd = scm_skp__fd (sock, 2, who);
  int bits = scm_skp__flags (flags, 0, 3, who), error;
  size_t from = 0, count;

  skp_batch_datagrams (holder->batch, &count);
  if (!SCM_UNBNDP (start))
    from = (size_t)scm_skp__integer (start, 0, (int64_t)count, 4, who);
  if (!(bits & MSG_DONTWAIT) && scm_skp__turn_over ())
    return SCM_BOOL_F;
  int n = skp_batch_send (holder->batch, fd, from, bits, &error);
  scm_remember_upto_here_1 (batch);
  if (error == 0)
    return SCM_I_MAKINUM (n);
  if (error == -EAGAIN && !(bits & MSG_DONTWAIT))
    return n > 0 ? SCM_I_MAKINUM (-n) : SCM_BOOL_F;
  return scm_cons (SCM_I_MAKINUM (n), scm_from_int (-error));
}

void
scm_skp__init_batch (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%make-batch", 3, 0, 0, make_batch },
    { "batch?", 1, 0, 0, is_batch },
    { "batch-slots", 1, 0, 0, batch_slots },
    { "batch-slot-size", 1, 0, 0, batch_slot_size },
    { "batch-bytes", 1, 0, 0, batch_bytes },
    { "batch-count", 1, 0, 0, batch_count },
    { "batch-start", 2, 0, 0, batch_start },
    { "batch-length", 2, 0, 0, batch_length },
    { "batch-segment-size", 2, 0, 0, batch_segment },
    { "batch-cut?", 2, 0, 0, batch_cut },
    { "batch-address", 2, 0, 0, batch_address },
    { "batch-ref", 2, 0, 0, batch_ref },
    { "batch-clear!", 1, 0, 0, batch_clear },
    { "batch-add!", 2, 3, 0, batch_add },
    { "batch-add-segments!", 3, 3, 0, batch_add_segments },
    { "batch-add-reply!", 4, 2, 0, batch_add_reply },
    { "batch-resize!", 3, 0, 0, batch_resize },
    { "%batch-receive!", 2, 1, 0, batch_receive },
    { "%batch-send", 2, 2, 0, batch_send },
  };
  batch_type = scm_make_smob_type ("batch", 0);
  scm_set_smob_free (batch_type, batch_free);
  scm_set_smob_print (batch_type, batch_print);
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
