/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The structures that socket options and control messages carry, as tables.

   A structure is a name and its fields; a field is where its value lies and how
   it is to be read.  The kernel may know a longer or a shorter form of a
   structure than the table: a field that lies beyond the bytes at hand has no
   value, and bytes beyond the last field are ignored.  */

#ifndef SKP_STRUCTURE_H
#define SKP_STRUCTURE_H

#include <stddef.h>
#include <stdint.h>
#include <sockport/api.h>

SKP_BEGIN_DECLS

enum skp_field_kind
{
  SKP_FIELD_UNSIGNED, /* 1, 2, 4 or 8 bytes, or some bits of one byte */
  SKP_FIELD_SIGNED,
  SKP_FIELD_NETWORK, /* unsigned, stored most significant byte first */
  SKP_FIELD_WIDE,    /* a 16-byte number, most significant byte first */
  SKP_FIELD_BYTES,
  SKP_FIELD_ADDRESS /* a sockaddr with room for SIZE bytes */
};

struct skp_field
{
  const char *name;
  uint16_t offset;
  uint16_t size; /* bytes */
  uint8_t kind;
  uint8_t shift, width; /* of bits within one byte; width 0: all of them */
};

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

/* Read a field of kind UNSIGNED, SIGNED or NETWORK from the LENGTH bytes at
   BYTES into NUMBER, a negative one as its two's complement.  0, -ENODATA (it
   lies beyond LENGTH), -EINVAL (another kind).  */
SKP_API int skp_structure_load (const struct skp_field *field,
                                const void *bytes, size_t length,
                                uint64_t *number);

/* Write NUMBER, which for a SIGNED field is an int64_t, into the structure at
   BYTES.  0, -ERANGE (too large for the field), -EINVAL (another kind).  */
SKP_API int skp_structure_store (const struct skp_field *field, void *bytes,
                                 uint64_t number);

SKP_END_DECLS

#endif /* SKP_STRUCTURE_H */
