/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The structures that socket options and control messages carry, as tables.

   A structure is a name and its fields; a field is where its value lies and how
   it is to be read.  The kernel may know a longer or a shorter form of a
   structure than the table: a field that lies beyond the bytes at hand has no
   value, and bytes beyond the last field are ignored.  */

#ifndef SKP_STRUCTURE_H
#define SKP_STRUCTURE_H

#include <stddef.h>
#include <sockport/field.h>

SKP_BEGIN_DECLS

struct skp_structure
{
  const char *name;
  size_t size; /* bytes */
  size_t count;
  const struct skp_field *fields;
};

/* The structure number INDEX of the table, NULL past its end; and the one
   called NAME ("tcp_info"; a hyphen counts as an underscore), or NULL.  */
SKP_API const struct skp_structure *skp_structure_at (size_t index);
SKP_API const struct skp_structure *skp_structure_named (const char *name);

SKP_END_DECLS

#endif /* SKP_STRUCTURE_H */
