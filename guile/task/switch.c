/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What is ready; leaving a task, and going on with the next.

   The continuation of a task that waits is filled without an abort
   (continuation.h).  Where another task is ready, its continuation is copied to
   the stack in exchange, as if the loop had called it; unless one of them is
   inside something that has to be informed, a dynamic-wind of Guile's own say.

   Where that is not known to work (dynamic-stack.h), Guile takes and calls
   every continuation.  */

#include "chaos.h"
#include "continuation.h"
#include "dynamic-stack.h"
#include "heap.h"
#include "poller.h"
#include "../primitive.h"

#include <stdatomic.h>
#include <string.h>

static int fitting;

/* A thousand bytes and more live for each task, and are marked by each
   collection: with half so many, these are to be seldom.  */
#define MANY 8192
#define HEAP_OF_MANY ((size_t)64 << 20)

static void
grow (struct scm_skp__queue *q)
{
  size_t size = q->size ? 2 * q->size : 64;
  if (size == MANY)
    scm_skp__have_heap (HEAP_OF_MANY);
  SCM *entry = scm_gc_malloc (size * sizeof *entry, "tasks");
  for (size_t i = 0; i < q->count; i++)
    entry[i] = q->entry[(q->head + i) & (q->size - 1)];
  q->entry = entry;
  q->size = size;
  q->head = 0;
}

void
scm_skp__push (struct scm_skp__queue *q, SCM entry)
{
  if (q->count == q->size)
    grow (q);
  q->entry[(q->head + q->count++) & (q->size - 1)] = entry;
}

/* Where no more tasks are ready, nothing is fetched ahead: more than the steps
   below look ahead, since an entry of the queue that was never used is 0.  */
#define MANY_READY 8

#define INLINE __attribute__ ((always_inline)) static inline

/* What the procedure that begins a task has closed over.  */
INLINE void
fetch_closed (SCM proc)
{
  if (!SCM_PROGRAM_P (proc))
    return;
  for (size_t i = 0; i < SCM_PROGRAM_NUM_FREE_VARIABLES (proc); i++)
    {
      SCM closed = SCM_PROGRAM_FREE_VARIABLE_REF (proc, i);
      if (SCM_NIMP (closed))
        __builtin_prefetch (SCM2PTR (closed));
    }
}

/* The entry of Q so far AHEAD of the first.  */
INLINE SCM
entry_ahead (const struct scm_skp__queue *q, size_t ahead)
{
  return q->entry[(q->head + ahead) & (q->size - 1)];
}

/* The continuation of TASK, NULL if there is none yet.  */
INLINE const struct scm_vm_cont *
data_of (SCM task)
{
  if (!scm_skp__is_task (task))
    return NULL;
  SCM continuation = scm_skp__field (task, TASK_CONTINUATION);
  return SCM_PROGRAM_IS_PARTIAL_CONTINUATION (continuation) ? SCM_VM_CONT_DATA (
             SCM_PROGRAM_FREE_VARIABLE_REF (continuation, 0))
                                                            : NULL;
}

INLINE void
fetch_continuation (SCM task)
{
  if (!scm_skp__is_task (task))
    return;
  SCM port = scm_skp__field (task, TASK_PORT);
  __builtin_prefetch (SCM2PTR (scm_skp__field (task, TASK_CONTINUATION)));
  if (SCM_NIMP (port))
    __builtin_prefetch (SCM2PTR (port));
}

INLINE void
fetch_inside (SCM task)
{
  if (!scm_skp__is_task (task))
    return;
  SCM continuation = scm_skp__field (task, TASK_CONTINUATION),
      port = scm_skp__field (task, TASK_PORT);
  if (!SCM_PROGRAM_IS_PARTIAL_CONTINUATION (continuation))
    {
      fetch_closed (continuation);
      return;
    }
  __builtin_prefetch (
      SCM2PTR (SCM_PROGRAM_FREE_VARIABLE_REF (continuation, 0)));
  if (SCM_NIMP (port))
    {
      __builtin_prefetch ((void *)SCM_STREAM (port));
      __builtin_prefetch (SCM_PORT (port));
    }
}

