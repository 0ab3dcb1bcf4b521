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
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "os.h"
#include "query.h"

/* What the C library's name services need: 16 KiB was enough for files and DNS,
   but those of others log and allocate.  */
#define STACK_BYTES (1024 * 1024)

enum state
{
  QUEUED,
  TURN,
  RUNNING,
  DONE
};

struct job
{
  struct skp_resolver *resolver;
  struct job *next; /* of the queue, or of those that are not queued */
  struct skp_lookup *lookups; /* in the order in which they came */
  struct skp_answer *answer;  /* never NULL; counts once the job is DONE */
  enum state state;
  ino_t namespace;
  struct skp__query query;
};

/* JOB is NULL when ANSWER was known at once, which then belongs to it.  */
struct skp_lookup
{
  struct job *job;
  struct skp_lookup *next;
  struct skp_answer *answer;
  int fd;
};

/* QUEUE has the jobs that wait, first come first; ACTIVE those whose turn it is
   and those that run.  REFERENCES: the opener, each job.  ENDED is told when a
   job has run.  */
struct skp_resolver
{
  pthread_mutex_t lock;
  pthread_cond_t ended;
  const char *helper;
  int limit, active_count, references, forked_amid;
  struct job *queue, *active;
};

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

static void
unlink_job (struct job **list, struct job *job)
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
static void
tell (const struct skp_lookup *lookup)
{
  skp__write (lookup->fd, &(uint64_t){ 1 }, sizeof (uint64_t));
}

static void
was_told (const struct skp_lookup *lookup)
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
  tell (job->lookups);
}

/* JOB, whose turn it was or that has run, gives its place to the next.  */
static void
leave_place (struct job *job)
{
  struct skp_resolver *r = job->resolver;
  unlink_job (&r->active, job);
  r->active_count--;
  pthread_cond_broadcast (&r->ended);
  next_turn (r);
}

/* Frees JOB, which nobody wants any more, and unlocks its resolver.  */
static void
free_job (struct job *job)
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
  leave_place (job);
  for (struct skp_lookup *l = job->lookups; l; l = l->next)
    tell (l);
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
    free_job (job);
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
static void
begin (struct job *job)
{
  job->state = RUNNING;
  int error = make_thread (job);
  if (!error)
    return;
  job->answer->code = EAI_SYSTEM;
  job->answer->error = error;
  finish (job, NULL);
}

/* Which network namespace the calling thread is in; two of them do not share a
   look-up.  */
static ino_t
own_namespace (void)
{
  struct stat status;
  return stat ("/proc/thread-self/ns/net", &status) == 0 ? status.st_ino : 0;
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
static void
enter (struct skp_resolver *r, struct job *job, struct skp_lookup *lookup)
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
          begin (job);
        }
    }
  pthread_mutex_unlock (&r->lock);
}

static int
start (struct skp_resolver *r, struct job *job, struct skp_lookup *lookup)
{
  lookup->answer = skp__query_run_now (&job->query);
  if (lookup->answer)
    {
      free (job);
      return 0;
    }
  job->answer = skp__answer_code (EAI_MEMORY, 0);
  if (!job->answer)
    return -ENOMEM;
  int fd = skp__result (eventfd (0, EFD_CLOEXEC));
  if (fd < 0)
    {
      free (job->answer);
      return fd;
    }
  lookup->fd = fd;
  job->namespace = own_namespace ();
  enter (r, job, lookup);
  return 0;
}

int
skp_resolver_start (struct skp_resolver *resolver,
                    const struct skp_query *query, struct skp_lookup **lookup)
{
  struct job *job = calloc (1, sizeof *job);
  struct skp_lookup *made = calloc (1, sizeof *made);
  int code,
      err = job && made ? skp__query_copy (&job->query, query, &code) : -ENOMEM;
  if (err == 0)
    {
      made->fd = -1;
      if (code == 0)
        err = start (resolver, job, made);
      else if (!(made->answer = skp__answer_code (code, 0)))
        err = -ENOMEM;
      else
        free (job);
    }
  if (err < 0)
    {
      free (job);
      free (made);
      return err;
    }
  *lookup = made;
  return 0;
}

int
skp_lookup_descriptor (const struct skp_lookup *lookup)
{
  return lookup->fd;
}

const struct skp_answer *
skp_lookup_take (struct skp_lookup *lookup)
{
  struct job *job = lookup->job;
  if (!job)
    return lookup->answer;
  pthread_mutex_lock (&job->resolver->lock);
  if (job->state == TURN)
    {
      was_told (lookup);
      begin (job);
    }
  const struct skp_answer *answer = job->state == DONE ? job->answer : NULL;
  pthread_mutex_unlock (&job->resolver->lock);
  return answer;
}

static void
remove_lookup (struct job *job, struct skp_lookup *lookup)
{
  struct skp_lookup **at = &job->lookups;
  while (*at != lookup)
    at = &(*at)->next;
  *at = lookup->next;
}

/* Nobody waits for JOB.  Unlocks its resolver.  */
static void
abandon (struct job *job)
{
  struct skp_resolver *r = job->resolver;
  if (job->state == RUNNING)
    {
      pthread_mutex_unlock (&r->lock);
      return;
    }
  if (job->state == QUEUED)
    unlink_job (&r->queue, job);
  else if (job->state == TURN)
    leave_place (job);
  free_job (job);
}

void
skp_lookup_drop (struct skp_lookup *lookup)
{
  struct job *job = lookup->job;
  if (job)
    {
      struct skp_resolver *r = job->resolver;
      pthread_mutex_lock (&r->lock);
      remove_lookup (job, lookup);
      if (!job->lookups)
        abandon (job);
      else
        {
          /* The turn was told to this one.  */
          if (job->state == TURN)
            tell (job->lookups);
          pthread_mutex_unlock (&r->lock);
        }
    }
  if (lookup->fd >= 0)
    close (lookup->fd);
  free (lookup->answer);
  free (lookup);
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
