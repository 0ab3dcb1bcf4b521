/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The steps of a loop that every request takes: a task waits, the next one that is
   ready goes on, an event makes a task ready.  All else is in (sockport loop) and
   (sockport slot), and so is what is done when one of these steps does not apply.

   Guile takes a continuation by copying the stack to new memory each time.  A task
   that waits has an old continuation, which nothing else refers to and which will
   not be called again: if it is as large, it is filled anew instead.  And where
   another task is ready, and neither has bound anything since the prompt of the
   loop, its continuation is copied to the stack in exchange, as if the loop had
   called it.

   The structures are those of libguile's own headers.  They may differ in another
   release, so the one that runs must be the one that this was built for; if it is
   not, Guile takes and calls every continuation.  */

#include "poller.h"

#include <gc/gc.h>
#include <stdlib.h>
#include <string.h>

static int same_release, fitting;
static SCM task_type, task_tag, leaver;

static inline int
is_task (SCM object)
{
  return SCM_STRUCTP (object)
         && scm_is_eq (SCM_STRUCT_VTABLE (object), task_type);
}

/* The queue of tasks that are ready.  */

static void
grow (struct scm_skp__queue *q)
{
  size_t size = q->size ? 2 * q->size : 64;
  SCM *task = scm_gc_malloc (size * sizeof *task, "tasks");
  for (size_t i = 0; i < q->count; i++)
    task[i] = q->task[(q->head + i) & (q->size - 1)];
  q->task = task;
  q->size = size;
  q->head = 0;
}

static void
push (struct scm_skp__queue *q, SCM task)
{
  if (q->count == q->size)
    grow (q);
  q->task[(q->head + q->count++) & (q->size - 1)] = task;
}

static SCM
pop (struct scm_skp__queue *q)
{
  SCM task = q->task[q->head];
  q->task[q->head] = SCM_BOOL_F;
  q->head = (q->head + 1) & (q->size - 1);
  q->count--;
  q->left--;
  return task;
}

static SCM
task_push (SCM poller, SCM task)
{
  push (&scm_skp__poller (poller)->queue, task);
  return SCM_UNSPECIFIED;
}

/* The next task of those that are run before events are looked for, or #f.  */
static SCM
task_pop (SCM poller)
{
  struct scm_skp__queue *q = &scm_skp__poller (poller)->queue;
  return q->left ? pop (q) : SCM_BOOL_F;
}

static SCM
tasks_ready (SCM poller)
{
  return SCM_I_MAKINUM (
      (scm_t_signed_bits)scm_skp__poller (poller)->queue.count);
}

/* Those that are ready now are run before events are looked for.  */
static SCM
tasks_begin (SCM poller)
{
  struct scm_skp__queue *q = &scm_skp__poller (poller)->queue;
  q->left = q->count;
  return SCM_UNSPECIFIED;
}

/* What waits in a slot.  */

int
scm_skp__edge (SCM loop, size_t slot)
{
  SCM slots = scm_skp__field (loop, LOOP_SLOTS);
  if (slot >= SCM_SIMPLE_VECTOR_LENGTH (slots))
    return 1;
  SCM entry = SCM_SIMPLE_VECTOR_REF (slots, slot);
  if (is_task (entry))
    {
      SCM poller = scm_skp__field (loop, LOOP_POLLER);
      SCM_SIMPLE_VECTOR_SET (slots, slot, SCM_BOOL_F);
      scm_skp__set_field (entry, TASK_PARKED, SCM_BOOL_F);
      push (&scm_skp__poller (poller)->queue, entry);
    }
  else if (scm_is_bool (entry))
    SCM_SIMPLE_VECTOR_SET (slots, slot, SCM_BOOL_T);
  else
    return 0;
  return 1;
}

/* The words of a prompt on the dynamic stack, as in libguile/dynstack.c.  */
enum prompt_word
{
  PROMPT_KEY,
  PROMPT_FP,
  PROMPT_REGISTERS = 5
};

