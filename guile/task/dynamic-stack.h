/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* All that is known of libguile's inside.  The structures are those of its own
   headers, so what runs must be the release that this was built for:

     scm_thread.block_asyncs   asyncs run only while it is 0.  On any release;
                               scm_skp__check_asyncs compares it with what
                               libguile's own functions do
     scm_thread.pending_asyncs those that are due, a list
     scm_thread.wake           what an async would wake the thread from, or NULL
     scm_thread.dynstack       the items of prompts, fluids and winders, and the
                               words of a prompt (dynstack.c of libguile)
     scm_thread.vm             frames: the link to the older one, the return
                               addresses; an async's frame returns to one place
     scm_vm_cont               a continuation's copy of both stacks
     scm_thread.dynamic_state  the values of fluids (setting.h)
     scm_thread.freelists      where compiled Scheme takes small objects from

   All but the first are used only on releases on which the tests have run
   (scm_skp__known).  With SOCKPORT_PLAIN_TASKS=1 they are only looked at, and
   Guile takes and calls every continuation.

   Where ITEMS or FIRST is asked for, it is the first of the items that belong
   to a continuation; the one without a tag is the end.  */

#ifndef SCM_SKP_DYNAMIC_STACK_H
#define SCM_SKP_DYNAMIC_STACK_H

#include <libguile.h>
#include <libguile/gc-inline.h>

/* Does a release of Guile run that this was built for, and tested on?  And are
   continuations to be filled and exchanged without Guile?  */
extern int scm_skp__known, scm_skp__fast;

/* Turn the asyncs of THREAD, which is the calling one, off and on.  */
static inline void
scm_skp__asyncs_off (scm_thread *thread)
{
  thread->block_asyncs++;
}

static inline void
scm_skp__asyncs_on (scm_thread *thread)
{
  thread->block_asyncs--;
}

/* Are there some that would run once they are on?  */
static inline int
scm_skp__asyncs_due (const scm_thread *thread)
{
  return !scm_is_null (
      __atomic_load_n (&thread->pending_asyncs, __ATOMIC_SEQ_CST));
}

static inline scm_thread *
scm_skp__thread (void)
{
  return SCM_I_THREAD_DATA (scm_current_thread ());
}

/* An object of COUNT words, the first of which is FIRST, and the others are to
   be set.  In half the time that scm_words takes.  */
static inline SCM
scm_skp__words (scm_t_bits first, uint32_t count)
{
  return scm_skp__known ? scm_inline_words (scm_skp__thread (), first, count)
                        : scm_words (first, count);
}

/* Where a procedure that is called for an async returns to: a place in
   libguile's own code for interrupts, the same for all; NULL before the first
   one.  */
extern const uint32_t *scm_skp__async_return;

/* Is what was called from the frame FP called by libguile for an async, a
   signal's handler say?  */
static inline int
scm_skp__called_for_async (const union scm_vm_stack_element *fp)
{
  return SCM_FRAME_VIRTUAL_RETURN_ADDRESS (fp) == scm_skp__async_return;
}

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

void scm_skp__init_asyncs (void);
void scm_skp__init_bell (void);
void scm_skp__init_claim (void);
void scm_skp__init_channel (void);
void scm_skp__init_member (void);
void scm_skp__init_switch (void);

#endif /* SCM_SKP_DYNAMIC_STACK_H */
