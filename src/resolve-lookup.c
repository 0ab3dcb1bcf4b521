/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Look-ups as their owners see them: started, taken and dropped.  The jobs
   behind them are in resolve.c.  */

#include <sockport/resolve.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os.h"
#include "resolve-job.h"

/* Which network namespace the calling thread is in; two of them do not share a
   look-up.  */
static ino_t
own_namespace (void)
{
  struct stat status;
  return stat ("/proc/thread-self/ns/net", &status) == 0 ? status.st_ino : 0;
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
  skp__job_enter (r, job, lookup);
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
      skp__job_was_told (lookup);
      skp__job_begin (job);
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
    skp__job_unlink (&r->queue, job);
  else if (job->state == TURN)
    skp__job_leave_place (job);
  skp__job_free (job);
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
            skp__job_tell (job->lookups);
          pthread_mutex_unlock (&r->lock);
        }
    }
  if (lookup->fd >= 0)
    close (lookup->fd);
  free (lookup->answer);
  free (lookup);
}