/* The innermost prompt for tasks.  */
static scm_t_bits *
find_prompt (const scm_thread *thread)
{
  scm_t_bits *item = SCM_DYNSTACK_PREV (thread->dynstack.top);
  while (item
         && !(SCM_DYNSTACK_TAG_TYPE (SCM_DYNSTACK_TAG (item))
                  == SCM_DYNSTACK_TYPE_PROMPT
              && scm_is_eq (SCM_PACK (item[PROMPT_KEY]), task_tag)))
    item = SCM_DYNSTACK_PREV (item);
  return item;
}

/* Is there no C code between?  */
static int
can_suspend (const scm_thread *thread, const scm_t_bits *prompt)
{
  return prompt && (jmp_buf *)prompt[PROMPT_REGISTERS] == thread->vm.registers;
}

/* Have the running task of LOOP wait in the slot for PORT, for reading (DIRECTION
   0) or writing (1).  #t if it does and has to be left now; #f if PORT may be
   ready; 0 if it takes more than this to find out.  */
static SCM
park (SCM loop, SCM port, SCM direction)
{
  SCM task = scm_skp__field (loop, LOOP_CURRENT);
  SCM handle = scm_skp__field (loop, LOOP_THREAD);
  SCM slots = scm_skp__field (loop, LOOP_SLOTS);
  const struct loop_poller *p
      = scm_skp__poller (scm_skp__field (loop, LOOP_POLLER));
  if (!fitting || !is_task (task) || !SCM_OPFPORTP (port)
      || !scm_is_eq (scm_current_thread (), handle)
      || scm_is_true (scm_skp__field (task, TASK_INTERRUPT)))
    return SCM_INUM0;
  const scm_thread *thread = SCM_I_THREAD_DATA (handle);
  int fd = SCM_FPORT_FDES (port);
  size_t slot = 2 * (size_t)fd + (size_t)SCM_I_INUM (direction);
  if (!scm_skp__watched (p, fd, (scm_t_bits)SCM_STREAM (port))
      || slot >= SCM_SIMPLE_VECTOR_LENGTH (slots)
      || !can_suspend (thread, find_prompt (thread)))
    return SCM_INUM0;
  SCM entry = SCM_SIMPLE_VECTOR_REF (slots, slot);
  if (!scm_is_bool (entry))
    return SCM_INUM0;
  SCM_SIMPLE_VECTOR_SET (slots, slot,
                         scm_is_true (entry) ? SCM_BOOL_F : task);
  if (scm_is_true (entry))
    return SCM_BOOL_F;
  scm_skp__set_field (task, TASK_PARKED, SCM_I_MAKINUM (slot));
  scm_skp__set_field (task, TASK_PORT, port);
  scm_skp__set_field (
      task, TASK_WANTED,
      SCM_I_MAKINUM ((scm_t_signed_bits)(scm_skp__wanted - (char *)NULL)));
  return SCM_BOOL_T;
}

/* Leaving a task.  */

#define FRAME_HEADER 3

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

static inline int
binds_nothing (const scm_t_dynstack *stack)
{
  return SCM_DYNSTACK_TAG (SCM_DYNSTACK_FIRST (stack)) == 0;
}

/* The frame that was called within PROMPT, the oldest of a continuation: the
   newest is FP.  */
