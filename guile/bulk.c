/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sendfile and splice.  The primitives try once: #f when they would have to
   wait, else a count.  */

#include "convert.h"

#include <unistd.h>
#include <sockport/bulk.h>

#define FILE_MOST INT64_C (0x0fffffffffffffff)

/* A port's descriptor, or a number, as Guile's own sendfile takes it; but what
   is written to must be a port, to be waited for.  */
static int
descriptor (SCM port, int pos, const char *who)
{
  return SCM_I_INUMP (port)
             ? (int)scm_skp__integer (port, 0, INT32_MAX, pos, who)
             : scm_skp__fd (port, pos, who);
}

static SCM
send_file (SCM out, SCM in, SCM count, SCM offset)
{
  static const char who[] = "sendfile";
  int to = scm_skp__fd (out, 1, who), from = descriptor (in, 2, who);
  int64_t size = scm_skp__integer (count, 0, FILE_MOST, 3, who);
  int64_t at = scm_is_false (offset)
                   ? 0
                   : scm_skp__integer (offset, 0, FILE_MOST, 4, who);
  if (scm_skp__turn_over ())
    return SCM_BOOL_F;
  scm_skp__mode_lock ();
  ssize_t n = skp_bulk_send_file (to, from, scm_is_false (offset) ? NULL : &at,
                                  (size_t)size);
  scm_skp__mode_unlock ();
  return scm_skp__count (n, who);
}

static SCM
splice_some (SCM out, SCM in, SCM count)
{
  static const char who[] = "splice";
  int to = scm_skp__fd (out, 1, who), from = scm_skp__fd (in, 2, who);
  int64_t size = scm_skp__integer (count, 0, FILE_MOST, 3, who);
  if (scm_skp__turn_over ())
    return SCM_BOOL_F;
  scm_skp__mode_lock ();
  ssize_t n = skp_bulk_splice (to, from, (size_t)size);
  scm_skp__mode_unlock ();
  return scm_skp__count (n, who);
}

static void
close_end (void *fd)
{
  close (*(int *)fd);
}

/* A pipe of SIZE bytes: a pair of ports to read from and to write to.  */
static SCM
splice_pipe (SCM size)
{
  static const char who[] = "splice";
  int ends[2];
  int64_t room = scm_skp__integer (size, 1, INT32_MAX, 1, who);
  int err = skp_bulk_pipe (ends, (size_t)room);
  if (err < 0)
    scm_skp__error (err, who);
  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler (close_end, &ends[1], 0);
  SCM in = scm_skp__port (ends[0]);
  scm_dynwind_end ();
  return scm_cons (in, scm_skp__port (ends[1]));
}

void
scm_skp__init_bulk (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%sendfile", 4, 0, 0, send_file },
    { "%splice", 3, 0, 0, splice_some },
    { "%splice-pipe", 1, 0, 0, splice_pipe },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
