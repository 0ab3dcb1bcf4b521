/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The threads of a resolver.  One that has run its job is kept for a moment,
   because the C library reads its files anew for each thread, and runs further
   jobs of its own place: threads keep the namespaces in which they were born.
   At most as many are kept as may run.  */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "resolve-job.h"

/* What the C library's name services need: 16 KiB was enough for files and DNS,
   but those of others log and allocate.  */
#define STACK_BYTES (1024 * 1024)

/* How long an idle thread is kept, and with it its namespaces.  */
#define KEEP_SECONDS 1

/* How soon a call is soon, and how long it is looked for before sleeping: as
   long as it takes one that got its answer to wake and ask for the next.  On
   processors that sleep that is mostly their waking, not work.  */
#define SOON_NS 200000

/* After how many calls that were soon a thread looks again that looked in vain:
   where others keep the processors it never comes so fast.  */
#define CALLS_AFTER_VAIN 32

void
skp__cond_init (pthread_cond_t *condition)
{
  pthread_condattr_t monotonic;
  pthread_condattr_init (&monotonic);
  pthread_condattr_setclock (&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init (condition, &monotonic);
  pthread_condattr_destroy (&monotonic);
}

int
skp__place_same (struct place a, struct place b)
{
  return a.network && a.network == b.network && a.mount == b.mount;
}

static void
unlink_worker (struct worker **list, const struct worker *worker)
{
  while (*list != worker)
    list = &(*list)->next;
  *list = worker->next;
}

/* WORKER has no job; whether it may wait for one.  */
static int
become_idle (struct skp_resolver *r, struct worker *worker)
{
  r->running_count--;
  worker->job = NULL;
  worker->called = 0;
  if (r->closed || !worker->place.network)
    return 0;
  worker->next = r->idle;
  r->idle = worker;
  return 1;
}

/* The resolver's lock is held, so that WORKER, which is idle, does not end
   meanwhile.  */
static void
call (struct skp_resolver *r, struct worker *worker, struct job *job)
{
  unlink_worker (&r->idle, worker);
  worker->job = job;
  worker->called = 1;
  sem_post (&worker->bell);
}

static int64_t
since (const struct timespec *begun)
{
  struct timespec now;
  clock_gettime (CLOCK_MONOTONIC, &now);
  return (now.tv_sec - begun->tv_sec) * INT64_C (1000000000)
         + (now.tv_nsec - begun->tv_nsec);
}

/* Whether WORKER was called meanwhile: who looks one name up after the other
   need not wake a thread for each.  */
static int
look_for_call (struct worker *worker, const struct timespec *begun)
{
  int error;
  while ((error = sem_trywait (&worker->bell)) && since (begun) < SOON_NS)
    continue;
  if (error)
    worker->brisk = -CALLS_AFTER_VAIN;
  return !error;
}

static void
note_briskness (struct worker *worker, int soon)
{
  if (soon && worker->brisk < 1)
    worker->brisk++;
  else if (!soon && worker->brisk > 0)
    worker->brisk = 0;
}

/* Whether WORKER was called in time.  */
static int
await_call (struct worker *worker)
{
  struct timespec begun, until;
  clock_gettime (CLOCK_MONOTONIC, &begun);
  until = begun;
  until.tv_sec += KEEP_SECONDS;
  int called
      = worker->alone && worker->brisk > 0 && look_for_call (worker, &begun);
  /* All signals are blocked.  */
  if (!called)
    called = sem_clockwait (&worker->bell, CLOCK_MONOTONIC, &until) == 0;
  note_briskness (worker, called && since (&begun) < SOON_NS);
  return called;
}

/* WORKER, which is idle, has waited for long enough, or was just called: then
   the bell was posted under the lock.  */
static void
stop_waiting (struct skp_resolver *r, struct worker *worker)
{
  pthread_mutex_lock (&r->lock);
  if (worker->called)
    sem_wait (&worker->bell);
  else
    unlink_worker (&r->idle, worker);
  pthread_mutex_unlock (&r->lock);
}

/* Take from R what the thread that ends is there, and unlock R.  Each waits for
   the one that ended before it, so that to wait for LEAVER is to wait for all:
   the C library frees what is a thread's under locks that fork does not know.
 */
static void
leave (struct skp_resolver *r)
{
  pthread_t before = r->leaver;
  int is_first = !r->has_leaver;
  r->leaver = pthread_self ();
  r->has_leaver = 1;
  r->thread_count--;
  r->references--;
  skp__resolver_unlock (r);
  if (!is_first)
    pthread_join (before, NULL);
}

/* Run its job; whether WORKER may wait for another.  */
static int
run (struct skp_resolver *r, struct worker *worker)
{
  struct job *job = worker->job;
  struct skp_answer *answer
      = r->forked_amid ? skp__query_run_apart (&job->query, r->helper)
                       : skp__query_run (&job->query);
  pthread_mutex_lock (&r->lock);
  int idle = become_idle (r, worker);
  skp__job_finish (job, answer);
  if (TAILQ_EMPTY (&job->lookups))
    skp__job_free (job);
  worker->alone = r->thread_count == 1;
  skp__resolver_unlock (r);
  return idle;
}

static void *
work (void *data)
{
  struct job *job = data;
  struct skp_resolver *r = job->resolver;
  struct worker worker = { .job = job, .place = job->place };
  sem_init (&worker.bell, 0, 0);
  while (worker.job)
    if (run (r, &worker) && !await_call (&worker))
      stop_waiting (r, &worker);
  pthread_mutex_lock (&r->lock);
  sem_destroy (&worker.bell);
  leave (r);
  return NULL;
}

int
skp__thread_reuse (struct job *job)
{
  struct skp_resolver *r = job->resolver;
  struct worker *worker = r->idle;
  while (worker && !skp__place_same (worker->place, job->place))
    worker = worker->next;
  if (!worker)
    return 0;
  job->state = RUNNING;
  r->running_count++;
  call (r, worker, job);
  return 1;
}

static int
create (struct job *job)
{
  pthread_attr_t attributes;
  pthread_t thread;
  sigset_t all, before;
  if (pthread_attr_init (&attributes))
    return ENOMEM;
  pthread_attr_setstacksize (&attributes, STACK_BYTES);
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  int error = pthread_create (&thread, &attributes, work, job);
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  pthread_attr_destroy (&attributes);
  return error;
}

int
skp__thread_make (struct job *job)
{
  struct skp_resolver *r = job->resolver;
  struct worker *oldest = r->idle;
  while (oldest && oldest->next)
    oldest = oldest->next;
  if (oldest && r->thread_count >= r->limit)
    call (r, oldest, NULL);
  int error = create (job);
  if (error)
    return error;
  job->state = RUNNING;
  r->thread_count++;
  r->running_count++;
  r->references++;
  return 0;
}

void
skp__threads_dismiss (struct skp_resolver *r)
{
  r->closed = 1;
  while (r->idle)
    call (r, r->idle, NULL);
}

/* The last thread, which may be the caller, ends by itself.  */
void
skp__leaver_end (struct skp_resolver *r)
{
  if (r->has_leaver && pthread_equal (r->leaver, pthread_self ()))
    pthread_detach (r->leaver);
  else if (r->has_leaver)
    pthread_join (r->leaver, NULL);
}

void
skp__threads_pause (struct skp_resolver *r, const struct timespec *until)
{
  int error = 0;
  while (r->running_count && !error)
    error = pthread_cond_timedwait (&r->ended, &r->lock, until);
  if (r->has_leaver
      && pthread_clockjoin_np (r->leaver, NULL, CLOCK_MONOTONIC, until) == 0)
    r->has_leaver = 0;
}

void
skp__threads_forget (struct skp_resolver *r)
{
  r->forked_amid |= r->running_count || r->has_leaver;
  r->references -= r->thread_count;
  r->thread_count = r->running_count = r->has_leaver = 0;
  r->idle = NULL;
}
