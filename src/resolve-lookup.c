/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Look-ups as their owners see them: started, taken and dropped.  The jobs
   behind them are in resolve.c.  */

#include <sockport/resolve.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os.h"
#include "resolve-job.h"

/* The number in NAME, as /proc names a namespace: net:[4026531840].  */
static uint64_t
namespace_number (const char *name)
{
  char text[64];
  ssize_t length = readlink (name, text, sizeof text - 1);
  text[length < 0 ? 0 : length] = '\0';
  const char *number = strchr (text, '[');
  return number ? strtoull (number + 1, NULL, 10) : 0;
}

/* Asked for each look-up: a mount is known sooner than its namespace.  */
static struct place
own_place (void)
{
  struct statx root;
  if (statx (AT_FDCWD, "/", 0, STATX_MNT_ID, &root) < 0
      || !(root.stx_mask & STATX_MNT_ID))
    return (struct place){ 0, 0 };
  return (struct place){ namespace_number ("/proc/thread-self/ns/net"),
                         root.stx_mnt_id };
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
  job->hash = skp__query_hash (&job->query);
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
  return job->state == DONE
         || (job->state == TURN && TAILQ_FIRST (&job->lookups) == lookup);
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
skp_lookup_tell (struct skp_lookup *lookup, void *(*tell) (void *),
                 void (*wake) (void *), void *data)
{
  struct job *job = lookup->job;
  if (!job)
    return 1;
  pthread_mutex_lock (&job->resolver->lock);
  int told = tell && is_told (lookup);
  lookup->tell = told ? NULL : tell;
  lookup->wake = wake;
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
  skp__resolver_unlock (job->resolver);
  return answer;
}

/* Nobody waits for JOB.  */
static void
abandon (struct job *job)
{
  if (job->state == RUNNING)
    return;
  if (job->state == QUEUED)
    TAILQ_REMOVE (&job->resolver->queue, job, link);
  else if (job->state == TURN)
    skp__job_leave_place (job);
  if (job->state != DONE)
    LIST_REMOVE (job, like);
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
      TAILQ_REMOVE (&job->lookups, lookup, link);
      if (TAILQ_EMPTY (&job->lookups))
        abandon (job);
      /* The turn was told to this one.  */
      else if (job->state == TURN)
        skp__job_tell (r, TAILQ_FIRST (&job->lookups));
      skp__resolver_unlock (r);
    }
  if (lookup->fd >= 0)
    close (lookup->fd);
  free (lookup->answer);
  free (lookup);
}
