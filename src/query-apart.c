/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A query by way of another program, whose copy of the C library has no lock
   that a fork left held.  The program reads a struct skp__query and writes the
   bytes of a struct skp_answer.  */

#include "query.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os.h"

extern char **environ;

static int
start (const char *helper, const int to[2], const int from[2], pid_t *pid)
{
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none;
  char *arguments[] = { (char *)helper, NULL };
  if (posix_spawn_file_actions_init (&actions))
    return -ENOMEM;
  /* The threads of a resolver have all signals blocked.  */
  sigemptyset (&none);
  posix_spawnattr_init (&attributes);
  posix_spawnattr_setsigmask (&attributes, &none);
  posix_spawnattr_setflags (&attributes, POSIX_SPAWN_SETSIGMASK);
  posix_spawn_file_actions_adddup2 (&actions, to[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2 (&actions, from[1], STDOUT_FILENO);
  int err
      = posix_spawn (pid, helper, &actions, &attributes, arguments, environ);
  posix_spawnattr_destroy (&attributes);
  posix_spawn_file_actions_destroy (&actions);
  return -err;
}

static int
write_all (int fd, const void *bytes, size_t size)
{
  for (size_t done = 0; done < size;)
    {
      ssize_t n = skp__write (fd, (const char *)bytes + done, size - done);
      if (n < 0)
        return (int)n;
      done += (size_t)n;
    }
  return 0;
}

/* All that comes from FD as an answer, or NULL.  */
static struct skp_answer *
read_answer (int fd)
{
  size_t size = 0, room = sizeof (struct skp_answer);
  char *bytes = NULL;
  for (ssize_t n = 1; n > 0; size += n > 0 ? (size_t)n : 0)
    {
      char *more = bytes && size < room ? bytes : realloc (bytes, room *= 2);
      if (!more)
        break;
      bytes = more;
      n = skp__read (fd, bytes + size, room - size);
    }
  struct skp_answer *answer = (struct skp_answer *)bytes;
  if (size >= sizeof *answer && size == skp__answer_size (answer))
    return answer;
  free (bytes);
  return NULL;
}

static void
close_both (const int fds[2])
{
  close (fds[0]);
  close (fds[1]);
}

struct skp_answer *
skp__query_run_apart (const struct skp__query *query, const char *helper)
{
  int to[2], from[2];
  pid_t pid;
  if (!helper)
    return skp__answer_code (EAI_AGAIN, 0);
  if (pipe2 (to, O_CLOEXEC) < 0)
    return skp__answer_code (EAI_SYSTEM, errno);
  if (pipe2 (from, O_CLOEXEC) < 0)
    {
      int error = errno;
      close_both (to);
      return skp__answer_code (EAI_SYSTEM, error);
    }
  int err = start (helper, to, from, &pid);
  close (to[0]);
  close (from[1]);
  struct skp_answer *answer = NULL;
  if (err == 0 && write_all (to[1], query, sizeof *query) == 0)
    answer = read_answer (from[0]);
  close (to[1]);
  close (from[0]);
  if (err == 0)
    waitpid (pid, NULL, 0);
  return answer ? answer : skp__answer_code (EAI_SYSTEM, err ? -err : EIO);
}
