/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The values of options: from the kernel's bytes and back, by kind.  */

#ifndef SCM_SKP_OPTION_VALUE_H
#define SCM_SKP_OPTION_VALUE_H

#include "value.h"

#include <sockport/option.h>

#define VALUE_ROOM 512

/* What setsockopt is to be given.  */
struct scm_skp__value
{
  const void *bytes; /* STORE, or memory of the collector or of the caller */
  size_t length;
  unsigned char store[VALUE_ROOM] __attribute__ ((aligned (8)));
};

/* The Scheme value of LENGTH bytes at BYTES; OPTION NULL is one that the table
   lacks.  */
SCM scm_skp__option_from (const struct skp_option *option, const void *bytes,
                          size_t length);

/* What Scheme calls the kind of OPTION.  */
const char *scm_skp__option_kind (const struct skp_option *option);

/* How many bytes the kernel may return; 0 if that varies.  */
size_t scm_skp__option_room (const struct skp_option *option);

/* Make VALUE from the Scheme value SCHEME, the argument POS of WHO.  */
void scm_skp__option_to (struct scm_skp__value *value,
                         const struct skp_option *option, SCM scheme, int pos,
                         const char *who);

#endif /* SCM_SKP_OPTION_VALUE_H */
