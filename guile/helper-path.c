/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Where the helper of look-ups is installed: all that the binding knows of the
   prefix.  */

#include "helper-path.h"

const char scm_skp__resolve_helper[] = SKP_RESOLVE_HELPER;
