/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the loop of a thread, if one runs there, lends those who transfer. */

#ifndef SCM_SKP_LOOP_H
#define SCM_SKP_LOOP_H

#include <libguile.h>

/* Have every loop forget PORT, and what waits for it there go on.  */
void scm_skp__forget (SCM port);

/* The task that runs in this thread, or the thread.  */
SCM scm_skp__who_runs (void);

/* What the loop that runs in this thread knows of its TCP sockets, by
   descriptor. On such a socket, a read of less than was asked for has taken all
   there was, and the poller reports when there is more, so the next attempt
   needs no system call to know that it would have to wait.  COUNT is 0 where no
   loop runs.  */
enum scm_skp__hint
{
  SCM_SKP__HINT_NONE,   /* nothing can be known */
  SCM_SKP__HINT_UNREAD, /* there may be something */
  SCM_SKP__HINT_DRAINED
};

struct scm_skp__hints
{
  unsigned char *hint;
  size_t count;
};

/* A task that never has to wait shall not keep its thread from the others: of
   so many attempts, the last returns as if it had to wait, and then waiting
   is letting the others run.  LEFT is 0 where no loop runs.  MOVED is how many
   of them were no attempts but bytes.  */
#define SCM_SKP__TURN 32
struct scm_skp__turn
{
  unsigned left, moved;
  int over;
};

extern __thread struct scm_skp__turn scm_skp__turn
    __attribute__ ((tls_model ("initial-exec")));

/* For the beginning of an attempt: is the turn over?  */
static inline int
scm_skp__turn_over (void)
{
  if (!scm_skp__turn.left || --scm_skp__turn.left)
    return 0;
  scm_skp__turn.left = SCM_SKP__TURN;
  scm_skp__turn.over = 1;
  return 1;
}

/* So many bytes that were sent or received count as an attempt more: the others
   wait for those too.  */
#define SCM_SKP__TURN_BYTES 8192

static inline void
scm_skp__turn_moved (size_t bytes)
{
  size_t attempts = bytes / SCM_SKP__TURN_BYTES, left = scm_skp__turn.left;
  if (!attempts || !left)
    return;
  attempts = attempts < left ? attempts : left - 1;
  scm_skp__turn.left -= (unsigned)attempts;
  scm_skp__turn.moved += (unsigned)attempts;
}

/* Has this turn taken so long that the kernel may have events?  If none were
   looked for, a task that receives would begin when what the other sends fills
   the buffers of both sockets, and the processor's caches.  */
static inline int
scm_skp__turn_was_long (void)
{
  return scm_skp__turn.moved >= SCM_SKP__TURN / 2;
}

/* For those who wait: was it the turn that was over?  */
static inline int
scm_skp__turn_was_over (void)
{
  int over = scm_skp__turn.over;
  scm_skp__turn.over = 0;
  return over;
}

/* Does a task run here that cannot be left, because of C code that called this?
   (guile/task/task.c)  */
int scm_skp__below_c (void);

/* Does a task run here that is known to be left where it waits, so that the
   loop sees what it waits for?  */
int scm_skp__can_leave_here (void);

/* For what runs here, which was left to wait for PORT and goes on, to say so:
   #f if it can try again at once, its interrupt, or #t if something else comes
   first, with which it is called again.  */
SCM scm_skp__goes_on_with (SCM port);

/* Does a loop run in this thread?  */
int scm_skp__in_loop (void);

extern __thread struct scm_skp__hints scm_skp__hints
    __attribute__ ((tls_model ("initial-exec")));

static inline int
scm_skp__drained (int fd)
{
  return (size_t)fd < scm_skp__hints.count
         && scm_skp__hints.hint[fd] == SCM_SKP__HINT_DRAINED;
}

static inline void
scm_skp__note_drained (int fd)
{
  if ((size_t)fd < scm_skp__hints.count
      && scm_skp__hints.hint[fd] == SCM_SKP__HINT_UNREAD)
    scm_skp__hints.hint[fd] = SCM_SKP__HINT_DRAINED;
}

#endif /* SCM_SKP_LOOP_H */
