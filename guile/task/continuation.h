/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The continuations of tasks, as Guile takes them and as they are filled here.
 */

#ifndef SCM_SKP_CONTINUATION_H
#define SCM_SKP_CONTINUATION_H

#include "poller.h"

/* Does what FP called return to machine code?  */
static inline int
scm_skp__machine_code (const union scm_vm_stack_element *fp)
{
  return SCM_FRAME_MACHINE_RETURN_ADDRESS (fp) != NULL;
}

/* The data of the CONTINUATION of a task that can go on anywhere, or NULL.  */
static inline struct scm_vm_cont *
scm_skp__continuation (SCM continuation)
{
  if (!SCM_PROGRAM_P (continuation)
      || !SCM_PROGRAM_IS_PARTIAL_CONTINUATION (continuation))
    return NULL;
  SCM vm_cont = SCM_PROGRAM_FREE_VARIABLE_REF (continuation, 0);
  return SCM_VM_CONT_REWINDABLE_P (vm_cont) ? SCM_VM_CONT_DATA (vm_cont) : NULL;
}

/* Fill the continuation of TASK, which is left in PROC, with where it is; false
   if that is left to Guile.  */
int scm_skp__fill (SCM task, const struct scm_skp__leaving *leaving);

/* PROC leaves tasks, by a tail call of abort-to-prompt.  */
void scm_skp__fill_for (SCM proc);

/* With SOCKPORT_CHECK_TASKS=1, whatever is filled is taken by Guile as well and
   compared; 2 spoils it first, to see that this is noticed.  */
extern int scm_skp__checking;

void scm_skp__init_continuation (void);

#endif
