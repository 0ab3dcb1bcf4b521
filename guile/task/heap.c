/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The size of the collector's heap, and its pages.  */

#include "heap.h"
#include "../primitive.h"
#include "../value.h"

#include <gc/gc.h>
#include <sys/mman.h>

#define LARGE_PAGE ((size_t)2 << 20)

/* What thousands of tasks need next is spread over as many pages, and the
   processor finds few of these without a walk through its tables.  So what the
   heap has grown by, SIZE bytes, is to have large ones (madvise(2)): an object
   of nearly that size shows where it is.  */
static void
want_large_pages (size_t size)
{
  if (size < 2 * LARGE_PAGE)
    return;
  size -= LARGE_PAGE;
  char *bytes = GC_malloc_atomic_ignore_off_page (size);
  if (!bytes)
    return;
  uintptr_t start
      = ((uintptr_t)bytes + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
  uintptr_t end = ((uintptr_t)bytes + size) / LARGE_PAGE * LARGE_PAGE;
  if (start < end)
    madvise ((void *)start, end - start, MADV_HUGEPAGE);
  GC_free (bytes);
}

/* A collection marks everything that lives, Guile's own modules included, so
   its cost is spread over what is allocated until the next: with the few
   megabytes that a small program has, collecting costs more than taking the
   continuations that fill them.  */
void
scm_skp__have_heap (size_t bytes)
{
  size_t size = GC_get_heap_size ();
  if (size < bytes && GC_expand_hp (bytes - size))
    want_large_pages (bytes - size);
}

static SCM
reserve_heap (SCM bytes)
{
  scm_skp__have_heap (
      (size_t)scm_skp__integer (bytes, 0, INT32_MAX, 1, "run-tasks"));
  return SCM_UNSPECIFIED;
}

void
scm_skp__init_heap (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%reserve-heap", 1, 0, 0, reserve_heap },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
