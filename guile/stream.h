/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* One attempt to read or to write a file port, see stream.c.  */

#ifndef SCM_SKP_STREAM_H
#define SCM_SKP_STREAM_H

#include <libguile.h>
#include <sys/types.h>

/* Up to SIZE bytes of PORT, which is an open file port: how many were moved,
   -EAGAIN if they have to be waited for, or another negative errno.  Below C
   code they wait first, as those do for whom libguile would wait in poll.  */
ssize_t scm_skp__read_some (SCM port, void *bytes, size_t size);
ssize_t scm_skp__write_some (SCM port, const void *bytes, size_t size);

/* #f, for the waiter, which is told that PORT was tried.  */
SCM scm_skp__would_block (SCM port, size_t direction);

/* Is it the loop that runs in this thread that waits for what is read here?  */
int scm_skp__loop_waits (void);

#endif /* SCM_SKP_STREAM_H */
