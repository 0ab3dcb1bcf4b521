/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Jobs of a resolver, the threads that run them and those who wait for them:
   what resolve.c, where jobs queue, resolve-thread.c, where they run, and
   resolve-lookup.c, where they are asked for and dropped, share.  All but
   skp__job_enter is for those who hold the resolver's lock.  */

#ifndef SKP_RESOLVE_JOB_H
#define SKP_RESOLVE_JOB_H

#include <pthread.h>
#include <semaphore.h>
#include <sys/queue.h>

#include "query.h"

enum state
{
  QUEUED,
  TURN,
  RUNNING,
  DONE
};

/* The network namespace and the mount namespace of a thread decide which name
   server it asks: the former's number, 0 if unknown, and that of its root's
   mount, which no other namespace has.  */
struct place
{
  uint64_t network, mount;
};

TAILQ_HEAD (jobs, job);

/* LINK is of the queue, or of those that are not queued; LIKE of a bucket of
   the resolver, until the job is DONE.  */
struct job
{
  struct skp_resolver *resolver;
  TAILQ_ENTRY (job) link;
  LIST_ENTRY (job) like;
  TAILQ_HEAD (, skp_lookup) lookups; /* in the order in which they came */
  struct skp_answer *answer; /* never NULL; counts once the job is DONE */
  enum state state;
  uint32_t hash; /* of the query */
  struct place place;
  struct skp__query query;
};

/* JOB is NULL when ANSWER was known at once, which then belongs to it.  Its
   owner is woken by FD, -1 if it was not asked for, and TELL, NULL if there is
   none.  */
struct skp_lookup
{
  struct job *job;
  TAILQ_ENTRY (skp_lookup) link;
  struct skp_answer *answer;
  int fd;
  void *(*tell) (void *data);
  void (*wake) (void *told);
  void *data;
};

/* Who is to be woken: what TELL returned, or NULL.  */
struct due
{
  void (*wake) (void *told);
  void *told;
};

/* A thread, on its own stack.  When it is idle it waits for BELL, a semaphore,
   so that it meets no lock when it is woken and nobody makes a system call if
   it looks for it; it is posted once the thread is CALLED: with a JOB, or with
   none, to end.  It is ALONE when there is no other, and BRISK above 0 when it
   was called soon after its last job, below when it has lately looked for a
   call in vain.  */
struct worker
{
  struct worker *next;
  sem_t bell;
  struct job *_Atomic job;
  struct place place;
  int called, alone, brisk;
};

#define BUCKETS 1024

/* QUEUE has the jobs that wait, first come first; ACTIVE those whose turn it is
   and those that run; BUCKETS all that are not done, by their hash.  IDLE has
   the threads without a job, the last to become so first.  LEAVER is the thread
   that ended last, to be joined.  REFERENCES: the opener, each job, each
   thread.  ENDED is signalled when a job has run.  DUE is for whoever unlocks
   it.  */
struct skp_resolver
{
  pthread_mutex_t lock;
  pthread_cond_t ended;
  const char *helper;
  int limit, active_count, references, forked_amid, closed;
  struct jobs queue, active;
  LIST_HEAD (, job) buckets[BUCKETS];
  struct due due;
  int thread_count, running_count, has_leaver;
  struct worker *idle;
  pthread_t leaver;
};

/* Give LOOKUP to JOB, which is new, or to one like it.  */
void skp__job_enter (struct skp_resolver *r, struct job *job,
                     struct skp_lookup *lookup);

/* It is the turn of JOB, and the caller is in its place.  */
void skp__job_begin (struct job *job);

/* JOB is done.  Without an ANSWER, or memory for it, the one that was made
   beforehand holds.  */
void skp__job_finish (struct job *job, struct skp_answer *answer);

/* Wake the owner of LOOKUP, at the latest when R is unlocked; and take back
   what woke it.  */
void skp__job_tell (struct skp_resolver *r, const struct skp_lookup *lookup);
void skp__job_was_told (const struct skp_lookup *lookup);

/* JOB, whose turn it was or that has run, gives its place to the next.  */
void skp__job_leave_place (struct job *job);

/* Free JOB, which nobody wants any more and is in no list.  */
void skp__job_free (struct job *job);

/* Unlock R, wake who is to be woken, and free R if nobody refers to it any
   more.  */
void skp__resolver_unlock (struct skp_resolver *r);

/* A condition whose time limits are those of CLOCK_MONOTONIC.  */
void skp__cond_init (pthread_cond_t *condition);

/* Whether a thread in A can look up what a thread in B asks.  */
int skp__place_same (struct place a, struct place b);

/* Run JOB in an idle thread: whether there was one in its place.  */
int skp__thread_reuse (struct job *job);

/* Run JOB in a new thread, which is born in the place of the caller.  0, or an
   errno.  */
int skp__thread_make (struct job *job);

/* End all threads that are idle or will be.  */
void skp__threads_dismiss (struct skp_resolver *r);

/* Wait for the thread that ended last.  */
void skp__leaver_end (struct skp_resolver *r);

/* Wait until no thread is inside the C library, until UNTIL at most.  */
void skp__threads_pause (struct skp_resolver *r, const struct timespec *until);

/* The threads stayed in the parent of this process.  */
void skp__threads_forget (struct skp_resolver *r);

#endif /* SKP_RESOLVE_JOB_H */
