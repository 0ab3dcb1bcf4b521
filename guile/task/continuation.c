/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Taking the continuation of a task (continuation.h).

   Guile takes one by copying the stack to new memory each time, and leaves by
   an abort.  A task that waits has an old continuation, which nothing else
   refers to and which will not be called again: if it has the room, it is
   filled anew instead; else a new one is made like those that Guile makes.

   Where that is not known to work (dynamic-stack.h), none of this is called. */

#include "continuation.h"
#include "dynamic-stack.h"
#include "../primitive.h"

#include <gc/gc.h>
#include <stdlib.h>
#include <string.h>

int scm_skp__checking;
static SCM leaver;
/* To be compared, and how many collections there were when it was filled.  */
static __thread const struct scm_vm_cont *filled;
static __thread GC_word filled_after;

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
      || (old->mra && !scm_skp__machine_code (fp))
      || old->dynstack->top - saved != words)
    return 0;
  memcpy (old->stack_bottom, fp, (size_t)old->stack_size * sizeof *fp);
  scm_skp__copy_items (saved, items, (size_t)words);
  scm_skp__relocate_prompts (saved, base - thread->vm.stack_top);
  return 1;
}

/* What the continuations that Guile takes when tasks are left have in common:
   all but what they copy.  Without machine code until this thread has seen one
   that goes on in some.  */
static __thread struct
{
  scm_t_bits program, code, vm_cont; /* the first words of its objects */
  struct scm_vm_cont data;
} kind;

static void
note_kind (SCM k, const struct scm_vm_cont *data)
{
  if (kind.data.mra || !data || !data->mra)
    return;
  kind.program = SCM_CELL_WORD_0 (k);
  kind.code = SCM_CELL_WORD_1 (k);
  kind.vm_cont = SCM_CELL_WORD_0 (SCM_PROGRAM_FREE_VARIABLE_REF (k, 0));
  kind.data = *data;
}

/* A continuation and all that it copies, in ROOM bytes: the items are behind
   the stack.  */
struct whole
{
  struct scm_vm_cont data;
  scm_t_dynstack dynstack;
  size_t room;
  union scm_vm_stack_element stack[];
};

/* The size of what has to be copied where a task is left.  */
struct extent
{
  ptrdiff_t size, words;
};

static struct extent
extent_of (const struct scm_skp__leaving *l)
{
  ptrdiff_t items = l->thread->dynstack.top - SCM_DYNSTACK_NEXT (l->prompt);
  return (struct extent){ l->base - l->fp, items + SCM_DYNSTACK_HEADER_LEN };
}

static size_t
bytes_of (const struct extent *e)
{
  return (size_t)e->size * sizeof (union scm_vm_stack_element)
         + (size_t)e->words * sizeof (scm_t_bits);
}

static void
divide (struct whole *whole, const struct extent *e)
{
  scm_t_bits *items = (scm_t_bits *)(whole->stack + e->size);
  items[0] = 0; /* the first, there is none before it */
  whole->dynstack = (scm_t_dynstack){ .base = items,
                                      .top = items + e->words,
                                      .limit = items + e->words };
  whole->data.fp_offset = whole->data.stack_size = e->size;
}

/* As `refill', where OLD was made here and has the room, for a task that waits
   now in one procedure and now in another.  One that is much too large is let
   go: what waits for long shall not hold the memory of what was deep.  */
static int
refill_otherwise (struct scm_vm_cont *old, const struct scm_skp__leaving *l)
{
  struct whole *whole = (struct whole *)old;
  struct extent e = extent_of (l);
  size_t needed = bytes_of (&e);
  if (old->dynstack != &whole->dynstack || needed > whole->room
      || needed < whole->room / 4 || !scm_skp__machine_code (l->fp))
    return 0;
  divide (whole, &e);
  memset ((char *)whole->stack + needed, 0, whole->room - needed);
  return refill (old, l->thread, l->fp, l->base, l->prompt);
}

