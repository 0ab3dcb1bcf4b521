/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How Guile's suspendable port procedures read and write file ports. libguile's
   own way blocks on a descriptor in blocking mode, and with it every task of
   the thread; this one never does, so that they go to the waiter instead.  */

#include "convert.h"

#include <sockport/stream.h>

/* libguile has checked the arguments, which are its own buffer's.  */
static SCM
file_read (SCM port, SCM buffer, SCM start, SCM count)
{
  signed char *bytes = SCM_BYTEVECTOR_CONTENTS (buffer) + SCM_I_INUM (start);
  if (scm_skp__turn_over ())
    return SCM_BOOL_F;
  return scm_skp__count (skp_stream_read (SCM_FPORT_FDES (port), bytes,
                                          (size_t)SCM_I_INUM (count)),
                         "fport_read");
}

static SCM
file_write (SCM port, SCM buffer, SCM start, SCM count)
{
  signed char *bytes = SCM_BYTEVECTOR_CONTENTS (buffer) + SCM_I_INUM (start);
  if (scm_skp__turn_over ())
    return SCM_BOOL_F;
  return scm_skp__count (skp_stream_write (SCM_FPORT_FDES (port), bytes,
                                           (size_t)SCM_I_INUM (count)),
                         "fport_write");
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
    { "%hook-file-ports!", 0, 0, 0, hook_file_ports },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