INLINE void
fetch_stacks (SCM task)
{
  const struct scm_vm_cont *data = data_of (task);
  if (!data)
    return;
  __builtin_prefetch (data->dynstack);
  for (ptrdiff_t i = 0; i < data->stack_size; i += 8)
    __builtin_prefetch (data->stack_bottom + i);
}

/* For what waits for a port, what its newest frames have at hand: the buffer
   into which it receives, say.  A word that is no object does no harm.  */
INLINE void
fetch_newest (SCM task)
{
  enum
  {
    NEWEST = 8
  };
  const struct scm_vm_cont *data = data_of (task);
  if (!data || data->stack_size < NEWEST
      || SCM_IMP (scm_skp__field (task, TASK_PORT)))
    return;
  for (size_t i = 0; i < NEWEST; i++)
    if (SCM_NIMP (data->stack_bottom[i].as_scm))
      __builtin_prefetch (SCM2PTR (data->stack_bottom[i].as_scm));
}

/* With thousands of tasks, what one of them needs is seldom in the processor's
   cache when it begins or goes on, and the way is a chain of pointers.  So each
   step of the way is fetched ahead, while those before it in the queue run: the
   first step for the task that is six ahead, and so on.  Where few are ready,
   all is in the cache, and this would be an eighth of a switch.

   Inlined, or the compiler finds that it has no effect.  */
INLINE void
fetch_ahead (const struct scm_skp__queue *q)
{
  const char *fields = (const char *)SCM2PTR (entry_ahead (q, 6));
  __builtin_prefetch (fields);
  __builtin_prefetch (fields + 64);
  fetch_continuation (entry_ahead (q, 5));
  fetch_inside (entry_ahead (q, 4));
  __builtin_prefetch (data_of (entry_ahead (q, 3)));
  fetch_stacks (entry_ahead (q, 2));
  fetch_newest (entry_ahead (q, 1));
}

SCM
scm_skp__pop (struct scm_skp__queue *q)
{
  if (q->count > MANY_READY && fitting)
    fetch_ahead (q);
  SCM entry = q->entry[q->head];
  q->entry[q->head] = SCM_BOOL_F;
  q->head = (q->head + 1) & (q->size - 1);
  q->count--;
  q->left--;
  q->unasked++;
  return entry;
}

#define FRAME_HEADER 3

/* 0 if C code is between; negative in an async.  */
int
scm_skp__can_leave (struct scm_skp__leaving *l, SCM loop)
{
  *l = (struct scm_skp__leaving){ .thread = scm_skp__thread_in (loop) };
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
  return from->fp_offset == from->stack_size
         && scm_skp__machine_code (from->stack_bottom)
         && scm_skp__machine_code (base)
         && base - from->stack_size - 2 * FRAME_HEADER > thread->vm.stack_limit
         && thread->dynstack.limit - items
                >= from->dynstack->top - from->dynstack->base
         && scm_skp__can_exchange (SCM_DYNSTACK_FIRST (from->dynstack));
}

/* Can START, which is no continuation, be called in place of the one on the
   stack, by what has called the primitive that runs?  */
static int
can_begin (SCM start, const struct scm_skp__leaving *l)
{
  return SCM_PROGRAM_P (start) && !SCM_PROGRAM_IS_PARTIAL_CONTINUATION (start)
         && scm_skp__machine_code (l->thread->vm.fp)
         && scm_skp__machine_code (l->base);
}

/* Make the frame at L, of what has called the primitive that runs, the oldest:
   what it calls in tail position is called as if by the loop.  */
