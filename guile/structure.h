/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The structures of options and control messages as Scheme records.  */

#ifndef SCM_SKP_STRUCTURE_H
#define SCM_SKP_STRUCTURE_H

#include "field.h"

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

#endif /* SCM_SKP_STRUCTURE_H */
