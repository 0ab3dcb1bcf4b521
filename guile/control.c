/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Control messages as records of level, type and data, by the core's table. The
   data is an integer, an address, a bytevector, a list of ports, or, of several
   fields, a vector of those.  */

#include "message.h"

#include <errno.h>
#include <string.h>
#include <sockport/guile.h>

SCM scm_skp__control_type;

SCM
scm_skp__record_type (const char *name, const char *fields)
{
  SCM make = scm_c_public_ref ("guile", "make-record-type");
  SCM list
      = scm_string_split (scm_from_utf8_string (fields), SCM_MAKE_CHAR (' '));
  SCM symbols = SCM_EOL;
  for (; scm_is_pair (list); list = SCM_CDR (list))
    symbols = scm_cons (scm_string_to_symbol (SCM_CAR (list)), symbols);
  return scm_permanent_object (scm_call_2 (make, scm_from_utf8_symbol (name),
                                           scm_reverse_x (symbols, SCM_EOL)));
}

/* What the fields of one control message are made of while it is built.  */
struct builder
{
  int pos;
  const char *who;
  unsigned char wide[16];
  struct skp_address address;
};

static uint64_t
integer_to (struct builder *b, SCM value)
{
  uint64_t number = 0;
  if (SCM_I_INUMP (value))
    return (uint64_t)SCM_I_INUM (value);
  scm_skp__wide_to (b->wide, value, b->pos, b->who);
  for (int i = 0; i < 16; i++)
    {
      if (number >> 56)
        scm_skp__out_of_range (value, "0 to 2^64 - 1", b->pos, b->who);
      number = number << 8 | b->wide[i];
    }
  return number;
}

static void
descriptors_to (struct builder *b, struct skp_part *part, SCM list)
{
  long count = scm_ilength (list);
  if (count < 0)
    scm_wrong_type_arg_msg (b->who, b->pos, list, "list of ports");
  int *fds = scm_gc_malloc_pointerless ((size_t)count * sizeof *fds + 1,
                                        "descriptors");
  for (long i = 0; i < count; i++, list = SCM_CDR (list))
    fds[i] = scm_skp__owned (SCM_CAR (list), b->pos, b->who);
  part->bytes = fds;
  part->length = (size_t)count * sizeof *fds;
}

static void
bytes_to (struct builder *b, struct skp_part *part, SCM value)
{
  if (!SCM_BYTEVECTOR_P (value))
    scm_wrong_type_arg_msg (b->who, b->pos, value, "bytevector");
  part->bytes = SCM_BYTEVECTOR_CONTENTS (value);
  part->length = SCM_BYTEVECTOR_LENGTH (value);
}

static void
field_to (struct builder *b, struct skp_part *part, SCM value,
          const struct skp_control_field *field)
{
  *part = (struct skp_part){ 0 };
  switch (field->kind)
    {
    case SKP_CONTROL_INET6:
      scm_skp__wide_to (b->wide, value, b->pos, b->who);
      part->bytes = b->wide;
      part->length = sizeof b->wide;
      break;
    case SKP_CONTROL_ADDRESS:
      if (scm_is_false (value))
        break;
      scm_skp__address_to (&b->address, value, b->pos, b->who);
      part->bytes = &b->address.storage;
      part->length = b->address.length;
      break;
    case SKP_CONTROL_DESCRIPTORS:
      descriptors_to (b, part, value);
      break;
    case SKP_CONTROL_BYTES:
      bytes_to (b, part, value);
      break;
    default:
      part->number = integer_to (b, value);
    }
}

/* Does DATA have the shape of the row's data?  */
static int
shape_fits (const struct skp_control_layout *layout, SCM data)
{
  if (layout->count == 1)
    return scm_is_vector (data)
           == (layout->fields[0].kind == SKP_CONTROL_ADDRESS);
  return scm_is_vector (data) && scm_c_vector_length (data) == layout->count;
}

static ssize_t
encode_as (struct builder *b, const struct skp_control_type *type, SCM data,
           void *room, size_t size)
{
  struct skp_part parts[SKP_CONTROL_FIELDS];
  const struct skp_control_layout *layout = type->layout;
  for (int i = 0; i < layout->count; i++)
    field_to (b, &parts[i],
              layout->count == 1 ? data : scm_c_vector_ref (data, (size_t)i),
              &layout->fields[i]);
  return skp_control_encode (type, parts, layout->count, room, size);
}

/* Encode DATA for LEVEL and TYPE by the first row that takes it.  */
static size_t
encode (struct builder *b, int level, int type, SCM data, void *room,
        size_t size)
{
  const struct skp_control_type *row;
  ssize_t length = -EINVAL;

  for (size_t i = 0; length < 0 && (row = skp_control_at (i)); i++)
    if (row->level == level && row->type == type
        && shape_fits (row->layout, data))
      length = encode_as (b, row, data, room, size);
  if (length == -ERANGE)
    scm_skp__out_of_range (data, "what the control message's type holds",
                           b->pos, b->who);
  if (length < 0)
    scm_wrong_type_arg_msg (b->who, b->pos, data,
                            "data of the control message's type");
  return (size_t)length;
}

void
scm_skp__control_room (struct scm_skp__control *control, size_t size)
{
  control->size = size;
  control->bytes = size <= sizeof control->few
                       ? control->few
                       : scm_gc_malloc_pointerless (size, "control messages");
}

#define FIELDS_MAX 256 /* what no data of several fields exceeds */

static size_t
room_for (SCM data)
{
  if (SCM_BYTEVECTOR_P (data))
    return skp_control_space (SCM_BYTEVECTOR_LENGTH (data));
  long count = scm_ilength (data);
  return skp_control_space (count > 0 ? (size_t)count * sizeof (int)
                                      : FIELDS_MAX);
}

