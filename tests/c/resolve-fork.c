/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* resolve-fork COUNT: forks so often while look-ups that nobody answers are
   under way; each child looks a name with two addresses up.  Prints what went
   wrong, and how long the longest fork took.  For tests/soak/resolve-fork.sh.
 */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <sockport/resolve.h>

enum
{
  IN_FLIGHT = 4,
  PATIENCE_S = 5
};

static struct skp_resolver *resolver;

static void
before (void)
{
  skp_resolver_before_fork (resolver, 20);
}

static void
in_parent (void)
{
  skp_resolver_after_fork (resolver, 0);
}

static void
in_child (void)
{
  skp_resolver_after_fork (resolver, 1);
}

static struct skp_lookup *
start (const char *name)
{
  struct skp_query query = { .kind = SKP_QUERY_ADDRESSES,
                             .type = SOCK_STREAM,
                             .host = name,
                             .service = "80" };
  struct skp_lookup *lookup;
  if (skp_resolver_start (resolver, &query, &lookup) < 0)
    _exit (3);
  return lookup;
}

static int
child (void)
{
  const struct skp_answer *answer;
  alarm (PATIENCE_S);
  struct skp_lookup *lookup = start ("two.test");
  while (!(answer = skp_lookup_take (lookup)))
    {
      struct pollfd ready
          = { .fd = skp_lookup_descriptor (lookup), .events = POLLIN };
      poll (&ready, 1, -1);
    }
  return answer->code == 0 && answer->count == 2 ? 0 : 1;
}

static double
now_ms (void)
{
  struct timespec time;
  clock_gettime (CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

/* Fork; return the child's status and how long that took, in MS.  */
static int
fork_once (double *ms)
{
  int status;
  double begun = now_ms ();
  pid_t pid = fork ();
  if (pid == 0)
    _exit (child ());
  *ms = now_ms () - begun;
  if (pid < 0)
    return errno;
  while (waitpid (pid, &status, 0) < 0)
    continue;
  return status;
}

int
main (int argc, char **argv)
{
  int count = argc > 1 ? atoi (argv[1]) : 0, faults = 0;
  double longest = 0;
  if (count < 1
      || skp_resolver_open (&resolver, 32, getenv ("SOCKPORT_RESOLVE")) < 0)
    return 2;
  pthread_atfork (before, in_parent, in_child);
  for (int i = 0; i < count; i++)
    {
      struct skp_lookup *dead[IN_FLIGHT];
      double ms;
      for (int j = 0; j < IN_FLIGHT; j++)
        {
          char name[64];
          snprintf (name, sizeof name, "dead-%d-%d.test", i, j);
          dead[j] = start (name);
        }
      int status = fork_once (&ms);
      if (status != 0)
        {
          printf ("not ok fork %d: status %d\n", i, status);
          faults++;
        }
      longest = ms > longest ? ms : longest;
      for (int j = 0; j < IN_FLIGHT; j++)
        skp_lookup_drop (dead[j]);
      if (i % 10 == 0)
        printf ("progress %d %d\n", i, count);
      fflush (stdout);
    }
  printf ("# %d forks, %d faults, the longest took %.1f ms\n", count, faults,
          longest);
  return faults != 0;
}
