/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Leaving a task, and going on with the next.

   Guile takes a continuation by copying the stack to new memory each time.  A
   task that waits has an old continuation, which nothing else refers to and
   which will not be called again: if it is as large, it is filled anew instead.
   And where another task is ready, its continuation is copied to the stack in
   exchange, as if the loop had called it; unless one of them is inside
   something that has to be informed, a dynamic-wind of Guile's own say.

   Where that is not known to work (dynamic-stack.h), Guile takes and calls
   every continuation.  */

#include "chaos.h"
#include "dynamic-stack.h"
#include "poller.h"
#include "../primitive.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static int fitting;
static SCM leaver;

/* With SOCKPORT_CHECK_TASKS=1, whatever is filled anew is taken by Guile as
   well and compared; 2 spoils it first, to see that this is noticed.  */
static int checking;
static __thread const struct scm_vm_cont *filled;

#define FRAME_HEADER 3

/* 0 if C code is between; negative in an async.  */
int
scm_skp__can_leave (struct scm_skp__leaving *l, SCM thread_object)
{
  *l = (struct scm_skp__leaving){ .thread = SCM_I_THREAD_DATA (thread_object) };
  if (!scm_skp__known)
    return 1;
  const struct scm_vm *vm = &l->thread->vm;
  l->prompt = scm_skp__find_prompt (l->thread);
  if (!l->prompt || (jmp_buf *)l->prompt[PROMPT_REGISTERS] != vm->registers)
    return 0;
  union scm_vm_stack_element *end
      = vm->stack_top - (ptrdiff_t)l->prompt[PROMPT_FP];
  l->fp = l->base = SCM_FRAME_DYNAMIC_LINK (vm->fp);
  int able = 1;
  for (union scm_vm_stack_element *fp = l->fp; fp < end;
       fp = SCM_FRAME_DYNAMIC_LINK (fp))
    {
      l->base = fp;
      able = scm_skp__called_for_async (fp) ? -1 : able;
    }
  return able;
}

static inline int
has_machine_code (const union scm_vm_stack_element *fp)
{
  return SCM_FRAME_MACHINE_RETURN_ADDRESS (fp) != NULL;
}

/* The data of the CONTINUATION of a task that can go on anywhere, or NULL.  */
static struct scm_vm_cont *
continuation_data (SCM continuation)
{
  if (!SCM_PROGRAM_P (continuation)
      || !SCM_PROGRAM_IS_PARTIAL_CONTINUATION (continuation))
    return NULL;
  SCM vm_cont = SCM_PROGRAM_FREE_VARIABLE_REF (continuation, 0);
  return SCM_VM_CONT_REWINDABLE_P (vm_cont) ? SCM_VM_CONT_DATA (vm_cont) : NULL;
}

/* Is what was called from the frame FP called by the procedure that leaves a
   task?  Nothing of its frame is needed once a task goes on.  */
static int
called_by_leaver (const union scm_vm_stack_element *fp)
{
  const uint32_t *code = SCM_PROGRAM_CODE (leaver);
  ptrdiff_t at = SCM_FRAME_VIRTUAL_RETURN_ADDRESS (fp) - code;
  return at > 0 && at < 64;
}

/* Fill OLD with the continuation whose newest frame is FP, of the procedure
   that leaves a task, and whose oldest is BASE; 0 if it does not fit.  OLD was
   taken when that procedure had tail-called abort-to-prompt: one frame in its
   place.  */
static int
refill (struct scm_vm_cont *old, const scm_thread *thread,
        const union scm_vm_stack_element *fp,
        const union scm_vm_stack_element *base, const scm_t_bits *prompt)
{
  scm_t_bits *saved = SCM_DYNSTACK_FIRST (old->dynstack);
  const scm_t_bits *items = SCM_DYNSTACK_NEXT (prompt);
  ptrdiff_t words = thread->dynstack.top - items;
  if (base - fp != old->stack_size || old->fp_offset != old->stack_size
      || (old->mra && !has_machine_code (fp))
      || old->dynstack->top - saved != words)
    return 0;
  memcpy (old->stack_bottom, fp, (size_t)old->stack_size * sizeof *fp);
  scm_skp__copy_items (saved, items, (size_t)words);
  scm_skp__relocate_prompts (saved, base - thread->vm.stack_top);
  return 1;
}

/* Put the continuation FROM on the stack, below BASE.  A collector in another
   thread may stop this one anywhere and look at the stack from the newest frame
   on, so that is an old one while the others are written; what is on neither
   side of it then, the continuations have.  */
