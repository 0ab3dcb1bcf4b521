/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* See field.h.  */

#include "field.h"
#include "error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "message.h"

SCM
scm_skp__bytes_from (const void *bytes, size_t length)
{
  SCM vector = scm_c_make_bytevector (length);
  if (length > 0)
    memcpy (SCM_BYTEVECTOR_CONTENTS (vector), bytes, length);
  return vector;
}

static int
is_signed (const struct skp_field *field)
{
  return field->kind >= SKP_FIELD_SIGNED && field->kind <= SKP_FIELD_TIMESPEC;
}

/* A sockaddr is often followed by room for a longer one.  */
static SCM
address_from (const struct skp_part *part)
{
  struct skp_address address = { .length = (socklen_t)part->length };
  if (part->length > sizeof address.storage)
    address.length = sizeof address.storage;
  memcpy (&address.storage, part->bytes, address.length);
  int family = skp_address_number (&address);
  const struct skp_family *rules = skp_address_family (family);
  if (rules->length && rules->length < address.length)
    address.length = rules->length;
  return family == AF_UNSPEC ? SCM_BOOL_F : scm_skp__address_from (&address);
}

/* What the kernel could not make a descriptor for (a process that has gone) is
   #f.  */
static SCM
descriptors_from (unsigned char *bytes, size_t length)
{
  SCM list = SCM_EOL;
  for (size_t i = 0; i + sizeof (int) <= length; i += sizeof (int))
    {
      int fd, none = -1;
      memcpy (&fd, bytes + i, sizeof fd);
      /* From here on it is the owner's to close.  */
      memcpy (bytes + i, &none, sizeof none);
      list = scm_cons (fd < 0 ? SCM_BOOL_F : scm_skp__owner (fd), list);
    }
  return scm_reverse_x (list, SCM_EOL);
}

SCM
scm_skp__part_from (const struct skp_field *field, const struct skp_part *part)
{
  switch (field->kind)
    {
    case SKP_FIELD_WIDE:
      return scm_skp__wide_from (part->bytes);
    case SKP_FIELD_NAME:
      return part->bytes ? scm_skp__name_from (part->bytes, part->length)
                         : SCM_BOOL_F;
    case SKP_FIELD_BYTES:
      return scm_skp__bytes_from (part->bytes, part->length);
    case SKP_FIELD_ADDRESS:
      return address_from (part);
    case SKP_FIELD_DESCRIPTORS:
      return descriptors_from ((unsigned char *)part->bytes, part->length);
    default:
      return is_signed (field) ? scm_from_int64 ((int64_t)part->number)
                               : scm_from_uint64 (part->number);
    }
}

/* The range is looked at first, because libguile's conversions crash on some
   integers.  */
int
scm_skp__bits (SCM value, int is_signed, uint64_t *bits)
{
  if (SCM_I_INUMP (value))
    {
      *bits = (uint64_t)SCM_I_INUM (value);
      return SCM_I_INUM (value) < 0 && !is_signed ? -ERANGE : 0;
    }
  if (!scm_is_exact_integer (value))
    return -EINVAL;
  if (is_signed ? !scm_is_signed_integer (value, INT64_MIN, INT64_MAX)
                : !scm_is_unsigned_integer (value, 0, UINT64_MAX))
    return -ERANGE;
  *bits = is_signed ? (uint64_t)scm_to_int64 (value) : scm_to_uint64 (value);
  return 0;
}

_Noreturn void
scm_skp__refuse_number (const struct skp_field *field, SCM value, int pos,
                        const char *who)
{
  int width = field->width ? field->width : 8 * field->size;
  int64_t half = INT64_C (1) << (width < 64 ? width - 1 : 62);

  if (width < 64 || !scm_is_exact_integer (value))
    scm_skp__refuse_integer (value, is_signed (field) ? -half : 0,
                             is_signed (field) ? half - 1 : 2 * (half - 1) + 1,
                             pos, who);
  scm_skp__out_of_range (
      value, is_signed (field) ? "-2^63 to 2^63 - 1" : "0 to 2^64 - 1", pos,
      who);
}

static void
address_to (struct skp_part *part, struct skp_address *address, SCM value,
            int pos, const char *who)
{
  if (scm_is_false (value))
    return;
  scm_skp__address_to (address, value, pos, who);
  part->bytes = &address->storage;
  part->length = address->length;
}

static void
descriptors_to (struct skp_part *part, SCM list, int pos, const char *who)
{
  long count = scm_ilength (list);
  if (count < 0)
    scm_wrong_type_arg_msg (who, pos, list, "list of ports");
  int *fds = scm_gc_malloc_pointerless ((size_t)count * sizeof *fds + 1,
                                        "descriptors");
  for (long i = 0; i < count; i++, list = SCM_CDR (list))
    fds[i] = scm_skp__owned (SCM_CAR (list), pos, who);
  part->bytes = fds;
  part->length = (size_t)count * sizeof *fds;
}

static void
bytes_to (struct skp_part *part, SCM value, int pos, const char *who)
{
  if (!SCM_BYTEVECTOR_P (value))
    scm_wrong_type_arg_msg (who, pos, value, "bytevector");
  part->bytes = SCM_BYTEVECTOR_CONTENTS (value);
  part->length = SCM_BYTEVECTOR_LENGTH (value);
}

static int
number_to (struct skp_part *part, const struct skp_field *field, SCM value,
           int pos, const char *who)
{
  int err = scm_skp__bits (value, is_signed (field), &part->number);
  if (err == -EINVAL)
    scm_skp__refuse_number (field, value, pos, who);
  return err;
}

int
scm_skp__part_to (struct skp_part *part, struct scm_skp__room *room,
                  const struct skp_field *field, SCM value, int pos,
                  const char *who)
{
  *part = (struct skp_part){ 0 };
  switch (field->kind)
    {
    case SKP_FIELD_WIDE:
      scm_skp__wide_to (room->wide, value, pos, who);
      part->bytes = room->wide;
      part->length = sizeof room->wide;
      return 0;
    case SKP_FIELD_NAME:
      if (!scm_is_false (value))
        part->bytes = scm_skp__name_to (value, &part->length, pos, who);
      return 0;
    case SKP_FIELD_BYTES:
      bytes_to (part, value, pos, who);
      return 0;
    case SKP_FIELD_ADDRESS:
      address_to (part, &room->address, value, pos, who);
      return 0;
    case SKP_FIELD_DESCRIPTORS:
      descriptors_to (part, value, pos, who);
      return 0;
    default:
      return number_to (part, field, value, pos, who);
    }
}

void
scm_skp__field_to (const struct skp_field *field, void *bytes, size_t size,
                   SCM value, int pos, const char *who)
{
  struct scm_skp__room room;
  struct skp_part part;
  ssize_t past = scm_skp__part_to (&part, &room, field, value, pos, who);

  if (past == 0)
    past = skp_field_store (field, bytes, size, &part);
  scm_remember_upto_here_1 (value);
  if (past == -ERANGE)
    scm_skp__refuse_number (field, value, pos, who);
  if (past < 0)
    {
      char bounds[32];
      snprintf (bounds, sizeof bounds, "at most %u bytes", field->size);
      scm_skp__out_of_range (value, bounds, pos, who);
    }
}
