/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A child process as a port that becomes readable when it has ended.  */

#include "convert.h"

#include <sockport/process.h>

/* For process-operation if OPERATION, else for wait-process.  */
static SCM
process_port (SCM pid, SCM operation)
{
  const char *who
      = scm_is_true (operation) ? "process-operation" : "wait-process";
  int fd = skp_process_open ((int)scm_skp__integer (pid, 1, INT32_MAX, 1, who));
  if (fd < 0)
    scm_skp__error (fd, who);
  return scm_skp__port (fd);
}

void
scm_skp__init_process (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%process-port", 2, 0, 0, process_port },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