static union scm_vm_stack_element *
base_frame (const struct scm_vm *vm, const scm_t_bits *prompt,
            union scm_vm_stack_element *fp)
{
  union scm_vm_stack_element *end
      = vm->stack_top - (ptrdiff_t)prompt[PROMPT_FP];
  while (SCM_FRAME_DYNAMIC_LINK (fp) < end)
    fp = SCM_FRAME_DYNAMIC_LINK (fp);
  return fp;
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

/* What is bound from ITEM on, is it what OLD has bound, nothing but fluids?  */
static int
same_bindings (const scm_t_bits *item, const struct scm_vm_cont *old)
{
  const scm_t_bits *then = SCM_DYNSTACK_FIRST (old->dynstack);
  for (;;)
    {
      scm_t_bits tag = SCM_DYNSTACK_TAG (item);
      size_t words = SCM_DYNSTACK_TAG_LEN (tag);
      if (tag != SCM_DYNSTACK_TAG (then)
          || SCM_DYNSTACK_TAG_TYPE (tag) == SCM_DYNSTACK_TYPE_PROMPT
          || memcmp (item, then, words * sizeof *item) != 0)
        return 0;
      if (!tag)
        return 1;
      item += words + SCM_DYNSTACK_HEADER_LEN;
      then += words + SCM_DYNSTACK_HEADER_LEN;
    }
}

/* Fill OLD with the continuation whose newest frame is FP, of the procedure that
   leaves a task, and whose oldest is BASE; 0 if it does not fit.  OLD was taken
   when that procedure had tail-called abort-to-prompt: one frame in its place.  */
static int
refill (struct scm_vm_cont *old, const union scm_vm_stack_element *fp,
        const union scm_vm_stack_element *base, const scm_t_bits *prompt)
{
  if (base - fp != old->stack_size || old->fp_offset != old->stack_size
      || (old->mra && !has_machine_code (fp))
      || !same_bindings (SCM_DYNSTACK_NEXT (prompt), old))
    return 0;
  memcpy (old->stack_bottom, fp, (size_t)old->stack_size * sizeof *fp);
  return 1;
}

struct resumption
{
  struct scm_vm *vm;
  const struct scm_vm_cont *from;
  union scm_vm_stack_element *base;
};

/* While no collector looks at the stack.  */
static void *
do_resume (void *data)
{
  struct resumption *r = data;
  memcpy (r->base - r->from->stack_size, r->from->stack_bottom,
          (size_t)r->from->stack_size * sizeof *r->base);
  r->vm->fp = r->base - r->from->fp_offset;
  r->vm->sp = r->vm->fp - 1;
  return NULL;
}

/* Can the continuation FROM take the place of the one on the stack, by a return
   of the primitive that runs?  The primitive may be machine code, which returns
   to no other.  */
static int
can_resume (const struct scm_vm *vm, const struct scm_vm_cont *from,
            const union scm_vm_stack_element *base)
{
  return from && from->fp_offset == from->stack_size
         && binds_nothing (from->dynstack)
         && has_machine_code (from->stack_bottom) && has_machine_code (base)
         && base - from->stack_size - 2 * FRAME_HEADER > vm->stack_limit;
}

/* With thousands of tasks, what one of them needs is seldom in the processor's
   cache when it goes on, and the way there is a chain of pointers.  So each step
   of the way is fetched ahead, while those before it in the queue run: DISTANCE
   tasks ahead, the first step; and so on.  */
/* Inlined, or the compiler finds that it has no effect.  */
__attribute__ ((always_inline)) static inline void
fetch_ahead (const struct scm_skp__queue *q)
{
  enum { STEPS = 5 };
  for (size_t ahead = 1; ahead <= STEPS && ahead < q->count; ahead++)
    {
      SCM task = q->task[(q->head + ahead) & (q->size - 1)];
      if (ahead == STEPS)
        {
          __builtin_prefetch (SCM2PTR (task));
          continue;
        }
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
          const char *bytes = (const char *)NULL + SCM_I_INUM (wanted);
          __builtin_prefetch (bytes - 1);
          __builtin_prefetch (bytes + 63);
        }
      for (ptrdiff_t i = 0; i < data->stack_size; i += 8)
        __builtin_prefetch (data->stack_bottom + i);
    }
}

