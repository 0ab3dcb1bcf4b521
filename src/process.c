/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* See process.h.  */

#include <sockport/process.h>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os.h"

int
skp_process_open (pid_t pid)
{
  /* The descriptor of any process can be had; only a child can be waited for.
   */
  siginfo_t unused;
  int result = SKP__CALL (
      waitid (P_PID, (id_t)pid, &unused, WEXITED | WNOHANG | WNOWAIT));
  if (result < 0)
    return result;
  return SKP__CALL ((int)syscall (SYS_pidfd_open, pid, 0));
}
