/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A program in a new process.  Between fork and exec there is one thread and
   others' locks, so nothing is allocated there, and no handler of a signal may
   run: it would write where the parent reads.  */

#include <sockport/process.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os.h"

/* fork(2) without what pthread_atfork(3) was told, which nobody here needs.  */
#if defined __GLIBC__ && !__GLIBC_PREREQ(2, 34)
#  define _Fork fork
#endif

static void
reset_signals (void)
{
  struct sigaction action;
  for (int number = 1; number < NSIG; number++)
    if (sigaction (number, NULL, &action) == 0 && action.sa_handler != SIG_IGN
        && action.sa_handler != SIG_DFL)
      {
        action.sa_handler = SIG_DFL;
        action.sa_flags = 0;
        sigaction (number, &action, NULL);
      }
  sigset_t none;
  sigemptyset (&none);
  sigprocmask (SIG_SETMASK, &none, NULL);
}

static void
write_pid (char *text)
{
  char digits[SKP_PROCESS_PID_SIZE];
  size_t count = 0;
  for (pid_t left = getpid (); left > 0; left /= 10)
    digits[count++] = (char)('0' + left % 10);
  while (count > 0)
    *text++ = digits[--count];
  *text = '\0';
}

/* Linux 5.11; before, one by one.  */
#ifndef CLOSE_RANGE_CLOEXEC
#  define CLOSE_RANGE_CLOEXEC 4
#endif

static void
close_others_on_exec (unsigned first)
{
  if (syscall (SYS_close_range, first, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
    return;
  struct rlimit limit;
  if (getrlimit (RLIMIT_NOFILE, &limit) < 0)
    return;
  for (unsigned fd = first; fd < limit.rlim_cur; fd++)
    fcntl ((int)fd, F_SETFD, FD_CLOEXEC);
}

static int
elsewhere (int fd, int from)
{
  return TEMP_FAILURE_RETRY (fcntl (fd, F_DUPFD_CLOEXEC, from));
}

/* First out of the way, all of them, then to where they shall be.  */
static int
place_descriptors (const struct skp_process_plan *plan, int *moved, int *report)
{
  int count = (int)plan->descriptor_count;
  int above = elsewhere (*report, count);
  /* What is wrong can still be told where it was.  */
  if (above < 0)
    return -1;
  *report = above;
  for (int i = 0; i < count; i++)
    {
      moved[i] = plan->descriptors[i];
      if (moved[i] >= 0)
        moved[i] = elsewhere (moved[i], count);
      if (moved[i] < 0 && plan->descriptors[i] >= 0)
        return -1;
    }
  for (int i = 0; i < count; i++)
    if (moved[i] < 0)
      close (i);
    else if (TEMP_FAILURE_RETRY (dup2 (moved[i], i)) < 0)
      return -1;
  close_others_on_exec ((unsigned)count);
  return 0;
}

static _Noreturn void
become (const struct skp_process_plan *plan, int *moved, int report)
{
  if (place_descriptors (plan, moved, &report) == 0)
    {
      if (plan->pid_text)
        write_pid (plan->pid_text);
      reset_signals ();
      execvpe (plan->program, plan->arguments, plan->environment);
    }
  int error = errno;
  skp__write (report, &error, sizeof error);
  _exit (127);
}

/* Nothing is written when the program has been started: the end of the pipe is
   closed then.  */
static int
started (pid_t pid, int report)
{
  int error;
  if (skp__read (report, &error, sizeof error) != sizeof error)
    return 0;
  while (waitpid (pid, NULL, 0) < 0 && errno == EINTR)
    continue;
  return -error;
}

static pid_t
start (const struct skp_process_plan *plan, int *moved, const int report[2])
{
  sigset_t all, before;
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  pid_t pid = _Fork ();
  if (pid == 0)
    become (plan, moved, report[1]);
  int error = errno;
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  close (report[1]);
  if (pid < 0)
    return -error;
  int err = started (pid, report[0]);
  return err < 0 ? err : pid;
}

pid_t
skp_process_start (const struct skp_process_plan *plan)
{
  int report[2];
  int *moved = calloc (plan->descriptor_count + 1, sizeof *moved);
  if (!moved)
    return -ENOMEM;
  if (TEMP_FAILURE_RETRY (pipe2 (report, O_CLOEXEC)) < 0)
    {
      int err = -errno;
      free (moved);
      return err;
    }
  pid_t pid = start (plan, moved, report);
  close (report[0]);
  free (moved);
  return pid;
}