static void
put_on_stack (struct scm_vm *vm, const struct scm_vm_cont *from,
              union scm_vm_stack_element *base)
{
  vm->fp = SCM_FRAME_DYNAMIC_LINK (base);
  atomic_signal_fence (memory_order_seq_cst);
  memcpy (base - from->stack_size, from->stack_bottom,
          (size_t)from->stack_size * sizeof *base);
  atomic_signal_fence (memory_order_seq_cst);
  vm->fp = base - from->fp_offset;
  atomic_signal_fence (memory_order_seq_cst);
  vm->sp = vm->fp - 1;
}

/* Can the continuation FROM take the place of the one on the stack, by a return
   of the primitive that runs?  The primitive may be machine code, which returns
   to no other.  */
static int
can_resume (const scm_thread *thread, const struct scm_vm_cont *from,
            const union scm_vm_stack_element *base, const scm_t_bits *items)
{
  return from && from->fp_offset == from->stack_size
         && has_machine_code (from->stack_bottom) && has_machine_code (base)
         && base - from->stack_size - 2 * FRAME_HEADER > thread->vm.stack_limit
         && thread->dynstack.limit - items
                >= from->dynstack->top - from->dynstack->base
         && scm_skp__can_exchange (items)
         && scm_skp__can_exchange (SCM_DYNSTACK_FIRST (from->dynstack));
}

/* With thousands of tasks, what one of them needs is seldom in the processor's
   cache when it goes on, and the way there is a chain of pointers.  So each
   step of the way is fetched ahead, while those before it in the queue run:
   DISTANCE tasks ahead, the first step; and so on.  */
/* Inlined, or the compiler finds that it has no effect.  */
__attribute__ ((always_inline)) static inline void
fetch_ahead (const struct scm_skp__queue *q)
{
  enum
  {
    STEPS = 5
  };
  for (size_t ahead = 1; ahead <= STEPS && ahead < q->count; ahead++)
    {
      SCM task = q->entry[(q->head + ahead) & (q->size - 1)];
      if (ahead == STEPS)
        {
          __builtin_prefetch (SCM2PTR (task));
          continue;
        }
      if (!scm_skp__is_task (task))
        continue;
      SCM continuation = scm_skp__field (task, TASK_CONTINUATION),
          port = scm_skp__field (task, TASK_PORT);
      if (ahead == STEPS - 1)
        {
          __builtin_prefetch (SCM2PTR (continuation));
          if (SCM_NIMP (port))
            __builtin_prefetch (SCM2PTR (port));
          continue;
        }
      if (!SCM_PROGRAM_IS_PARTIAL_CONTINUATION (continuation))
        continue;
      SCM vm_cont = SCM_PROGRAM_FREE_VARIABLE_REF (continuation, 0);
      if (ahead == STEPS - 2)
        {
          __builtin_prefetch (SCM2PTR (vm_cont));
          if (SCM_NIMP (port))
            __builtin_prefetch ((void *)SCM_STREAM (port));
          continue;
        }
      const struct scm_vm_cont *data = SCM_VM_CONT_DATA (vm_cont);
      if (ahead == STEPS - 3)
        {
          __builtin_prefetch (data);
          continue;
        }
      __builtin_prefetch (data->dynstack);
      SCM wanted = scm_skp__field (task, TASK_WANTED);
      if (SCM_I_INUMP (wanted))
        {
          const char *bytes = (const char *)(intptr_t)SCM_I_INUM (wanted);
          __builtin_prefetch (bytes - 1);
          __builtin_prefetch (bytes + 63);
        }
      for (ptrdiff_t i = 0; i < data->stack_size; i += 8)
        __builtin_prefetch (data->stack_bottom + i);
    }
}

static int
resume_next (SCM loop, scm_thread *thread, union scm_vm_stack_element *base,
             scm_t_bits *items)
{
  struct loop_poller *p = scm_skp__poller (scm_skp__field (loop, LOOP_POLLER));
  struct scm_skp__queue *q = &p->queue;
  if (!scm_skp__has_next (q))
    return 0;
  if (scm_skp__chaos ())
    scm_skp__chaos_next (q);
  if (!scm_skp__is_task (q->entry[q->head]))
    return 0;
  SCM next = q->entry[q->head];
  const struct scm_vm_cont *from
      = continuation_data (scm_skp__field (next, TASK_CONTINUATION));
  if (!can_resume (thread, from, base, items))
    return 0;
  fetch_ahead (q);
  scm_skp__pop (q);
  scm_skp__turn = (struct scm_skp__turn){ .left = SCM_SKP__TURN };
  if (scm_skp__chaos ())
    scm_skp__chaos_turn ();
  scm_skp__set_field (loop, LOOP_CURRENT, next);
  scm_skp__set_field (
      loop, LOOP_TURNS,
      SCM_I_MAKINUM (SCM_I_INUM (scm_skp__field (loop, LOOP_TURNS)) + 1));
  scm_skp__leave_items (&thread->dynstack, items);
  if (scm_skp__may_be_set (&p->base))
    scm_skp__set_aside (&p->base);
  scm_skp__run_next (p, next);
  scm_skp__enter_items (&thread->dynstack, from->dynstack,
                        thread->vm.stack_top - base, thread->vm.registers);
  put_on_stack (&thread->vm, from, base);
  return 1;
}

