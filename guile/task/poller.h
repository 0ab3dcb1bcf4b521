/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The poller of a loop and its queue of tasks that are ready.  */

#ifndef SCM_SKP_POLLER_H
#define SCM_SKP_POLLER_H

#include "setting.h"
#include "../loop.h"

#include <stdatomic.h>
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

/* A ring of what goes on: tasks, and procedures for the loop to call.  LEFT of
   them are dealt with before the loop looks for events; what becomes ready
   meanwhile is as well, until UNASKED were.  */
struct scm_skp__queue
{
  SCM *entry;
  size_t size, head, count, left, unasked; /* SIZE is a power of two */
};

/* While tasks keep each other busy, the kernel is asked seldom.  */
#define SCM_SKP__MOST_UNASKED 64

/* Events are looked for now; those that are ready are dealt with before it is
   done again.  */
static inline void
scm_skp__ask (struct scm_skp__queue *q)
{
  q->left = q->count;
  q->unasked = 0;
}

/* Nothing more is dealt with before.  */
static inline void
scm_skp__ask_first (struct scm_skp__queue *q)
{
  q->left = 0;
  q->unasked = SCM_SKP__MOST_UNASKED;
}

/* Is there one that is dealt with before the loop looks for events?  */
static inline int
scm_skp__has_next (struct scm_skp__queue *q)
{
  if (!q->left && q->unasked < SCM_SKP__MOST_UNASKED)
    q->left = q->count;
  return q->left > 0;
}

struct loop_poller
{
  struct skp_poller *core;
  struct owners *owners;
  struct scm_skp__hints hints; /* as large as OWNERS */
  struct scm_skp__queue queue;
  struct scm_skp__base base;
  SCM inbox;       /* what other threads want there, the latest first */
  atomic_int news; /* is there something in the inbox, given or forgotten?  */
  struct scm_skp__notice *awaited, *given; /* notice.h */
  int pipe[2];     /* libguile writes to it when an async is queued */
  unsigned sleeps; /* so many waits do not look for events before they sleep */
  /* Positive where what is waited for comes soon, so that it is looked for;
     and how often that was in vain, in a row (turn.c).  */
  int brisk;
  unsigned vain;
  int asked; /* has something to be asked before each turn?  */
  /* What the thread had when the loop began to run.  */
  unsigned int asyncs_blocked;
  SCM outer; /* the loop that ran there, its parent's after a fork */
  /* Descriptors that were closed; what waits for them is to go on.  */
  int *forgotten;
  size_t forgotten_count, forgotten_size;
  struct loop_poller *next;
};

/* A poller is a pointer object, which costs less to look into than one of a
   foreign type; none but (sockport task loop) and its helpers have one.  */
static inline struct loop_poller *
scm_skp__poller (SCM poller)
{
  return SCM_POINTER_VALUE (poller);
}

/* The same, for WHO, which needs one that is open.  */
struct loop_poller *scm_skp__poller_of (SCM poller, const char *who);

/* The pollers of the loops that run.  Other threads wake them and forget their
   descriptors; under this lock, what they look into neither ends nor moves.
   Nothing allocates from the collector or throws while it is held.  */
extern struct loop_poller *scm_skp__pollers;
void scm_skp__shared_take (void);
void scm_skp__shared_leave (void);

/* What other threads made ready is in the queue of P.  */
void scm_skp__take_inbox (struct loop_poller *p);

/* What waits in LOOP for a descriptor that was forgotten goes on.  */
void scm_skp__take_forgotten (struct loop_poller *p, SCM loop);
void scm_skp__init_watch (void);
void scm_skp__init_turn (void);

static inline int
scm_skp__watched (const struct loop_poller *p, int fd, scm_t_bits owner)
{
  const struct owners *owners = p->owners;
  return owners && (size_t)fd < owners->size && owners->owner[fd] == owner;
}

/* The fields of <loop>, <task>, <timers> and <timer>, records of (sockport task
   record) and (sockport task timer), that are known here: the first there, in
   this order.  */
#define SCM_SKP__LOOP_FIELDS(FIELD)                                            \
  FIELD (LOOP_CURRENT, "current")                                              \
  FIELD (LOOP_TURNS, "turns")                                                  \
  FIELD (LOOP_POLLER, "poller")                                                \
  FIELD (LOOP_THREAD, "thread")                                                \
  FIELD (LOOP_SLOTS, "slots")                                                  \
  FIELD (LOOP_INSIDE, "inside?")                                               \
  FIELD (LOOP_TIMERS, "timers")
#define SCM_SKP__TASK_FIELDS(FIELD)                                            \
  FIELD (TASK_CONTINUATION, "continuation")                                    \
  FIELD (TASK_ABANDON, "abandon")                                              \
  FIELD (TASK_PLACE, "place")                                                  \
  FIELD (TASK_INTERRUPT, "interrupt")                                          \
  FIELD (TASK_PORT, "port")                                                    \
  FIELD (TASK_SETTINGS, "settings")                                            \
  FIELD (TASK_END, "end")                                                      \
  FIELD (TASK_PREVIOUS, "previous")                                            \
  FIELD (TASK_NEXT, "next")                                                    \
  FIELD (TASK_STATE, "state")                                                  \
  FIELD (TASK_RESULT, "result")                                                \
  FIELD (TASK_JOINERS, "joiners")                                              \
  FIELD (TASK_ON_END, "on-end")
