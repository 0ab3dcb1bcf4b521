/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A certificate as an alist.  */

#include "stream.h"

#include <errno.h>
#include <string.h>

#define ROOM 4096

static void
free_description (void *description)
{
  skp_tls_description_free (description);
}

static SCM
pair (const char *name, SCM value)
{
  return scm_cons (scm_from_utf8_symbol (name), value);
}

/* What is not UTF-8 is shown as far as it is.  */
static SCM
text_from (const char *bytes, ssize_t length)
{
  return scm_from_stringn (bytes, length > 0 ? (size_t)length : 0, "UTF-8",
                           SCM_FAILED_CONVERSION_QUESTION_MARK);
}

static SCM
bytes_from (const struct skp_tls_description *description,
            enum skp_tls_bytes which)
{
  unsigned char bytes[ROOM];
  ssize_t n
      = skp_tls_description_bytes (description, which, bytes, sizeof bytes);
  SCM copy = scm_c_make_bytevector (n > 0 ? (size_t)n : 0);
  if (n > 0)
    memcpy (SCM_BYTEVECTOR_CONTENTS (copy), bytes, (size_t)n);
  return copy;
}

static SCM
names_from (const struct skp_tls_description *description)
{
  static const char *const kinds[] = { [SKP_TLS_NAME_HOST] = "host",
                                       [SKP_TLS_NAME_ADDRESS] = "address",
                                       [SKP_TLS_NAME_MAIL] = "mail",
                                       [SKP_TLS_NAME_URI] = "uri" };
  SCM list = SCM_EOL;
  char text[1024];
  enum skp_tls_name_kind kind;
  ssize_t n;
  for (unsigned i = 0;
       (n = skp_tls_description_name (description, i, &kind, text, sizeof text))
       != -ENOENT;
       i++)
    if (n > 0)
      list = scm_cons (pair (kinds[kind], text_from (text, n)), list);
  return scm_reverse_x (list, SCM_EOL);
}

static SCM
describe (SCM der)
{
  static const char who[] = "certificate->alist";
  struct skp_tls_description *description;
  char subject[ROOM], issuer[ROOM];
  if (!SCM_BYTEVECTOR_P (der))
    scm_wrong_type_arg_msg (who, 1, der, "bytevector");
  int error = skp_tls_describe (&description, SCM_BYTEVECTOR_CONTENTS (der),
                                SCM_BYTEVECTOR_LENGTH (der));
  if (error < 0)
    scm_skp__tls_fail (SCM_BOOL_F, error, who);
  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler (free_description, description,
                              SCM_F_WIND_EXPLICITLY);
  ssize_t subject_length = skp_tls_description_text (
      description, SKP_TLS_SUBJECT, subject, sizeof subject);
  ssize_t issuer_length = skp_tls_description_text (description, SKP_TLS_ISSUER,
                                                    issuer, sizeof issuer);
  SCM result = scm_list_n (
      pair ("subject", text_from (subject, subject_length)),
      pair ("issuer", text_from (issuer, issuer_length)),
      pair ("names", names_from (description)),
      pair ("begins", scm_from_int64 (skp_tls_description_time (
                          description, SKP_TLS_BEGINS))),
      pair ("ends", scm_from_int64 (
                        skp_tls_description_time (description, SKP_TLS_ENDS))),
      pair ("serial", bytes_from (description, SKP_TLS_SERIAL)),
      pair ("fingerprint", bytes_from (description, SKP_TLS_FINGERPRINT)),
      SCM_UNDEFINED);
  scm_dynwind_end ();
  return result;
}

void
scm_skp__tls_init_certificate (void)
{
  scm_skp__tls_define ("certificate->alist", 1, describe);
}
