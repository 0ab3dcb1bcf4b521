/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Processes: started with the descriptors that they shall have, and as
   descriptors that a poller can wait for.  */

#ifndef SKP_PROCESS_H
#define SKP_PROCESS_H

#include <sys/types.h>
#include <sockport/api.h>

SKP_BEGIN_DECLS

/* A new descriptor, close-on-exec, that becomes readable when the child PID has
   ended; it is still to be waited for then (waitpid).  -ECHILD: PID is no child
   of this process, or it has been waited for.  pidfd_open(2).  */
SKP_API int skp_process_open (pid_t pid);

/* Room for the number of a process in digits, and a NUL.  */
#define SKP_PROCESS_PID_SIZE 12

/* PROGRAM is looked for in PATH unless it has a slash; ARGUMENTS, its own name
   first, and ENVIRONMENT end with NULL.  The program's descriptor I is
   DESCRIPTORS[I] of this process, or closed if that is -1; it has no others.
   PID_TEXT, unless it is NULL, is in ENVIRONMENT and has room for
   SKP_PROCESS_PID_SIZE bytes: the new process writes its number there, in its
   own memory (LISTEN_PID of sd_listen_fds(3)).  */
struct skp_process_plan
{
  const char *program;
  char *const *arguments, *const *environment;
  const int *descriptors;
  size_t descriptor_count;
  char *pid_text;
};

/* Start a program, with no signal blocked, and return the number of its
   process, which is to be waited for.  Returns when the program runs; -errno
   if it could not be started: -ENOENT, -EACCES, -ENOEXEC; -EBADF, -EMFILE,
   -EAGAIN, -ENOMEM.  */
SKP_API pid_t skp_process_start (const struct skp_process_plan *plan);

SKP_END_DECLS

#endif /* SKP_PROCESS_H */
