/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the tests of the C functions share.  They run in Guile mode.  */

#ifndef SKP_TEST_BINDING_H
#define SKP_TEST_BINDING_H

#include "test.h"

#include <libguile.h>
#include <sockport/guile.h>

/* FUNCTION with ARGUMENTS, up to SCM_UNDEFINED, must throw KEY at the argument
   POSITION, or with the errno POSITION if KEY is "system-error".  */
void assert_throws (const char *key, int position, const char *who,
                    SCM (*function) (), const SCM *arguments);

#define THROWS(key, position, who, function, ...)                              \
  assert_throws (key, position, who, (SCM (*) ())function,                     \
                 (SCM[]){ __VA_ARGS__, SCM_UNDEFINED })

#endif /* SKP_TEST_BINDING_H */
