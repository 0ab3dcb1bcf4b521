/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* getsockopt and setsockopt.  */

#include "convert.h"

void
scm_skp__init_option (void)
{
}
