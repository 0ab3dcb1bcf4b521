/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the tests of the C functions for Guile share.  Each prints TAP.  */

#ifndef SKP_GUILE_TEST_H
#define SKP_GUILE_TEST_H

#include <libguile.h>
#include <stdio.h>

static int points, failures;

static void
check (int holds, const char *what)
{
  printf ("%sok %d - %s\n", holds ? "" : "not ", ++points, what);
  failures += !holds;
}

static SCM
number (long value)
{
  return scm_from_long (value);
}

#define ABSENT SCM_UNDEFINED
/* What a body throws, (KEY . ARGS), or #f.  */
static SCM
handler (void *data, SCM key, SCM args)
{
  (void)data;
  return scm_cons (key, args);
}

static SCM
thrown (SCM (*body) (void *), void *data)
{
  return scm_internal_catch (SCM_BOOL_T, body, data, handler, NULL);
}

static int
threw (SCM error, const char *key)
{
  return scm_is_pair (error)
         && scm_is_eq (SCM_CAR (error), scm_from_utf8_symbol (key));
}

static int
errno_of (SCM error)
{
  if (!threw (error, "system-error"))
    return 0;
  return scm_to_int (scm_car (scm_list_ref (error, number (4))));
}

#endif /* SKP_GUILE_TEST_H */
