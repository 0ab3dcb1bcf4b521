/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Look-ups as resolve.c begins, takes and finishes them, for the entries of
   databases in resolve-entry.c.  */

#ifndef SCM_SKP_RESOLVE_H
#define SCM_SKP_RESOLVE_H

#include <libguile.h>
#include <sockport/resolve.h>

/* The value of QUERY, the EAI_ number for which there is none, or a lookup;
   WHAT is what errors name.  */
SCM scm_skp__resolve_begin (const struct skp_query *query, SCM what,
                            const char *who);

/* The value of BEGUN, which may be a lookup: waits for it.  An EAI_ number is
   thrown.  */
SCM scm_skp__resolve_finish (SCM begun, const char *who);

/* NAME, a string without NUL or #f or absent, as UTF-8 in memory of the
   collector; NULL for the latter two.  */
const char *scm_skp__resolve_text (SCM name, int pos, const char *who);

/* The procedure that looks up entries of KIND.  */
const char *scm_skp__resolve_who (int kind);

/* What ANSWER to a query for an entry of KIND means to Scheme.  */
SCM scm_skp__entry_from (const struct skp_answer *answer, int kind, SCM what);

#endif /* SCM_SKP_RESOLVE_H */