static SCM
message_field (SCM message, int index)
{
  return SCM_STRUCT_SLOT_REF (message, index);
}

static size_t
room_for_all (SCM list, int pos, const char *who)
{
  size_t size = 0;
  if (scm_ilength (list) < 0)
    scm_wrong_type_arg_msg (who, pos, list, "list of control messages");
  for (; scm_is_pair (list); list = SCM_CDR (list))
    {
      SCM message = SCM_CAR (list);
      if (!SCM_STRUCTP (message)
          || !scm_is_eq (SCM_STRUCT_VTABLE (message), scm_skp__control_type))
        scm_wrong_type_arg_msg (who, pos, message, "control message");
      size += room_for (message_field (message, 2));
    }
  return size;
}

void
scm_skp__control_to (struct scm_skp__control *control, SCM list, int pos,
                     const char *who)
{
  size_t data_at = skp_control_data_offset (), at = 0;

  scm_skp__control_room (control, room_for_all (list, pos, who));
  for (; scm_is_pair (list); list = SCM_CDR (list))
    {
      SCM message = SCM_CAR (list), data = message_field (message, 2);
      struct builder b = { .pos = pos, .who = who };
      int64_t low = INT32_MIN, high = INT32_MAX;
      struct skp_control_item item = {
        (int)scm_skp__integer (message_field (message, 0), low, high, pos, who),
        (int)scm_skp__integer (message_field (message, 1), low, high, pos, who),
        (char *)control->bytes + at + data_at, 0
      };
      if (SCM_BYTEVECTOR_P (data))
        {
          item.bytes = SCM_BYTEVECTOR_CONTENTS (data);
          item.length = SCM_BYTEVECTOR_LENGTH (data);
        }
      else
        item.length = encode (&b, item.level, item.type, data,
                              (void *)item.bytes, control->size - at - data_at);
      at = (size_t)skp_control_append (control->bytes, control->size, at,
                                       &item);
    }
  control->size = at;
}

/* Owners for the descriptors in LENGTH bytes at BYTES.  What the kernel could
   not make a descriptor for (a process that has gone) is #f.  */
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

static SCM
address_from (const struct skp_part *part)
{
  struct skp_address address = { 0 };
  size_t length = part->length;
  if (length > sizeof address.storage)
    length = sizeof address.storage;
  memcpy (&address.storage, part->bytes, length);
  address.length = (socklen_t)length;
  return skp_address_number (&address) == AF_UNSPEC
             ? SCM_BOOL_F
             : scm_skp__address_from (&address);
}

static SCM
bytes_from (const struct skp_part *part)
{
  SCM bytes = scm_c_make_bytevector (part->length);
  memcpy (SCM_BYTEVECTOR_CONTENTS (bytes), part->bytes, part->length);
  return bytes;
}

static SCM
field_from (const struct skp_part *part, int kind)
{
  switch (kind)
    {
    case SKP_CONTROL_UNSIGNED:
    case SKP_CONTROL_INET:
      return scm_from_uint64 (part->number);
    case SKP_CONTROL_INET6:
      return scm_skp__wide_from (part->bytes);
    case SKP_CONTROL_ADDRESS:
      return address_from (part);
    case SKP_CONTROL_DESCRIPTORS:
      return descriptors_from ((unsigned char *)part->bytes, part->length);
    case SKP_CONTROL_BYTES:
      return bytes_from (part);
    default:
      return scm_from_int64 ((int64_t)part->number);
    }
}

static SCM
item_from (const struct skp_control_item *item)
{
  struct skp_part parts[SKP_CONTROL_FIELDS];
  const struct skp_control_layout *layout
      = skp_control_decode (item, parts)->layout;
  SCM data;

  if (layout->count == 1)
    data = field_from (&parts[0], layout->fields[0].kind);
  else
    {
      data = scm_c_make_vector (layout->count, SCM_BOOL_F);
      for (int i = 0; i < layout->count; i++)
        SCM_SIMPLE_VECTOR_SET (data, i,
                               field_from (&parts[i], layout->fields[i].kind));
    }
  scm_t_bits fields[]
      = { SCM_UNPACK (scm_from_int (item->level)),
          SCM_UNPACK (scm_from_int (item->type)), SCM_UNPACK (data) };
  return scm_c_make_structv (scm_skp__control_type, 0, 3, fields);
}

SCM
scm_skp__control_from (void *control, size_t length)
{
  struct skp_control_item item;
  size_t at = 0;
  SCM list = SCM_EOL;
  while (skp_control_next (control, length, &at, &item) > 0)
    list = scm_cons (item_from (&item), list);
  return scm_reverse_x (list, SCM_EOL);
}

/* The table: a list of (name level type field …).  */
static SCM
control_types (void)
{
  const struct skp_control_type *type;
  SCM list = SCM_EOL;
  for (size_t i = 0; (type = skp_control_at (i)); i++)
    {
      SCM fields = SCM_EOL;
      for (int k = type->layout->count - 1; k >= 0; k--)
        fields = scm_cons (scm_from_utf8_symbol (type->layout->fields[k].name),
                           fields);
      list = scm_cons (scm_cons2 (scm_from_utf8_symbol (type->name),
                                  scm_from_int (type->level),
                                  scm_cons (scm_from_int (type->type), fields)),
                       list);
    }
  return scm_reverse_x (list, SCM_EOL);
}

void
scm_skp__control_type_make (void)
{
  scm_skp__control_type
      = scm_skp__record_type ("control-message", "level type data");
}

void
scm_skp__init_control (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%control-types", 0, 0, 0, control_types },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