static void
resume_next (SCM loop, struct scm_vm *vm, union scm_vm_stack_element *base)
{
  SCM poller = scm_skp__field (loop, LOOP_POLLER);
  struct scm_skp__queue *q = &scm_skp__poller (poller)->queue;
  if (!q->left)
    return;
  SCM next = q->task[q->head];
  struct resumption r
      = { .vm = vm,
          .base = base,
          .from = continuation_data (scm_skp__field (next, TASK_CONTINUATION)) };
  if (!can_resume (vm, r.from, base))
    return;
  fetch_ahead (q);
  pop (q);
  scm_skp__set_field (loop, LOOP_CURRENT, next);
  scm_skp__set_field (
      loop, LOOP_TURNS,
      SCM_I_MAKINUM (SCM_I_INUM (scm_skp__field (loop, LOOP_TURNS)) + 1));
  GC_call_with_alloc_lock (do_resume, &r);
}

/* Leave the running task of LOOP.  If its continuation could be filled anew, the
   abort that follows takes none; and if another task is ready, that goes on
   instead of what follows.  */
static void
leave (SCM loop)
{
  scm_thread *thread = SCM_I_THREAD_DATA (scm_skp__field (loop, LOOP_THREAD));
  scm_t_bits *prompt = fitting ? find_prompt (thread) : NULL;
  scm_skp__set_field (loop, LOOP_INSIDE, SCM_BOOL_F);
  if (!prompt)
    return;
  struct scm_vm *vm = &thread->vm;
  struct scm_vm_cont *old = continuation_data (scm_skp__field (
      scm_skp__field (loop, LOOP_CURRENT), TASK_CONTINUATION));
  union scm_vm_stack_element *fp = SCM_FRAME_DYNAMIC_LINK (vm->fp),
                             *base = base_frame (vm, prompt, fp);
  int refilled = old && can_suspend (thread, prompt)
                 && called_by_leaver (vm->fp)
                 && refill (old, fp, base, prompt);
  scm_t_bits escape = SCM_F_DYNSTACK_PROMPT_ESCAPE_ONLY,
             tag = SCM_DYNSTACK_TAG (prompt);
  SCM_DYNSTACK_SET_TAG (prompt, refilled ? tag | escape : tag & ~escape);
  if (refilled && binds_nothing (old->dynstack))
    resume_next (loop, vm, base);
}

/* Leave the running task of LOOP until PORT may be ready (`park'), or, with #f as
   PORT, until something else wakes it.  The answer is that of `park'; #t means
   that it has to be left by an abort.  */
static SCM
task_wait (SCM loop, SCM port, SCM direction)
{
  SCM parked = scm_is_false (port) ? SCM_BOOL_T : park (loop, port, direction);
  if (scm_is_eq (parked, SCM_BOOL_T))
    leave (loop);
  return parked;
}

/* Tell of the record type of tasks, the tag of their prompts, and the procedure
   that calls %task-wait; without that, Guile does everything.  */
static SCM
task_init (SCM type, SCM tag, SCM proc)
{
  task_type = type;
  task_tag = tag;
  leaver = proc;
  fitting = same_release && SCM_PROGRAM_P (proc);
  return SCM_UNSPECIFIED;
}

static int
runs_release (const char *release)
{
  char *running = scm_to_utf8_string (scm_version ());
  int same = strcmp (running, release) == 0;
  free (running);
  return same;
}

#define STRING(x) #x
#define RELEASE(major, minor, micro)                                          \
  STRING (major) "." STRING (minor) "." STRING (micro)

void
scm_skp__init_task (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%task-init!", 3, 0, 0, task_init },
    { "%task-push!", 2, 0, 0, task_push },
    { "%task-pop!", 1, 0, 0, task_pop },
    { "%tasks-ready", 1, 0, 0, tasks_ready },
    { "%tasks-begin!", 1, 0, 0, tasks_begin },
    { "%task-wait", 3, 0, 0, task_wait },
  };
  same_release = runs_release (
      RELEASE (SCM_MAJOR_VERSION, SCM_MINOR_VERSION, SCM_MICRO_VERSION));
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
