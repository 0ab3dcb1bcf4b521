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

static struct place
own_place (void)
{
  struct stat network, mount;
  if (stat ("/proc/thread-self/ns/net", &network) < 0
      || stat ("/proc/thread-self/ns/mnt", &mount) < 0)
    return (struct place){ 0, 0 };
  return (struct place){ network.st_ino, mount.st_ino };
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
  job->place = own_place ();
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

static int
is_told (const struct skp_lookup *lookup)
{
  const struct job *job = lookup->job;
  return job->state == DONE || (job->state == TURN && job->lookups == lookup);
}

int
skp_lookup_descriptor (struct skp_lookup *lookup)
{
  struct job *job = lookup->job;
  if (!job)
    return -1;
  pthread_mutex_lock (&job->resolver->lock);
  int fd = lookup->fd;
  if (fd < 0)
    fd = SKP__CALL (eventfd (is_told (lookup), EFD_CLOEXEC));
  if (fd >= 0)
    lookup->fd = fd;
  pthread_mutex_unlock (&job->resolver->lock);
  return fd;
}

int
skp_lookup_tell (struct skp_lookup *lookup, void (*tell) (void *), void *data)
{
  struct job *job = lookup->job;
  if (!job)
    return 1;
  pthread_mutex_lock (&job->resolver->lock);
  int told = tell && is_told (lookup);
  lookup->tell = told ? NULL : tell;
  lookup->data = data;
  pthread_mutex_unlock (&job->resolver->lock);
  return told;
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

/* Nobody waits for JOB.  */
static void
abandon (struct job *job)
{
  if (job->state == RUNNING)
    return;
  if (job->state == QUEUED)
    skp__job_unlink (&job->resolver->queue, job);
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
      /* The turn was told to this one.  */
      else if (job->state == TURN)
        skp__job_tell (job->lookups);
      skp__resolver_unlock (r);
    }
  if (lookup->fd >= 0)
    close (lookup->fd);
  free (lookup->answer);
  free (lookup);
}
