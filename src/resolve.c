/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Look-ups in threads: who runs, who waits, who has lost interest.

   A job is one query and one thread; its lookups are those who want the answer.
   A job is QUEUED until fewer than the limit run; then it is its owner's TURN,
   and that owner's next take makes the thread, so that it is born in the
   owner's network namespace; it is RUNNING until the C library returns; then
   DONE.  Everything below is changed under the resolver's lock, and nobody
   waits while holding it.  */

#include <sockport/resolve.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "os.h"
#include "resolve-job.h"

/* What the C library's name services need: 16 KiB was enough for files and DNS,
   but those of others log and allocate.  */
#define STACK_BYTES (1024 * 1024)

static void
locks_init (struct skp_resolver *r)
{
  pthread_condattr_t monotonic;
  pthread_mutex_init (&r->lock, NULL);
  pthread_condattr_init (&monotonic);
  pthread_condattr_setclock (&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init (&r->ended, &monotonic);
  pthread_condattr_destroy (&monotonic);
}

int
skp_resolver_open (struct skp_resolver **resolver, int limit,
                   const char *helper)
{
  if (limit < 1)
    return -EINVAL;
  struct skp_resolver *r = calloc (1, sizeof *r);
  if (!r)
    return -ENOMEM;
  r->limit = limit;
  r->helper = helper;
  r->references = 1;
  locks_init (r);
  *resolver = r;
  return 0;
}

/* Unlocks R, and frees it if that was the last reference.  */
static void
release (struct skp_resolver *r)
{
  int left = --r->references;
  pthread_mutex_unlock (&r->lock);
  if (left)
    return;
  pthread_mutex_destroy (&r->lock);
  pthread_cond_destroy (&r->ended);
  free (r);
}

void
skp_resolver_close (struct skp_resolver *resolver)
{
  pthread_mutex_lock (&resolver->lock);
  release (resolver);
}

void
skp__job_unlink (struct job **list, struct job *job)
{
  while (*list != job)
    list = &(*list)->next;
  *list = job->next;
}

static void
append_job (struct job **list, struct job *job)
{
  while (*list)
    list = &(*list)->next;
  job->next = NULL;
  *list = job;
}

/* The descriptor is in blocking mode, because those who wait for a descriptor
   that is not are refused by some.  */
void
skp__job_tell (const struct skp_lookup *lookup)
{
  skp__write (lookup->fd, &(uint64_t){ 1 }, sizeof (uint64_t));
}

void
skp__job_was_told (const struct skp_lookup *lookup)
{
  uint64_t told;
  struct pollfd now = { .fd = lookup->fd, .events = POLLIN };
  if (skp__poll_now (&now, 1) > 0)
    skp__read (lookup->fd, &told, sizeof told);
}

/* A place has become free.  */
static void
next_turn (struct skp_resolver *r)
{
  struct job *job = r->queue;
  if (!job || r->active_count >= r->limit)
    return;
  r->queue = job->next;
  append_job (&r->active, job);
  r->active_count++;
  job->state = TURN;
  skp__job_tell (job->lookups);
}

/* JOB, whose turn it was or that has run, gives its place to the next.  */
void
skp__job_leave_place (struct job *job)
{
  struct skp_resolver *r = job->resolver;
  skp__job_unlink (&r->active, job);
  r->active_count--;
  pthread_cond_broadcast (&r->ended);
  next_turn (r);
}

/* Frees JOB, which nobody wants any more, and unlocks its resolver.  */
void
skp__job_free (struct job *job)
{
  struct skp_resolver *r = job->resolver;
  free (job->answer);
  free (job);
  release (r);
}

/* Without an answer, or memory for it, the one that was made beforehand holds.
 */
static void
finish (struct job *job, struct skp_answer *answer)
{
  if (answer)
    {
      free (job->answer);
      job->answer = answer;
    }
  job->state = DONE;
  skp__job_leave_place (job);
  for (struct skp_lookup *l = job->lookups; l; l = l->next)
    skp__job_tell (l);
}

static void *
run (void *data)
{
  struct job *job = data;
  struct skp_resolver *r = job->resolver;
  struct skp_answer *answer
      = r->forked_amid ? skp__query_run_apart (&job->query, r->helper)
                       : skp__query_run (&job->query);
  pthread_mutex_lock (&r->lock);
  finish (job, answer);
  if (job->lookups)
    pthread_mutex_unlock (&r->lock);
  else
    skp__job_free (job);
  return NULL;
}

static int
make_thread (struct job *job)
{
  pthread_attr_t attributes;
  pthread_t thread;
  sigset_t all, before;
  if (pthread_attr_init (&attributes))
    return ENOMEM;
  pthread_attr_setdetachstate (&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize (&attributes, STACK_BYTES);
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  int error = pthread_create (&thread, &attributes, run, job);
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  pthread_attr_destroy (&attributes);
  return error;
}

/* It is the turn of JOB.  */
void
skp__job_begin (struct job *job)
{
  job->state = RUNNING;
  int error = make_thread (job);
  if (!error)
    return;
  job->answer->code = EAI_SYSTEM;
  job->answer->error = error;
  finish (job, NULL);
}

static struct job *
find_job (struct job *list, const struct job *like)
{
  for (; list; list = list->next)
    if (list->namespace == like->namespace && list->state != DONE
        && memcmp (&list->query, &like->query, sizeof like->query) == 0)
      return list;
  return NULL;
}

static void
add_lookup (struct job *job, struct skp_lookup *lookup)
{
  struct skp_lookup **end = &job->lookups;
  while (*end)
    end = &(*end)->next;
  *end = lookup;
  lookup->job = job;
}

/* Give LOOKUP to JOB, which is new, or to one like it.  */
void
skp__job_enter (struct skp_resolver *r, struct job *job,
                struct skp_lookup *lookup)
{
  pthread_mutex_lock (&r->lock);
  struct job *same = find_job (r->active, job);
  if (!same)
    same = find_job (r->queue, job);
  add_lookup (same ? same : job, lookup);
  if (same)
    {
      free (job->answer);
      free (job);
    }
  else
    {
      job->resolver = r;
      r->references++;
      append_job (&r->queue, job);
      if (r->active_count < r->limit && r->queue == job)
        {
          r->queue = NULL;
          append_job (&r->active, job);
          r->active_count++;
          skp__job_begin (job);
        }
    }
  pthread_mutex_unlock (&r->lock);
}

void
skp_resolver_before_fork (struct skp_resolver *r, int milliseconds)
{
  struct timespec until;
  clock_gettime (CLOCK_MONOTONIC, &until);
  until.tv_nsec += milliseconds % 1000 * 1000000L;
  until.tv_sec += milliseconds / 1000 + until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  pthread_mutex_lock (&r->lock);
  while (r->active && pthread_cond_timedwait (&r->ended, &r->lock, &until) == 0)
    continue;
}

/* The threads stayed in the parent.  */
static void
forget_jobs (struct skp_resolver *r)
{
  r->forked_amid |= r->active != NULL;
  while (r->active || r->queue)
    {
      struct job **list = r->active ? &r->active : &r->queue;
      struct job *job = *list;
      *list = job->next;
      job->answer->code = EAI_AGAIN;
      job->state = DONE;
      if (!job->lookups)
        {
          free (job->answer);
          free (job);
          r->references--;
        }
    }
  r->active_count = 0;
}

void
skp_resolver_after_fork (struct skp_resolver *r, int child)
{
  if (child)
    {
      forget_jobs (r);
      locks_init (r);
    }
  else
    pthread_mutex_unlock (&r->lock);
}
