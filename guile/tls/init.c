/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What (sockport tls) loads, and how it throws.  */

#include "stream.h"

#include <errno.h>
#include <sockport/guile.h>

SCM scm_skp__tls_failed;

void
scm_skp__tls_define (const char *name, int required, SCM (*function) ())
{
  scm_c_define_gsubr (name, required, 0, 0, __extension__(scm_t_subr) function);
}

static SCM
text_or_false (const char *text)
{
  return text ? scm_from_utf8_string (text) : SCM_BOOL_F;
}

static SCM
reasons_list (unsigned reasons)
{
  SCM list = SCM_EOL;
  for (int bit = 31; bit >= 0; bit--)
    if (reasons & (1U << bit))
      list = scm_cons (
          scm_from_utf8_symbol (skp_tls_error_name (-(SKP_TLS_EXPIRED + bit))),
          list);
  return list;
}

void
scm_skp__tls_fail (SCM port, ssize_t n, const char *who)
{
  const char *name = skp_tls_error_name ((int)n), *alert = NULL, *detail = NULL;
  unsigned reasons = 0;
  if (n == -EBADF)
    scm_syserror_msg (who, "the port was closed while waiting", SCM_EOL, EBADF);
  if (!name)
    {
      errno = (int)-n;
      scm_syserror (who);
    }
  if (scm_is_true (port))
    {
      struct stream *s = (struct stream *)SCM_STREAM (port);
      pthread_mutex_lock (&s->lock);
      if (s->tls)
        {
          reasons = skp_tls_reasons (s->tls);
          alert = skp_tls_alert (s->tls);
          detail = skp_tls_detail (s->tls);
        }
      pthread_mutex_unlock (&s->lock);
    }
  scm_call_7 (scm_skp__tls_failed, scm_from_utf8_string (who),
              scm_from_utf8_symbol (name),
              text_or_false (skp_tls_error_text ((int)n)),
              reasons_list (reasons), text_or_false (alert),
              text_or_false (detail), port);
  /* It does not return.  */
  scm_misc_error (who, "failed", SCM_EOL);
}

SKP_API void scm_skp_tls_init (void);

void
scm_skp_tls_init (void)
{
  scm_skp__tls_init_port ();
  scm_skp__tls_init_certificate ();
  scm_skp__tls_init_context ();
  scm_skp__tls_init_peer ();
}
