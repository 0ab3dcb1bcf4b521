/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The poller of a loop and its queue of tasks that are ready.  */

#ifndef SCM_SKP_POLLER_H
#define SCM_SKP_POLLER_H

#include "../convert.h"

#include <sockport/poller.h>

/* The owners of the watched descriptors.  An owner is what a port has that
   lives as long as it does and is not the port, which the loop must not keep
   alive: the stream of a file port.  Held here, its address is not used again,
   so a descriptor that was closed and given to another port is noticed.  */
struct owners
{
  size_t size;
  scm_t_bits owner[];
};

/* A ring of tasks, of which LEFT are run before the loop looks for events.  */
struct scm_skp__queue
{
  SCM *task;
  size_t size, head, count, left; /* SIZE is a power of two */
};

struct loop_poller
{
  struct skp_poller *core;
  struct owners *owners;
  struct scm_skp__hints hints; /* as large as OWNERS */
  struct scm_skp__queue queue;
  int pipe[2]; /* libguile writes to it when an async is queued */
};

/* A poller is a pointer object, which costs less to look into than one of a
   foreign type; none but (sockport task loop) and its helpers have one.  */
struct loop_poller *scm_skp__poller (SCM poller);

static inline int
scm_skp__watched (const struct loop_poller *p, int fd, scm_t_bits owner)
{
  const struct owners *owners = p->owners;
  return owners && (size_t)fd < owners->size && owners->owner[fd] == owner;
}

/* The fields of the records <loop> and <task> of (sockport task loop) that are
   known here; they are the first there, in this order.  */
enum loop_field
{
  LOOP_CURRENT,
  LOOP_TURNS,
  LOOP_POLLER,
  LOOP_THREAD,
  LOOP_SLOTS,
  LOOP_EVENTS,
  LOOP_INSIDE,
};
enum task_field
{
  TASK_CONTINUATION,
  TASK_PARKED,
  TASK_INTERRUPT,
  TASK_PORT,
  TASK_WANTED,
};

static inline SCM
scm_skp__field (SCM record, size_t field)
{
  return SCM_STRUCT_SLOT_REF (record, field);
}

static inline void
scm_skp__set_field (SCM record, size_t field, SCM value)
{
  SCM_STRUCT_SLOT_SET (record, field, value);
}

/* An edge was seen for SLOT of LOOP: a task that waits there alone goes on.  0
   if something else has to.  */
int scm_skp__edge (SCM loop, size_t slot);

/* The first task of Q, which is taken from there and not empty.  */
SCM scm_skp__task_pop (struct scm_skp__queue *q);

/* TAG is that of the prompts of tasks, PROC the procedure that leaves one,
   WINDER has the code of what does nothing when a task is left or goes on.
   Without PROC nothing here is done but by Guile.  */
void scm_skp__leave_by (SCM tag, SCM proc, SCM winder);

/* Can the task that runs in THREAD be left here?  0 if it is not known.  */
int scm_skp__can_leave (SCM thread);

/* Leave the running task of LOOP, for PROC.  If its continuation could be
   filled anew, the abort that follows takes none; and if another task is ready,
   that goes on instead of what follows.  */
void scm_skp__leave (SCM loop);

#endif /* SCM_SKP_POLLER_H */
