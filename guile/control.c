/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Control messages as records of level, type and data, by the core's table. The
   data is an integer, an address, a bytevector, a list of ports, or, of several
   fields, a vector of those.  */

#include "error.h"
#include "field.h"
#include "message.h"
#include "primitive.h"

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

/* Does DATA have the shape of the row's data?  */
static int
shape_fits (const struct skp_control_layout *layout, SCM data)
{
  if (layout->count == 1)
    return scm_is_vector (data)
           == (layout->fields[0].kind == SKP_FIELD_ADDRESS);
  return scm_is_vector (data) && scm_c_vector_length (data) == layout->count;
}

static ssize_t
encode_as (const struct skp_control_type *type, SCM data, void *room,
           size_t size, int pos, const char *who)
{
  struct skp_part parts[SKP_CONTROL_FIELDS];
  struct scm_skp__room memory;
  const struct skp_control_layout *layout = type->layout;
  int err = 0;
  for (int i = 0; err == 0 && i < layout->count; i++)
    err = scm_skp__part_to (
        &parts[i], &memory, &layout->fields[i],
        layout->count == 1 ? data : scm_c_vector_ref (data, (size_t)i), pos,
        who);
  return err < 0 ? err
                 : skp_control_encode (type, parts, layout->count, room, size);
}

/* Encode DATA for LEVEL and TYPE by the first row that takes it.  */
static size_t
encode (int level, int type, SCM data, void *room, size_t size, int pos,
        const char *who)
{
  const struct skp_control_type *row;
  ssize_t length = -EINVAL;

  for (size_t i = 0; length < 0 && (row = skp_control_at (i)); i++)
    if (row->level == level && row->type == type
        && shape_fits (row->layout, data))
      length = encode_as (row, data, room, size, pos, who);
  if (length == -ERANGE)
    scm_skp__out_of_range (data, "what the control message's type holds", pos,
                           who);
  if (length < 0)
    scm_wrong_type_arg_msg (who, pos, data,
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
        item.length = encode (item.level, item.type, data, (void *)item.bytes,
                              control->size - at - data_at, pos, who);
      at = (size_t)skp_control_append (control->bytes, control->size, at,
                                       &item);
    }
  control->size = at;
}

static SCM
item_from (const struct skp_control_item *item)
{
  struct skp_part parts[SKP_CONTROL_FIELDS];
  const struct skp_control_layout *layout
      = skp_control_decode (item, parts)->layout;
  SCM data;

  if (layout->count == 1)
    data = scm_skp__part_from (&layout->fields[0], &parts[0]);
  else
    {
      data = scm_c_make_vector (layout->count, SCM_BOOL_F);
      for (int i = 0; i < layout->count; i++)
        SCM_SIMPLE_VECTOR_SET (
            data, i, scm_skp__part_from (&layout->fields[i], &parts[i]));
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
