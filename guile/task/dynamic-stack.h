/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What is bound while a task runs, on libguile's dynamic stack: prompts, fluids
   and winders.  Where ITEMS or FIRST is asked for, it is the first of those
   that belong to a continuation; the one without a tag is the end.

   The structures are those of libguile's own headers and dynstack.c.  They may
   differ in another release, so the one that runs must be the one that this was
   built for.  */

#ifndef SCM_SKP_DYNAMIC_STACK_H
#define SCM_SKP_DYNAMIC_STACK_H

#include "../convert.h"

/* Does the release of Guile run that this was built for?  */
extern int scm_skp__same_release;

/* The tag of the prompts of tasks; a procedure with the code of those winders
   that do nothing when a task is left or goes on.  */
extern SCM scm_skp__task_tag, scm_skp__winder;

/* The words of a prompt.  */
enum prompt_word
{
  PROMPT_KEY,
  PROMPT_FP,
  PROMPT_SP,
  PROMPT_REGISTERS = 5
};

/* The innermost prompt for tasks.  */
scm_t_bits *scm_skp__find_prompt (const scm_thread *thread);

/* Move the offsets of prompts, which in a continuation count from its oldest
   frame, BY from the top of the stack.  */
void scm_skp__relocate_prompts (scm_t_bits *items, ptrdiff_t by);

/* Copy items of so many WORDS, with the tag of each, and of the end.  */
void scm_skp__copy_items (scm_t_bits *to, const scm_t_bits *from, size_t words);

/* Are these ITEMS such that leaving and entering them calls nothing?  */
int scm_skp__can_exchange (const scm_t_bits *items);

/* Take the items from FIRST on from the STACK, and put those of FROM there, BY
   from the top of the stack of frames.  */
void scm_skp__leave_items (scm_t_dynstack *stack, scm_t_bits *first);
void scm_skp__enter_items (scm_t_dynstack *stack, const scm_t_dynstack *from,
                           ptrdiff_t by, jmp_buf *registers);

#endif /* SCM_SKP_DYNAMIC_STACK_H */
