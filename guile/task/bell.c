/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How a thread that runs no loop waits: it sleeps by a bell, outside Guile
   mode, so that an async ends the sleep.  */

#include "claim.h"
#include "dynamic-stack.h"
#include "../primitive.h"
#include "../value.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define NS INT64_C (1000000000)

/* What a thread sleeps by.  It is rung while its thread waits, or not at all.
 */
struct bell
{
  pthread_mutex_t lock;
  pthread_cond_t cond;
  int rung;
};

static SCM
make_bell (void)
{
  struct bell *bell
      = scm_gc_malloc_pointerless (sizeof *bell, "sockport waiter");
  pthread_condattr_t attributes;
  memset (bell, 0, sizeof *bell);
  pthread_mutex_init (&bell->lock, NULL);
  pthread_condattr_init (&attributes);
  pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
  pthread_cond_init (&bell->cond, &attributes);
  pthread_condattr_destroy (&attributes);
  return scm_from_pointer (bell, NULL);
}

/* For a new wait; nobody rings for one that is over.  */
static SCM
reset_bell (SCM bell)
{
  struct bell *b = SCM_POINTER_VALUE (bell);
  b->rung = 0;
  return SCM_UNSPECIFIED;
}

void
scm_skp__ring (SCM bell)
{
  struct bell *b = SCM_POINTER_VALUE (bell);
  pthread_mutex_lock (&b->lock);
  b->rung = 1;
  pthread_cond_signal (&b->cond);
  pthread_mutex_unlock (&b->lock);
}

struct sleep
{
  struct bell *bell;
  int64_t deadline_ns; /* -1: none */
};

static void *
do_sleep (void *data)
{
  struct sleep *s = data;
  struct timespec then = { s->deadline_ns / NS, (long)(s->deadline_ns % NS) };
  if (s->deadline_ns < 0)
    pthread_cond_wait (&s->bell->cond, &s->bell->lock);
  else
    pthread_cond_timedwait (&s->bell->cond, &s->bell->lock, &then);
  return NULL;
}

/* Sleep until BELL is rung; #f if an async came or DEADLINE_NS, a number or #f,
   has passed before.  Asyncs are off.  */
static SCM
sleep_until_rung (SCM bell, SCM deadline_ns)
{
  struct sleep s = { .bell = SCM_POINTER_VALUE (bell), .deadline_ns = -1 };
  scm_thread *thread = scm_skp__thread ();
  if (scm_is_true (deadline_ns))
    s.deadline_ns = scm_skp__integer (deadline_ns, 0, INT64_MAX, 2, "wait");
  pthread_mutex_lock (&s.bell->lock);
  scm_skp__asyncs_on (thread);
  if (!s.bell->rung
      && !scm_c_prepare_to_wait_on_cond (&s.bell->lock, &s.bell->cond))
    {
      scm_without_guile (do_sleep, &s);
      scm_c_wait_finished ();
    }
  scm_skp__asyncs_off (thread);
  int rung = s.bell->rung;
  pthread_mutex_unlock (&s.bell->lock);
  scm_remember_upto_here_1 (bell);
  return scm_from_bool (rung);
}

void
scm_skp__init_bell (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%make-bell", 0, 0, 0, make_bell },
    { "%reset-bell!", 1, 0, 0, reset_bell },
    { "%sleep-until-rung", 2, 0, 0, sleep_until_rung },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
