/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The size of the collector's heap.  */

#ifndef SCM_SKP_HEAP_H
#define SCM_SKP_HEAP_H

#include <stddef.h>

/* Let the heap have BYTES at least.  */
void scm_skp__have_heap (size_t bytes);
void scm_skp__init_heap (void);

#endif /* SCM_SKP_HEAP_H */
