/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The structures of options and control messages as Scheme records.  */

#ifndef SCM_SKP_STRUCTURE_H
#define SCM_SKP_STRUCTURE_H

#include "convert.h"

#include <sockport/structure.h>

/* The record of STRUCTURE for LENGTH bytes at BYTES; a field that they do not
   reach is #f.  A bytevector if (sockport structure) cannot be loaded.  */
SCM scm_skp__structure_from (const struct skp_structure *structure,
                             const void *bytes, size_t length);

/* Whether VALUE is a record of STRUCTURE.  */
int scm_skp__is_structure (const struct skp_structure *structure, SCM value);

/* The structure's bytes from its record VALUE; refuses all else.  */
void scm_skp__structure_to (const struct skp_structure *structure, void *bytes,
                            SCM value, int pos, const char *who);

/* One field of STRUCTURE at BYTES from VALUE.  */
void scm_skp__field_to (const struct skp_field *field, void *bytes, SCM value,
                        int pos, const char *who);

/* VALUE as 64 bits, an integer from 0 to 2^64 - 1; if IS_SIGNED, from -2^63 to
   2^63 - 1.  */
uint64_t scm_skp__bits (SCM value, int is_signed, int pos, const char *who);

SCM scm_skp__bytes_from (const void *bytes, size_t length);

#endif /* SCM_SKP_STRUCTURE_H */
