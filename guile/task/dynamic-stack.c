/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What is bound while a task runs, on libguile's dynamic stack.  */

#include "dynamic-stack.h"
#include "poller.h"
#include "../primitive.h"

#include <stdlib.h>
#include <string.h>

int scm_skp__known, scm_skp__fast;
SCM scm_skp__task_tag, scm_skp__winder;

static inline scm_t_dynstack_item_type
item_type (const scm_t_bits *item)
{
  return SCM_DYNSTACK_TAG_TYPE (SCM_DYNSTACK_TAG (item));
}

scm_t_bits *
scm_skp__find_prompt (const scm_thread *thread)
{
  scm_t_bits *item = SCM_DYNSTACK_PREV (thread->dynstack.top);
  while (item
         && !(item_type (item) == SCM_DYNSTACK_TYPE_PROMPT
              && scm_is_eq (SCM_PACK (item[PROMPT_KEY]), scm_skp__task_tag)))
    item = SCM_DYNSTACK_PREV (item);
  return item;
}

void
scm_skp__relocate_prompts (scm_t_bits *item, ptrdiff_t by)
{
  for (; SCM_DYNSTACK_TAG (item); item = SCM_DYNSTACK_NEXT (item))
    if (item_type (item) == SCM_DYNSTACK_TYPE_PROMPT)
      {
        item[PROMPT_FP] += (scm_t_bits)by;
        item[PROMPT_SP] += (scm_t_bits)by;
      }
}

void
scm_skp__copy_items (scm_t_bits *to, const scm_t_bits *from, size_t words)
{
  memcpy (to - 1, from - 1, (words + 1) * sizeof *to);
}

static int
is_winder (scm_t_bits proc)
{
  return SCM_PROGRAM_P (SCM_PACK (proc))
         && SCM_PROGRAM_CODE (SCM_PACK (proc))
                == SCM_PROGRAM_CODE (scm_skp__winder);
}

int
scm_skp__can_exchange (const scm_t_bits *item)
{
  for (; SCM_DYNSTACK_TAG (item); item = SCM_DYNSTACK_NEXT (item))
    switch (item_type (item))
      {
      case SCM_DYNSTACK_TYPE_PROMPT:
        break;
      case SCM_DYNSTACK_TYPE_DYNWIND:
        if (!is_winder (item[0]) || !is_winder (item[1]))
          return 0;
        break;
      case SCM_DYNSTACK_TYPE_WITH_FLUID:
        if (SCM_UNBNDP (SCM_VARIABLE_REF (SCM_PACK (item[1])))
            || scm_is_false (scm_fluid_bound_p (SCM_PACK (item[0]))))
          return 0;
        break;
      default:
        return 0;
      }
  return 1;
}

/* What Guile does with a fluid when a continuation is left and entered.  */
static void
swap_fluid (const scm_t_bits *item)
{
  if (item_type (item) != SCM_DYNSTACK_TYPE_WITH_FLUID)
    return;
  SCM fluid = SCM_PACK (item[0]), box = SCM_PACK (item[1]);
  SCM value = scm_fluid_ref (fluid);
  scm_fluid_set_x (fluid, SCM_VARIABLE_REF (box));
  SCM_VARIABLE_SET (box, value);
}

void
scm_skp__leave_items (scm_t_dynstack *stack, scm_t_bits *first)
{
  for (scm_t_bits *item = SCM_DYNSTACK_PREV (stack->top); item >= first;
       item = SCM_DYNSTACK_PREV (item))
    swap_fluid (item);
  SCM_DYNSTACK_SET_TAG (first, 0);
  stack->top = first;
}

void
scm_skp__enter_items (scm_t_dynstack *stack, const scm_t_dynstack *from,
                      ptrdiff_t by, jmp_buf *registers)
{
  const scm_t_bits *first = SCM_DYNSTACK_FIRST (from);
  size_t words = (size_t)(from->top - first);
  scm_t_bits *item = stack->top;
  scm_skp__copy_items (item, first, words);
  stack->top = item + words;
  scm_skp__relocate_prompts (item, by);
  for (; SCM_DYNSTACK_TAG (item); item = SCM_DYNSTACK_NEXT (item))
    if (item_type (item) == SCM_DYNSTACK_TYPE_PROMPT)
      item[PROMPT_REGISTERS] = (scm_t_bits)registers;
    else
      swap_fluid (item);
}

