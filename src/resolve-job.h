/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Jobs of a resolver and those who wait for them: what resolve.c, where jobs
   run, and resolve-lookup.c, where they are asked for and dropped, share.  All
   but skp__job_enter is for those who hold the resolver's lock.  */

#ifndef SKP_RESOLVE_JOB_H
#define SKP_RESOLVE_JOB_H

#include <pthread.h>
#include <sys/types.h>

#include "query.h"

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
   and those that run.  REFERENCES: the opener, each job.  ENDED is signalled
   when a job has run.  */
struct skp_resolver
{
  pthread_mutex_t lock;
  pthread_cond_t ended;
  const char *helper;
  int limit, active_count, references, forked_amid;
  struct job *queue, *active;
};

/* Give LOOKUP to JOB, which is new, or to one like it.  */
void skp__job_enter (struct skp_resolver *r, struct job *job,
                     struct skp_lookup *lookup);

/* It is the turn of JOB.  */
void skp__job_begin (struct job *job);

/* Wake the owner of LOOKUP; and take back what woke it.  */
void skp__job_tell (const struct skp_lookup *lookup);
void skp__job_was_told (const struct skp_lookup *lookup);

void skp__job_unlink (struct job **list, struct job *job);

/* JOB, whose turn it was or that has run, gives its place to the next.  */
void skp__job_leave_place (struct job *job);

/* Frees JOB, which nobody wants any more, and unlocks its resolver.  */
void skp__job_free (struct job *job);

#endif /* SKP_RESOLVE_JOB_H */
