/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The values of fields (sockport/field.h) in Scheme: integers, names,
   bytevectors, addresses and lists of ports, for addresses, control messages
   and structures alike.  */

#ifndef SCM_SKP_FIELD_H
#define SCM_SKP_FIELD_H

#include "value.h"

#include <sockport/field.h>

/* What the value of PART of FIELD is in Scheme; #f for a name or an address
   that there is not.  Descriptors get owners, and -1 takes their place.  */
SCM scm_skp__part_from (const struct skp_field *field,
                        const struct skp_part *part);

/* Memory for a part that is made of more than VALUE itself.  */
struct scm_skp__room
{
  unsigned char wide[16];
  struct skp_address address;
};

/* The PART of FIELD that VALUE stands for, which may point into ROOM.  0, or
   -ERANGE for an integer that no such field holds; anything but the right type
   is refused.  */
int scm_skp__part_to (struct skp_part *part, struct scm_skp__room *room,
                      const struct skp_field *field, SCM value, int pos,
                      const char *who);

/* Refuse VALUE, no integer or one that FIELD does not hold.  */
_Noreturn void scm_skp__refuse_number (const struct skp_field *field, SCM value,
                                       int pos, const char *who);

/* Put VALUE into FIELD of the SIZE bytes at BYTES, or refuse it.  */
void scm_skp__field_to (const struct skp_field *field, void *bytes, size_t size,
                        SCM value, int pos, const char *who);

/* VALUE as 64 bits, an integer from 0 to 2^64 - 1; if IS_SIGNED, from -2^63 to
   2^63 - 1.  0, or -ERANGE for another integer, -EINVAL for what is none.  */
int scm_skp__bits (SCM value, int is_signed, uint64_t *bits);

SCM scm_skp__bytes_from (const void *bytes, size_t length);

#endif /* SCM_SKP_FIELD_H */