/* The fluids that are bound in the running task, and their values, an alist,
   innermost first; with #f instead of a task, those that are bound in the
   thread. An unbound one is left out.  */
static SCM
task_bindings (SCM task_p)
{
  const scm_thread *thread = SCM_I_THREAD_DATA (scm_current_thread ());
  const scm_t_bits *item
      = SCM_DYNSTACK_PREV (thread->dynstack.top),
      *end = scm_is_true (task_p) ? scm_skp__find_prompt (thread) : NULL;
  SCM bindings = SCM_EOL;
  if (!scm_skp__known)
    return bindings;
  for (; item && item != end; item = SCM_DYNSTACK_PREV (item))
    if (item_type (item) == SCM_DYNSTACK_TYPE_WITH_FLUID)
      {
        SCM fluid = SCM_PACK (item[0]);
        if (scm_is_false (scm_assq (fluid, bindings))
            && scm_is_true (scm_fluid_bound_p (fluid)))
          bindings = scm_acons (fluid, scm_fluid_ref (fluid), bindings);
      }
  return scm_reverse_x (bindings, SCM_EOL);
}

/* The same, and the fluids that the running task has set.  */
static SCM
task_fluids (SCM task)
{
  SCM bindings = task_bindings (task);
  if (!scm_skp__running || scm_is_false (task))
    return bindings;
  struct scm_skp__base *base = &scm_skp__poller_in (scm_skp__running)->base;
  return scm_skp__may_be_set (base) ? scm_skp__add_set (base, bindings)
                                    : bindings;
}

/* The addresses of what runs here, the innermost first, MOST of them; of a
   task, if IN_TASK, those above its prompt.  They are where each called the
   next.  */
static SCM
code_addresses (SCM in_task, SCM most)
{
  const scm_thread *thread = scm_skp__thread ();
  const struct scm_vm *vm = &thread->vm;
  const scm_t_bits *prompt
      = scm_is_true (in_task) ? scm_skp__find_prompt (thread) : NULL;
  union scm_vm_stack_element *fp = vm->fp, *end = vm->stack_top;
  SCM addresses = SCM_EOL;
  if (prompt)
    end -= (ptrdiff_t)prompt[PROMPT_FP];
  for (size_t left = scm_to_size_t (most); left && fp < end; left--)
    {
      const uint32_t *address = SCM_FRAME_VIRTUAL_RETURN_ADDRESS (fp);
      addresses = scm_cons (scm_from_uintptr_t ((uintptr_t)address), addresses);
      fp = SCM_FRAME_DYNAMIC_LINK (fp);
    }
  return scm_reverse_x (addresses, SCM_EOL);
}

/* That of PROCEDURE, or #f.  */
static SCM
code_address (SCM procedure)
{
  return SCM_PROGRAM_P (procedure)
             ? scm_from_uintptr_t ((uintptr_t)SCM_PROGRAM_CODE (procedure))
             : SCM_BOOL_F;
}

/* The releases on which the tests have run; INTERNALS says how one is added. */
static const char *const tested[] = { "3.0.8", "3.0.9", "3.0.10", "3.0.11" };

#define STRING(x) #x
#define RELEASE(major, minor, micro)                                           \
  STRING (major) "." STRING (minor) "." STRING (micro)

static int
runs_tested_release (void)
{
  const char *built
      = RELEASE (SCM_MAJOR_VERSION, SCM_MINOR_VERSION, SCM_MICRO_VERSION);
  char *running = scm_to_utf8_string (scm_version ());
  int same = strcmp (running, built) == 0, known = 0;
  for (size_t i = 0; i < sizeof tested / sizeof *tested; i++)
    known |= same && strcmp (running, tested[i]) == 0;
  free (running);
  return known;
}

/* 1: Guile takes and calls every continuation.  2: it is as on a release that
   is not known.  */
static int
plainness (void)
{
  const char *value = getenv ("SOCKPORT_PLAIN_TASKS");
  return value ? atoi (value) : 0;
}

void
scm_skp__init_dynamic_stack (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%task-bindings", 1, 0, 0, task_fluids },
    { "%code-addresses", 2, 0, 0, code_addresses },
    { "%code-address", 1, 0, 0, code_address },
  };
  scm_skp__known
      = runs_tested_release () && plainness () < 2 && scm_skp__fluids_known ();
  scm_skp__fast = scm_skp__known && plainness () < 1;
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
