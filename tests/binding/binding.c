/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* See binding.h.  */

#include "binding.h"

#include <string.h>

/* Before main counts descriptors: Guile opens some of its own.  */
__attribute__ ((constructor)) static void
enter_guile (void)
{
  scm_init_guile ();
  scm_run_finalizers ();
}

struct call
{
  SCM procedure, arguments;
};

static SCM
apply (void *data)
{
  struct call *call = data;
  scm_apply_0 (call->procedure, call->arguments);
  return SCM_BOOL_F;
}

static SCM
caught (void *data, SCM key, SCM args)
{
  (void)data;
  return scm_cons (key, args);
}

/* The position or errno of an exception's (key who message arguments rest):
   the first argument of the message, or the first of the rest.  */
static int
detail (SCM thrown)
{
  SCM key = SCM_CAR (thrown);
  SCM from = scm_is_eq (key, scm_from_utf8_symbol ("system-error"))
                 ? scm_list_ref (thrown, scm_from_int (4))
                 : scm_list_ref (thrown, scm_from_int (3));
  return scm_to_int (SCM_CAR (from));
}

void
assert_throws (const char *key, int position, const char *who,
               SCM (*function) (), const SCM *arguments)
{
  int count = 0;
  SCM list = SCM_EOL;
  while (!SCM_UNBNDP (arguments[count]))
    count++;
  for (int i = count; i-- > 0;)
    list = scm_cons (arguments[i], list);
  struct call call = { scm_c_make_gsubr ("function", count, 0, 0,
                                         __extension__(scm_t_subr) function),
                       list };
  SCM thrown = scm_internal_catch (SCM_BOOL_T, apply, &call, caught, NULL);
  assert_true (scm_is_pair (thrown));
  assert_true (scm_is_eq (SCM_CAR (thrown), scm_from_utf8_symbol (key)));
  assert_true (scm_is_true (
      scm_equal_p (SCM_CADR (thrown), scm_from_utf8_string (who))));
  assert_int_equal (detail (thrown), position);
}
