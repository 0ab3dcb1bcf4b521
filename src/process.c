/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* See process.h.  */

#include <sockport/process.h>

#include <sys/syscall.h>
#include <unistd.h>

#include "os.h"

int
skp_process_open (pid_t pid)
{
  return SKP__CALL ((int)syscall (SYS_pidfd_open, pid, 0));
}
