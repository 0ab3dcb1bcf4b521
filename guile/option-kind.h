/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the kinds of option values share: option-value.c has the table, and
   option-interface.c those that name interfaces.  */

#ifndef SCM_SKP_OPTION_KIND_H
#define SCM_SKP_OPTION_KIND_H

#include "option-value.h"

/* The argument that a value is made from, for messages.  */
struct source
{
  SCM value;
  int pos;
  const char *who;
};

typedef SCM from_function (const struct skp_option *, const unsigned char *,
                           size_t);
typedef void to_function (struct scm_skp__value *, const struct skp_option *,
                          const struct source *);

/* LENGTH bytes at BYTES as the value.  */
void scm_skp__give (struct scm_skp__value *to, const void *bytes,
                    size_t length);

from_function scm_skp__network_interface_from;
to_function scm_skp__structure_value, scm_skp__membership_to,
    scm_skp__interface_to, scm_skp__network_interface_to,
    scm_skp__address_interface_to;

#endif /* SCM_SKP_OPTION_KIND_H */
