/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Contexts, as pointers that let go of theirs when they are collected.  What a
   context is filled with has been read from files in Scheme.  */

#include "stream.h"

#include <string.h>

static SCM context_type;

static void
finalize (SCM context)
{
  skp_tls_context_unref (scm_foreign_object_ref (context, 0));
}

struct skp_tls_context *
scm_skp__tls_context (SCM context, int pos, const char *who)
{
  if (!SCM_IS_A_P (context, context_type))
    scm_wrong_type_arg_msg (who, pos, context, "TLS context");
  return scm_foreign_object_ref (context, 0);
}

static const char who[] = "tls-context";

static SCM
check (int result)
{
  if (result < 0)
    scm_skp__tls_fail (SCM_BOOL_F, result, who);
  return scm_from_int (result);
}

static SCM
make (void)
{
  struct skp_tls_context *context;
  check (skp_tls_context_new (&context));
  return scm_make_foreign_object_1 (context_type, context);
}

#define OF(context) scm_skp__tls_context (context, 1, who)
#define BYTES(bytevector)                                                      \
  SCM_BYTEVECTOR_CONTENTS (bytevector), SCM_BYTEVECTOR_LENGTH (bytevector)

static SCM
trust_system (SCM context)
{
  return check (skp_tls_context_trust_system (OF (context)));
}

static SCM
trust (SCM context, SCM pem)
{
  return check (skp_tls_context_trust (OF (context), BYTES (pem)));
}

static SCM
add_list (SCM context, SCM pem)
{
  return check (skp_tls_context_revoke (OF (context), BYTES (pem)));
}

static SCM
certify (SCM context, SCM chain, SCM key)
{
  return check (
      skp_tls_context_certify (OF (context), BYTES (chain), BYTES (key)));
}

static SCM
staple (SCM context, SCM index, SCM response)
{
  return check (skp_tls_context_staple (OF (context), scm_to_int (index),
                                        BYTES (response)));
}

static SCM
set (SCM context, SCM setting, SCM value)
{
  return check (skp_tls_context_set (OF (context),
                                     (enum skp_tls_setting)scm_to_int (setting),
                                     scm_to_int (value)));
}

static SCM
inherit_from (SCM context, SCM older)
{
  return check (skp_tls_context_inherit (OF (context),
                                         scm_skp__tls_context (older, 2, who)));
}

static SCM
priorities (SCM context, SCM text)
{
  scm_dynwind_begin (0);
  char *utf8 = scm_to_utf8_string (text);
  scm_dynwind_free (utf8);
  int result = skp_tls_context_priorities (OF (context), utf8);
  scm_dynwind_end ();
  return check (result);
}

/* NAMES is a list of strings.  */
static SCM
protocols (SCM context, SCM names)
{
  size_t count = scm_to_size_t (scm_length (names));
  scm_dynwind_begin (0);
  const char **array = scm_gc_malloc ((count + 1) * sizeof *array, "protocols");
  for (size_t i = 0; i < count; i++, names = SCM_CDR (names))
    {
      char *name = scm_to_utf8_string (SCM_CAR (names));
      scm_dynwind_free (name);
      array[i] = name;
    }
  int result = skp_tls_context_protocols (OF (context), array, count);
  scm_dynwind_end ();
  return check (result);
}

void
scm_skp__tls_init_context (void)
{
  context_type = scm_permanent_object (scm_make_foreign_object_type (
      scm_from_utf8_symbol ("tls-context-core"),
      scm_list_1 (scm_from_utf8_symbol ("context")), finalize));
  scm_skp__tls_define ("%make-tls-context", 0, make);
  scm_skp__tls_define ("%tls-trust-system!", 1, trust_system);
  scm_skp__tls_define ("%tls-trust!", 2, trust);
  scm_skp__tls_define ("%tls-revoke!", 2, add_list);
  scm_skp__tls_define ("%tls-certify!", 3, certify);
  scm_skp__tls_define ("%tls-staple!", 3, staple);
  scm_skp__tls_define ("%tls-set!", 3, set);
  scm_skp__tls_define ("%tls-inherit!", 2, inherit_from);
  scm_skp__tls_define ("%tls-priorities!", 2, priorities);
  scm_skp__tls_define ("%tls-protocols!", 2, protocols);
}