/* As `refill', but a new one; #f if that is left to Guile.  */
static SCM
make_filled (const struct scm_skp__leaving *l)
{
  struct extent e = extent_of (l);
  size_t room = bytes_of (&e);
  if (!kind.data.mra || !scm_skp__machine_code (l->fp))
    return SCM_BOOL_F;
  struct whole *whole = scm_gc_malloc (sizeof *whole + room, "task");
  whole->room = room;
  whole->data = kind.data;
  whole->data.stack_bottom = whole->stack;
  whole->data.dynstack = &whole->dynstack;
  divide (whole, &e);
  refill (&whole->data, l->thread, l->fp, l->base, l->prompt);
  SCM k = scm_skp__words (kind.program, 3);
  SCM_SET_CELL_WORD_1 (k, kind.code);
  SCM vm_cont = scm_skp__words (kind.vm_cont, 2);
  SCM_SET_CELL_WORD_1 (vm_cont, whole);
  SCM_PROGRAM_FREE_VARIABLE_SET (k, 0, vm_cont);
  return k;
}

static struct scm_vm_cont *
fill (SCM task, const struct scm_skp__leaving *l)
{
  struct scm_vm_cont *old
      = scm_skp__continuation (scm_skp__field (task, TASK_CONTINUATION));
  if (!called_by_leaver (l->thread->vm.fp))
    return NULL;
  if (old
      && (refill (old, l->thread, l->fp, l->base, l->prompt)
          || refill_otherwise (old, l)))
    return old;
  SCM new = make_filled (l);
  if (scm_is_false (new))
    return NULL;
  scm_skp__set_field (task, TASK_CONTINUATION, new);
  return scm_skp__continuation (new);
}

int
scm_skp__fill (SCM task, const struct scm_skp__leaving *l)
{
  /* Before it is filled: another thread may collect as soon as it is.  */
  if (scm_skp__checking)
    filled_after = GC_get_gc_no ();
  struct scm_vm_cont *own = fill (task, l);
  if (!scm_skp__checking)
    return own != NULL;
  filled = own;
  if (own && scm_skp__checking == 2)
    own->stack_bottom[2].as_uint ^= 1;
  return 0;
}

/* A collection puts SCM_UNSPECIFIED into what will not be used any more of the
   frames on the stack, but not of a continuation.  */
static int
same_stack (const union scm_vm_stack_element *own,
            const union scm_vm_stack_element *of_guile, ptrdiff_t size)
{
  int collected = GC_get_gc_no () != filled_after;
  for (ptrdiff_t i = 0; i < size; i++)
    if (own[i].as_uint != of_guile[i].as_uint
        && !(collected && scm_is_eq (of_guile[i].as_scm, SCM_UNSPECIFIED)))
      return 0;
  return 1;
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
  ptrdiff_t first = !own->mra && !scm_skp__machine_code (a);
  return own->vra == of_guile->vra && own->flags == of_guile->flags
         && own->fp_offset == of_guile->fp_offset
         && own->stack_size == of_guile->stack_size
         && same_stack (a + first, b + first, own->stack_size - first)
         && same_items (own->dynstack, of_guile->dynstack);
}

/* K, a continuation that Guile has taken.  */
static SCM
taken (SCM k)
{
  const struct scm_vm_cont *own = filled, *of_guile = scm_skp__continuation (k);
  note_kind (k, of_guile);
  filled = NULL;
  if (own && !(of_guile && same (own, of_guile)))
    scm_misc_error ("run-tasks",
                    "a continuation was filled with what is not there",
                    SCM_EOL);
  return k;
}

void
scm_skp__fill_for (SCM proc)
{
  leaver = proc;
  const char *value = getenv ("SOCKPORT_CHECK_TASKS");
  scm_skp__checking = value ? atoi (value) : 0;
}

void
scm_skp__init_continuation (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%taken", 1, 0, 0, taken },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
