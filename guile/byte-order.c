/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* htons and its siblings.  */

#include "convert.h"

void
scm_skp__init_byte_order (void)
{
}