#define SCM_SKP__TIMERS_FIELDS(FIELD)                                          \
  FIELD (TIMERS_HEAP, "heap")                                                  \
  FIELD (TIMERS_COUNT, "count")
#define SCM_SKP__TIMER_FIELDS(FIELD) FIELD (TIMER_TIME, "time")

#define SCM_SKP__FIELD_NUMBER(number, name) number,
enum loop_field
{
  SCM_SKP__LOOP_FIELDS (SCM_SKP__FIELD_NUMBER)
};
enum task_field
{
  SCM_SKP__TASK_FIELDS (SCM_SKP__FIELD_NUMBER)
};
enum timers_field
{
  SCM_SKP__TIMERS_FIELDS (SCM_SKP__FIELD_NUMBER)
};
enum timer_field
{
  SCM_SKP__TIMER_FIELDS (SCM_SKP__FIELD_NUMBER)
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

/* What LOOP has: its poller, and the thread that it belongs to.  */
static inline struct loop_poller *
scm_skp__poller_in (SCM loop)
{
  return scm_skp__poller (scm_skp__field (loop, LOOP_POLLER));
}

static inline scm_thread *
scm_skp__thread_in (SCM loop)
{
  return SCM_I_THREAD_DATA (scm_skp__field (loop, LOOP_THREAD));
}

extern SCM scm_skp__task_type;

static inline int
scm_skp__is_task (SCM object)
{
  return SCM_STRUCTP (object)
         && scm_is_eq (SCM_STRUCT_VTABLE (object), scm_skp__task_type);
}

/* ENTRY, of the queue of P, is what runs next.  */
static inline void
scm_skp__run_next (struct loop_poller *p, SCM entry)
{
  p->base.task = entry;
  if (scm_skp__is_task (entry))
    scm_skp__set_again (scm_skp__field (entry, TASK_SETTINGS));
}

/* Why a task is not left.  */
enum scm_skp__not_left
{
  NOT_LEFT_READY = 1,   /* it may be ready, or is always */
  NOT_LEFT_TURN,        /* the turn was over, let the others run */
  NOT_LEFT_INTERRUPTED, /* by a deadline, or cancelled */
  NOT_LEFT_CLOSED,
  NOT_LEFT_UNABLE, /* inside C code, an async or the loop */
};

/* A turn of LOOP in place, where its running task is being left and nothing
   else is ready: what is ready then is in the queue, if nothing else is due
   first.  */
void scm_skp__turn_in_place (SCM loop);

/* Make ENTRY ready.  In the thread of the loop.  */
void scm_skp__push (struct scm_skp__queue *q, SCM entry);

/* Make ENTRY, a task of POLLER's loop or a procedure for it to call, ready
   there. Any thread may call this, at any time; #f if the loop has ended.  */
SCM scm_skp__make_ready (SCM poller, SCM entry);

/* What waits in SLOT of LOOP goes on; if nothing does, leave LEFT there.  */
void scm_skp__wake_slot (SCM loop, size_t slot, SCM left);

/* Have LOOP watch FD, for PORT's OWNER; 0, or why there is nothing to wait for.
   An owner of 0 is none that would be known the next time.  */
int scm_skp__arm (SCM loop, int fd, scm_t_bits owner, SCM port);

/* The first entry of Q, which is taken from there and not empty.  */
SCM scm_skp__pop (struct scm_skp__queue *q);

/* TAG is that of the prompts of tasks, PROC the procedure that leaves one,
   WINDER has the code of what does nothing when a task is left or goes on.
   Without PROC nothing here is done but by Guile.  */
void scm_skp__leave_by (SCM tag, SCM proc, SCM winder);

/* Where a task is left.  FP is the frame that it is left in, BASE its oldest.
 */
struct scm_skp__leaving
{
  scm_thread *thread;
  scm_t_bits *prompt;
  union scm_vm_stack_element *fp, *base;
};

/* Can the task that runs in LOOP be left here?  1, also if it is not known; 0
   below C code; negative in an async.  */
int scm_skp__can_leave (struct scm_skp__leaving *leaving, SCM loop);

/* The running task of LOOP, if one runs, is about to wait: 0, asyncs being off
   afterwards, or why it cannot.  */
int scm_skp__begin_wait (SCM loop);

/* An exception leaves what ran in LOOP, or it has returned, wherever that was:
   asyncs are off.  */
void scm_skp__recover (SCM loop);

/* Leave the running task of LOOP, for PROC: #t.  If its continuation could be
   filled anew, the abort that follows takes none; and if another task is ready,
   that goes on instead of what follows.  The procedure that begins that task,
   for PROC to call in tail position, if it has not run yet.  */
SCM scm_skp__leave (SCM loop, const struct scm_skp__leaving *leaving);

/* The loop that runs in this thread, or 0.  */
extern __thread SCM scm_skp__running
    __attribute__ ((tls_model ("initial-exec")));

#endif /* SCM_SKP_POLLER_H */