static void
drop_callers (const struct scm_skp__leaving *l)
{
  struct scm_vm *vm = &l->thread->vm;
  union scm_vm_stack_element *frame = vm->fp;
  ptrdiff_t size = l->fp - frame;
  vm->fp = SCM_FRAME_DYNAMIC_LINK (l->base);
  atomic_signal_fence (memory_order_seq_cst);
  memmove (l->base - size, frame, (size_t)size * sizeof *frame);
  atomic_signal_fence (memory_order_seq_cst);
  vm->fp = l->base - size;
  atomic_signal_fence (memory_order_seq_cst);
  vm->sp = vm->fp - 1;
}

/* Go on with the next task of LOOP, if one is ready, in place of that which is
   left at L, whose ITEMS can be exchanged.  #f if it cannot; the procedure that
   begins the task, for who called the primitive to call in tail position; #t to
   what was left.  */
static SCM
resume_next (SCM loop, const struct scm_skp__leaving *l, scm_t_bits *items)
{
  scm_thread *thread = l->thread;
  struct loop_poller *p = scm_skp__poller_in (loop);
  struct scm_skp__queue *q = &p->queue;
  if (!scm_skp__has_next (q))
    return SCM_BOOL_F;
  if (scm_skp__chaos ())
    scm_skp__chaos_next (q);
  if (!scm_skp__is_task (q->entry[q->head]))
    return SCM_BOOL_F;
  SCM next = q->entry[q->head],
      start = scm_skp__field (next, TASK_CONTINUATION);
  const struct scm_vm_cont *from = scm_skp__continuation (start);
  if (!(from ? can_resume (thread, from, l->base, items)
             : can_begin (start, l)))
    return SCM_BOOL_F;
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
  if (!from)
    {
      drop_callers (l);
      return start;
    }
  scm_skp__enter_items (&thread->dynstack, from->dynstack,
                        thread->vm.stack_top - l->base, thread->vm.registers);
  put_on_stack (&thread->vm, from, l->base);
  return SCM_BOOL_T;
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

/* The running task of LOOP was left at L: go on with another in its place, when
   one is ready, as `resume_next'.  Not where something has to be informed of
   that first.  */
static SCM
go_on (SCM loop, const struct scm_skp__leaving *l)
{
  scm_t_bits *items = SCM_DYNSTACK_NEXT (l->prompt);
  if (!scm_skp__can_exchange (items))
    return SCM_BOOL_F;
  if (!scm_skp__has_next (&scm_skp__poller_in (loop)->queue))
    scm_skp__turn_in_place (loop);
  return resume_next (loop, l, items);
}

SCM
scm_skp__leave (SCM loop, const struct scm_skp__leaving *l)
{
  scm_skp__set_field (loop, LOOP_INSIDE, SCM_BOOL_F);
  if (!fitting || !l->base)
    return SCM_BOOL_T;
  int filled = scm_skp__fill (scm_skp__field (loop, LOOP_CURRENT), l);
  SCM next = filled ? go_on (loop, l) : SCM_BOOL_F;
  set_escape (l->prompt, filled && scm_is_false (next));
  return scm_is_false (next) ? SCM_BOOL_T : next;
}

/* The running task of LOOP is over: go on with the next, if it can be done
   here, and if it begins by returning what begins it; else #f, and the caller
   returns to the loop.  */
static SCM
task_over (SCM loop)
{
  struct scm_skp__leaving l;
  if (fitting && !scm_skp__checking && scm_skp__can_leave (&l, loop) > 0
      && l.base && scm_skp__can_exchange (SCM_DYNSTACK_NEXT (l.prompt)))
    return resume_next (loop, &l, SCM_DYNSTACK_NEXT (l.prompt));
  return SCM_BOOL_F;
}

void
scm_skp__leave_by (SCM tag, SCM proc, SCM sample)
{
  scm_skp__task_tag = tag;
  scm_skp__winder = sample;
  fitting = scm_skp__fast && SCM_PROGRAM_P (proc);
  scm_skp__fill_for (proc);
}

void
scm_skp__init_switch (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%task-over", 1, 0, 0, task_over },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
  scm_skp__init_continuation ();
  scm_skp__init_heap ();
}
