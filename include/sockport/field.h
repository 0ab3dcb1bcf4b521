/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A value at a place in bytes: what addresses, control messages and structures
   are made of.  Their tables say which fields there are; what a field's bytes
   mean is the same in all of them.

   Numbers are in host order.  Memory belongs to the caller and needs no
   alignment; a value that is bytes points into what it was taken from.  */

#ifndef SKP_FIELD_H
#define SKP_FIELD_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <sockport/api.h>

SKP_BEGIN_DECLS

enum skp_field_kind
{
  SKP_FIELD_UNSIGNED, /* 1, 2, 4 or 8 bytes, or some bits of one byte */
  SKP_FIELD_NETWORK,  /* the same, stored most significant byte first */
  SKP_FIELD_SIGNED,   /* the number holds it in two's complement */
  SKP_FIELD_TIMEVAL,  /* seconds and microseconds: signed nanoseconds */
  SKP_FIELD_TIMESPEC, /* seconds and nanoseconds: signed nanoseconds */
  SKP_FIELD_WIDE,     /* bytes: a number of 16, most significant first */
  SKP_FIELD_NAME,     /* bytes: a UNIX name, a pathname, abstract or none */
  SKP_FIELD_BYTES,
  SKP_FIELD_ADDRESS,    /* bytes: a sockaddr */
  SKP_FIELD_DESCRIPTORS /* bytes: file descriptors */
};

struct skp_field
{
  const char *name;
  uint16_t offset;
  uint16_t size; /* bytes; of an open field the most, and 0 for any number */
  uint8_t kind;
  uint8_t shift, width;  /* of bits within one byte; width 0: all of them */
  uint8_t open;          /* 1: it ends where the bytes end, ... */
  uint8_t length_offset; /* ... or after as many as stands here, if not 0 */
};

/* The value of a field: a number, or else LENGTH bytes at BYTES.  A name
   without bytes (NULL) is that of a socket that has none; binding to it lets
   the kernel choose (autobind).  */
struct skp_part
{
  uint64_t number;
  const void *bytes;
  size_t length;
};

/* The number in FIELD, of kind UNSIGNED or NETWORK and not of bits, of the
   structure at BYTES.  */
static inline uint64_t
skp_field_number (const struct skp_field *field, const void *bytes)
{
  const unsigned char *at = (const unsigned char *)bytes + field->offset;
  int network = field->kind == SKP_FIELD_NETWORK;
  uint16_t two;
  uint32_t four;
  uint64_t eight;

  switch (field->size)
    {
    case 2:
      memcpy (&two, at, 2);
      return network ? be16toh (two) : two;
    case 4:
      memcpy (&four, at, 4);
      return network ? be32toh (four) : four;
    case 8:
      memcpy (&eight, at, 8);
      return network ? be64toh (eight) : eight;
    default:
      return *at;
    }
}

/* Take the value of FIELD from the LENGTH bytes at BYTES.  0, -ENODATA (it lies
   beyond LENGTH), or -ERANGE (a time that no clock shows).  */
SKP_API int skp_field_load (const struct skp_field *field, const void *bytes,
                            size_t length, struct skp_part *part);

/* Put PART, of which a SIGNED number or a time is an int64_t, into the SIZE
   bytes at BYTES.  Fewer bytes than the field has are followed by zeros.
   Returns the offset past the field, or -ERANGE (a number that does not fit),
   -ENAMETOOLONG (too many bytes for the field), -EINVAL (bytes that are no such
   value, a pathname with a NUL inside for one), -ENOSPC (too many for SIZE);
   and nothing is written.  */
SKP_API ssize_t skp_field_store (const struct skp_field *field, void *bytes,
                                 size_t size, const struct skp_part *part);

SKP_END_DECLS

#endif /* SKP_FIELD_H */