/* Have the abort to PROMPT take a continuation, or not.  Only an abort that
   follows at once may find that it takes none: full continuations are compared
   with the dynamic stack, flags and all, before they are called.  */
static void
set_escape (scm_t_bits *prompt, int escape)
{
  scm_t_bits bit = SCM_F_DYNSTACK_PROMPT_ESCAPE_ONLY,
             tag = SCM_DYNSTACK_TAG (prompt);
  SCM_DYNSTACK_SET_TAG (prompt, escape ? tag | bit : tag & ~bit);
}

static int
same_items (const scm_t_dynstack *a, const scm_t_dynstack *b)
{
  const scm_t_bits *first = SCM_DYNSTACK_FIRST (a),
                   *other = SCM_DYNSTACK_FIRST (b);
  ptrdiff_t words = a->top - first;
  return b->top - other == words
         && !memcmp (first - 1, other - 1, ((size_t)words + 1) * sizeof *first);
}

/* Where the interpreter has to go on in OWN, the newest frame may have no
   machine return address (the first word) yet, when it is entered by machine
   code before Guile takes it.  */
static int
same (const struct scm_vm_cont *own, const struct scm_vm_cont *of_guile)
{
  const union scm_vm_stack_element *a = own->stack_bottom,
                                   *b = of_guile->stack_bottom;
  ptrdiff_t first = !own->mra && !has_machine_code (a);
  return own->vra == of_guile->vra && own->flags == of_guile->flags
         && own->fp_offset == of_guile->fp_offset
         && own->stack_size == of_guile->stack_size
         && !memcmp (a + first, b + first,
                     (size_t)(own->stack_size - first) * sizeof *a)
         && same_items (own->dynstack, of_guile->dynstack);
}

/* K, a continuation that Guile has taken.  */
static SCM
taken (SCM k)
{
  const struct scm_vm_cont *own = filled, *of_guile = continuation_data (k);
  filled = NULL;
  if (own && !(of_guile && same (own, of_guile)))
    scm_misc_error ("run-tasks",
                    "a continuation was filled with what is not there",
                    SCM_EOL);
  return k;
}

void
scm_skp__leave (SCM loop, const struct scm_skp__leaving *l)
{
  scm_skp__set_field (loop, LOOP_INSIDE, SCM_BOOL_F);
  if (!fitting || !l->base)
    return;
  struct scm_vm_cont *old = continuation_data (
      scm_skp__field (scm_skp__field (loop, LOOP_CURRENT), TASK_CONTINUATION));
  int refilled = old && called_by_leaver (l->thread->vm.fp)
                 && refill (old, l->thread, l->fp, l->base, l->prompt);
  if (checking)
    {
      filled = refilled ? old : NULL;
      if (refilled && checking == 2)
        old->stack_bottom[2].as_uint ^= 1;
      refilled = 0;
    }
  set_escape (l->prompt, refilled
                             && !resume_next (loop, l->thread, l->base,
                                              SCM_DYNSTACK_NEXT (l->prompt)));
}

/* The running task of LOOP is over: go on with the next, if it can be done
   here; else the caller returns to the loop.  */
static SCM
task_over (SCM loop)
{
  struct scm_skp__leaving l;
  if (fitting && !checking
      && scm_skp__can_leave (&l, scm_skp__field (loop, LOOP_THREAD)) > 0
      && l.base)
    resume_next (loop, l.thread, l.base, SCM_DYNSTACK_NEXT (l.prompt));
  return SCM_BOOL_F;
}

void
scm_skp__leave_by (SCM tag, SCM proc, SCM sample)
{
  scm_skp__task_tag = tag;
  leaver = proc;
  scm_skp__winder = sample;
  fitting = scm_skp__fast && SCM_PROGRAM_P (proc);
  const char *value = getenv ("SOCKPORT_CHECK_TASKS");
  checking = value ? atoi (value) : 0;
}

void
scm_skp__init_switch (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%taken", 1, 0, 0, taken },
    { "%task-over", 1, 0, 0, task_over },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
