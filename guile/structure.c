/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Structures from the core's table as records.  The record types are made by
   the Scheme module (sockport structure), which registers them here.  */

#include "structure.h"
#include "error.h"
#include "primitive.h"

#include <string.h>

#define STRUCTURES_MAX 64
static SCM types[STRUCTURES_MAX]; /* 0: not registered */

static size_t
position (const struct skp_structure *structure)
{
  size_t i = 0;
  while (skp_structure_at (i) != structure)
    i++;
  return i;
}

/* The record type of STRUCTURE, or 0.  A C program gets here before anything
   has loaded the module.  */
static SCM
type_of (const struct skp_structure *structure)
{
  size_t at = position (structure);
  if (!SCM_UNPACK (types[at]))
    scm_c_resolve_module ("sockport structure");
  return types[at];
}

/* #f for a field that lies beyond LENGTH.  */
static SCM
field_from (const struct skp_field *field, const void *bytes, size_t length)
{
  struct skp_part part;
  return skp_field_load (field, bytes, length, &part) < 0
             ? SCM_BOOL_F
             : scm_skp__part_from (field, &part);
}

SCM
scm_skp__structure_from (const struct skp_structure *structure,
                         const void *bytes, size_t length)
{
  SCM type = type_of (structure);
  if (!SCM_UNPACK (type))
    return scm_skp__bytes_from (bytes, length);
  SCM record = scm_c_make_structv (type, 0, 0, NULL);
  for (size_t i = 0; i < structure->count; i++)
    SCM_STRUCT_SLOT_SET (record, i,
                         field_from (&structure->fields[i], bytes, length));
  return record;
}

int
scm_skp__is_structure (const struct skp_structure *structure, SCM value)
{
  return SCM_STRUCTP (value) && SCM_UNPACK (type_of (structure))
         && scm_is_eq (SCM_STRUCT_VTABLE (value), type_of (structure));
}

void
scm_skp__structure_to (const struct skp_structure *structure, void *bytes,
                       SCM value, int pos, const char *who)
{
  if (!scm_skp__is_structure (structure, value))
    scm_wrong_type_arg_msg (who, pos, value, structure->name);
  for (size_t i = 0; i < structure->count; i++)
    scm_skp__field_to (&structure->fields[i], bytes, structure->size,
                       SCM_STRUCT_SLOT_REF (value, i), pos, who);
}

/* A symbol as Scheme writes it: hyphens for underscores.  */
static SCM
symbol (const char *name)
{
  char text[64] = { 0 };
  for (size_t i = 0; name[i] && i < sizeof text - 1; i++)
    text[i] = name[i] == '_' ? '-' : name[i];
  return scm_from_utf8_symbol (text);
}

/* A list with a list for each structure: its name and those of its fields.  */
static SCM
structures (void)
{
  const struct skp_structure *s;
  SCM list = SCM_EOL;
  for (size_t i = 0; (s = skp_structure_at (i)); i++)
    {
      SCM names = SCM_EOL;
      for (size_t k = s->count; k-- > 0;)
        names = scm_cons (symbol (s->fields[k].name), names);
      list = scm_cons (scm_cons (symbol (s->name), names), list);
    }
  return scm_reverse_x (list, SCM_EOL);
}

static const struct skp_structure *
structure_named (SCM name, const char *who)
{
  const struct skp_structure *s;
  SCM_ASSERT_TYPE (scm_is_symbol (name), name, 1, who, "symbol");
  for (size_t i = 0; (s = skp_structure_at (i)); i++)
    if (scm_is_eq (symbol (s->name), name))
      return s;
  scm_skp__out_of_range (name, "the name of a structure", 1, who);
}

static SCM
set_type (SCM name, SCM type)
{
  static const char who[] = "%set-structure-type!";
  const struct skp_structure *structure = structure_named (name, who);
  SCM_ASSERT_TYPE (scm_is_true (scm_struct_vtable_p (type)), type, 2, who,
                   "record type");
  types[position (structure)] = scm_gc_protect_object (type);
  return SCM_UNSPECIFIED;
}

static SCM
structure_to_bytevector (SCM name, SCM record)
{
  static const char who[] = "structure->bytevector";
  const struct skp_structure *structure = structure_named (name, who);
  SCM bytes = scm_c_make_bytevector (structure->size);
  memset (SCM_BYTEVECTOR_CONTENTS (bytes), 0, structure->size);
  scm_skp__structure_to (structure, SCM_BYTEVECTOR_CONTENTS (bytes), record, 2,
                         who);
  return bytes;
}

static SCM
bytevector_to_structure (SCM name, SCM bytes)
{
  static const char who[] = "bytevector->structure";
  const struct skp_structure *structure = structure_named (name, who);
  SCM_ASSERT_TYPE (scm_is_bytevector (bytes), bytes, 2, who, "bytevector");
  return scm_skp__structure_from (structure, SCM_BYTEVECTOR_CONTENTS (bytes),
                                  SCM_BYTEVECTOR_LENGTH (bytes));
}

void
scm_skp__init_structure (void)
{
  static const struct scm_skp__primitive primitives[]
      = { { "%structures", 0, 0, 0, structures },
          { "%set-structure-type!", 2, 0, 0, set_type },
          { "structure->bytevector", 2, 0, 0, structure_to_bytevector },
          { "bytevector->structure", 2, 0, 0, bytevector_to_structure } };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
