/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Look-ups in threads: jobs, their threads and their lookups.

   A job is one query; its lookups are those who want the answer.  A job is
   QUEUED until fewer than the limit run.  Then an idle thread of its place
   takes it; if there is none, it is its owner's TURN, and that owner's next
   take makes the thread, so that it is born in the owner's namespaces.  It is
   RUNNING until the C library returns; then DONE.  Everything below is changed
   under the resolver's lock, and nobody waits while holding it, but for a fork.
 */

#include <sockport/resolve.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "os.h"
#include "resolve-job.h"

static void
locks_init (struct skp_resolver *r)
{
  pthread_mutex_init (&r->lock, NULL);
  skp__cond_init (&r->ended);
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
  TAILQ_INIT (&r->queue);
  TAILQ_INIT (&r->active);
  r->limit = limit;
  r->helper = helper;
  r->references = 1;
  locks_init (r);
  *resolver = r;
  return 0;
}

void
skp__resolver_unlock (struct skp_resolver *r)
{
  int left = r->references;
  struct due due = r->due;
  r->due.told = NULL;
  pthread_mutex_unlock (&r->lock);
  if (due.told)
    due.wake (due.told);
  if (left)
    return;
  skp__leaver_end (r);
  pthread_mutex_destroy (&r->lock);
  pthread_cond_destroy (&r->ended);
  free (r);
}

void
skp_resolver_close (struct skp_resolver *resolver)
{
  pthread_mutex_lock (&resolver->lock);
  skp__threads_dismiss (resolver);
  resolver->references--;
  skp__resolver_unlock (resolver);
}

/* The descriptor is in blocking mode, because some programs refuse to wait for
   one that is not.  */
void
skp__job_tell (struct skp_resolver *r, const struct skp_lookup *lookup)
{
  if (lookup->fd >= 0)
    skp__write (lookup->fd, &(uint64_t){ 1 }, sizeof (uint64_t));
  void *told = lookup->tell ? lookup->tell (lookup->data) : NULL;
  if (!told)
    return;
  if (r->due.told)
    r->due.wake (r->due.told);
  r->due = (struct due){ lookup->wake, told };
}

void
skp__job_was_told (const struct skp_lookup *lookup)
{
  uint64_t told;
  struct pollfd now = { .fd = lookup->fd, .events = POLLIN };
  if (lookup->fd >= 0 && skp__poll_now (&now, 1) > 0)
    skp__read (lookup->fd, &told, sizeof told);
}

/* A place has become free.  */
static void
next_turn (struct skp_resolver *r)
{
  struct job *job = TAILQ_FIRST (&r->queue);
  if (!job || r->active_count >= r->limit)
    return;
  TAILQ_REMOVE (&r->queue, job, link);
  TAILQ_INSERT_TAIL (&r->active, job, link);
  r->active_count++;
  if (skp__thread_reuse (job))
    return;
  job->state = TURN;
  skp__job_tell (r, TAILQ_FIRST (&job->lookups));
}

/* JOB, whose turn it was or that has run, gives its place to the next.  */
void
skp__job_leave_place (struct job *job)
{
  struct skp_resolver *r = job->resolver;
  TAILQ_REMOVE (&r->active, job, link);
  r->active_count--;
  pthread_cond_broadcast (&r->ended);
  next_turn (r);
}

void
skp__job_free (struct job *job)
{
  job->resolver->references--;
  free (job->answer);
  free (job);
}

void
skp__job_finish (struct job *job, struct skp_answer *answer)
{
  if (answer)
    {
      free (job->answer);
      job->answer = answer;
    }
  job->state = DONE;
  LIST_REMOVE (job, like);
  skp__job_leave_place (job);
  struct skp_lookup *lookup;
  TAILQ_FOREACH (lookup, &job->lookups, link)
    skp__job_tell (job->resolver, lookup);
}

void
skp__job_begin (struct job *job)
{
  if (skp__thread_reuse (job))
    return;
  int error = skp__thread_make (job);
  if (!error)
    return;
  job->answer->code = EAI_SYSTEM;
  job->answer->error = error;
  skp__job_finish (job, NULL);
}

static struct job *
find_job (const struct skp_resolver *r, const struct job *like)
{
  struct job *job;
  LIST_FOREACH (job, &r->buckets[like->hash % BUCKETS], like)
    if (job->hash == like->hash && skp__place_same (job->place, like->place)
        && memcmp (&job->query, &like->query, sizeof like->query) == 0)
      return job;
  return NULL;
}

static void
add_lookup (struct job *job, struct skp_lookup *lookup)
{
  TAILQ_INSERT_TAIL (&job->lookups, lookup, link);
  lookup->job = job;
}

/* JOB is the last to come.  */
static void
add_job (struct skp_resolver *r, struct job *job)
{
  job->resolver = r;
  r->references++;
  LIST_INSERT_HEAD (&r->buckets[job->hash % BUCKETS], job, like);
  if (r->active_count >= r->limit || !TAILQ_EMPTY (&r->queue))
    TAILQ_INSERT_TAIL (&r->queue, job, link);
  else
    {
      TAILQ_INSERT_TAIL (&r->active, job, link);
      r->active_count++;
      skp__job_begin (job);
    }
}

/* Give LOOKUP to JOB, which is new, or to one like it.  */
void
skp__job_enter (struct skp_resolver *r, struct job *job,
                struct skp_lookup *lookup)
{
  pthread_mutex_lock (&r->lock);
  struct job *same = find_job (r, job);
  TAILQ_INIT (&job->lookups);
  add_lookup (same ? same : job, lookup);
  if (!same)
    add_job (r, job);
  skp__resolver_unlock (r);
  if (same)
    {
      free (job->answer);
      free (job);
    }
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
  skp__threads_pause (r, &until);
}

static void
forget_jobs (struct skp_resolver *r)
{
  TAILQ_CONCAT (&r->active, &r->queue, link);
  for (struct job *job; (job = TAILQ_FIRST (&r->active));)
    {
      TAILQ_REMOVE (&r->active, job, link);
      LIST_REMOVE (job, like);
      job->answer->code = EAI_AGAIN;
      job->state = DONE;
      if (TAILQ_EMPTY (&job->lookups))
        skp__job_free (job);
    }
  r->active_count = 0;
}

void
skp_resolver_after_fork (struct skp_resolver *r, int child)
{
  if (child)
    {
      skp__threads_forget (r);
      forget_jobs (r);
      locks_init (r);
    }
  else
    pthread_mutex_unlock (&r->lock);
}
