/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How Guile's suspendable port procedures read and write file ports. libguile's
   own way blocks on a descriptor in blocking mode, and with it every task of
   the thread; this one never does, so that they go to the waiter instead.  */

#include "convert.h"

#include <sockport/stream.h>

/* What the last attempt of this thread has found: that descriptor N would have
   to be waited for, 2N + 1 to read and 2N + 2 to write.  */
static __thread size_t tried;

static SCM
would_block (SCM port, size_t direction, SCM result)
{
  if (scm_is_false (result))
    tried = 2 * (size_t)SCM_FPORT_FDES (port) + 1 + direction;
  return result;
}

/* Was that the last attempt, and has nothing waited since?  */
static SCM
was_tried (SCM port, SCM direction)
{
  size_t fd = (size_t)scm_skp__fd (port, 1, "wait");
  int same = tried == 2 * fd + 1 + (size_t)SCM_I_INUM (direction);
  tried = 0;
  return scm_from_bool (same);
}

/* libguile has checked the arguments, which are its own buffer's.  */
static SCM
file_read (SCM port, SCM buffer, SCM start, SCM count)
{
  signed char *bytes = SCM_BYTEVECTOR_CONTENTS (buffer) + SCM_I_INUM (start);
  if (scm_skp__turn_over ())
    return SCM_BOOL_F;
  ssize_t n = skp_stream_read (SCM_FPORT_FDES (port), bytes,
                               (size_t)SCM_I_INUM (count));
  return would_block (port, 0, scm_skp__count (n, "fport_read"));
}

static SCM
file_write (SCM port, SCM buffer, SCM start, SCM count)
{
  signed char *bytes = SCM_BYTEVECTOR_CONTENTS (buffer) + SCM_I_INUM (start);
  if (scm_skp__turn_over ())
    return SCM_BOOL_F;
  ssize_t n = skp_stream_write (SCM_FPORT_FDES (port), bytes,
                                (size_t)SCM_I_INUM (count));
  return would_block (port, 1, scm_skp__count (n, "fport_write"));
}

/* A port type does not keep its procedures alive.  */
static SCM
procedure (const char *name, SCM (*function) (SCM, SCM, SCM, SCM))
{
  return scm_permanent_object (
      scm_c_make_gsubr (name, 4, 0, 0, __extension__(scm_t_subr) function));
}

/* For all file ports of the process, and for the suspendable procedures only:
   libguile's own keep their way.  */
static SCM
hook_file_ports (void)
{
  scm_set_port_scm_read (scm_file_port_type,
                         procedure ("file-read", file_read));
  scm_set_port_scm_write (scm_file_port_type,
                          procedure ("file-write", file_write));
  return SCM_UNSPECIFIED;
}

void
scm_skp__init_stream (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%tried?", 2, 0, 0, was_tried },
    { "%hook-file-ports!", 0, 0, 0, hook_file_ports },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
