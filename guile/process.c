/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A child process as a port that becomes readable when it has ended.  */

#include "convert.h"

#include <sockport/process.h>

static SCM
process_port (SCM pid)
{
  int fd = skp_process_open (
      (int)scm_skp__integer (pid, 1, INT32_MAX, 1, "wait-process"));
  if (fd < 0)
    scm_skp__error (fd, "wait-process");
  return scm_skp__port (fd);
}

void
scm_skp__init_process (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%process-port", 1, 0, 0, process_port },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
