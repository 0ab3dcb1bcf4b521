/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Processes as descriptors, for a poller to wait for.  */

#ifndef SKP_PROCESS_H
#define SKP_PROCESS_H

#include <sys/types.h>
#include <sockport/api.h>

SKP_BEGIN_DECLS

/* A new descriptor, close-on-exec, that becomes readable when the child PID has
   ended; it is still to be waited for then (waitpid).  -ECHILD: PID is no child
   of this process, or it has been waited for.  pidfd_open(2).  */
SKP_API int skp_process_open (pid_t pid);

SKP_END_DECLS

#endif /* SKP_PROCESS_H */
