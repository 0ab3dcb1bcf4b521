/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Programs that are started: their descriptors, their environment, their
   signals, and what is returned when they cannot be.  */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sockport/process.h>

/* The call that fails, with ERRNO.  */
static const char *failing;
static int failing_errno;

static int
fails (const char *call)
{
  if (!failing || strcmp (failing, call) != 0)
    return 0;
  errno = failing_errno;
  return 1;
}

#define WRAP(result, name, parameters, arguments, failed)                      \
  result __real_##name parameters;                                             \
  result __wrap_##name parameters;                                             \
  result __wrap_##name parameters                                              \
  {                                                                            \
    return fails (#name) ? (failed) : __real_##name arguments;                 \
  }
WRAP (void *, calloc, (size_t n, size_t size), (n, size), NULL)
WRAP (int, pipe2, (int *fds, int flags), (fds, flags), -1)
WRAP (pid_t, _Fork, (void), (), -1)
WRAP (pid_t, fork, (void), (), -1)

static char no_variables[] = "A=b";

/* Run SCRIPT in a shell with the FDS and return what it writes to OUT.  */
static pid_t
start_shell (const char *script, const int *fds, size_t count, char *pid_text)
{
  char *arguments[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };
  char *environment[] = { pid_text ? pid_text : no_variables,
                          (char *)"PATH=/usr/bin:/bin", NULL };
  struct skp_process_plan plan
      = { .program = "sh",
          .arguments = arguments,
          .environment = environment,
          .descriptors = fds,
          .descriptor_count = count,
          .pid_text = pid_text ? strchr (pid_text, '=') + 1 : NULL };
  return skp_process_start (&plan);
}

static int
status_of (pid_t pid)
{
  int status;
  assert_true (pid > 0);
  assert_int_equal (waitpid (pid, &status, 0), pid);
  return WIFEXITED (status) ? WEXITSTATUS (status) : -WTERMSIG (status);
}

static void
read_all (int fd, char *text, size_t size)
{
  size_t count = 0;
  for (ssize_t n = 1; n > 0 && count < size - 1; count += (size_t)n)
    {
      n = read (fd, text + count, size - 1 - count);
      assert_true (n >= 0);
    }
  text[count] = '\0';
  close (fd);
}

static void
descriptors_are_where_they_shall_be (void **state)
{
  (void)state;
  char text[64];
  int pipes[3][2];
  for (int i = 0; i < 3; i++)
    assert_int_equal (pipe2 (pipes[i], O_CLOEXEC), 0);
  /* 3 and 4 exchanged: both numbers are in use by the other.  */
  int fds[] = { -1, pipes[0][1], 2, pipes[2][1], pipes[1][1] };
  pid_t pid = start_shell ("echo one; echo two >&3; echo three >&4; "
                           "test ! -e /proc/self/fd/0 || echo open",
                           fds, 5, NULL);
  for (int i = 0; i < 3; i++)
    close (pipes[i][1]);
  assert_int_equal (status_of (pid), 0);
  read_all (pipes[0][0], text, sizeof text);
  assert_string_equal (text, "one\n");
  read_all (pipes[2][0], text, sizeof text);
  assert_string_equal (text, "two\n");
  read_all (pipes[1][0], text, sizeof text);
  assert_string_equal (text, "three\n");
}

static void
the_process_knows_its_number (void **state)
{
  (void)state;
  char variable[16 + SKP_PROCESS_PID_SIZE] = "LISTEN_PID=";
  int fds[] = { 0, 1, 2 };
  pid_t pid = start_shell ("test \"$LISTEN_PID\" = $$", fds, 3, variable);
  assert_int_equal (status_of (pid), 0);
  assert_string_equal (variable, "LISTEN_PID=");
}

static void
leave (int number)
{
  (void)number;
  _exit (99);
}

/* Handlers are not inherited, nor what is blocked; what is ignored is.  */
static void
signals_are_as_for_any_program (void **state)
{
  (void)state;
  int fds[] = { 0, 1, 2 };
  sigset_t set, before;
  sigemptyset (&set);
  sigaddset (&set, SIGTERM);
  signal (SIGTERM, leave);
  signal (SIGUSR1, SIG_IGN);
  sigprocmask (SIG_BLOCK, &set, &before);
  pid_t pid = start_shell ("kill -USR1 $$; kill $$; sleep 60", fds, 3, NULL);
  sigprocmask (SIG_SETMASK, &before, NULL);
  assert_int_equal (status_of (pid), -SIGTERM);
  signal (SIGTERM, SIG_DFL);
  signal (SIGUSR1, SIG_DFL);
}

static void
what_cannot_be_started (void **state)
{
  (void)state;
  char *none[] = { (char *)"x", NULL };
  int fds[] = { 0, 1, 2, 12345 };
  struct skp_process_plan plan = { .program = "/nonexistent/program",
                                   .arguments = none,
                                   .environment = none,
                                   .descriptors = fds,
                                   .descriptor_count = 3 };
  assert_int_equal (skp_process_start (&plan), -ENOENT);
  plan.program = "/";
  assert_int_equal (skp_process_start (&plan), -EACCES);
  plan.program = "/bin/true";
  plan.descriptor_count = 4;
  assert_int_equal (skp_process_start (&plan), -EBADF);
  struct rlimit before, little;
  getrlimit (RLIMIT_NOFILE, &before);
  little = (struct rlimit){ 3, before.rlim_max };
  setrlimit (RLIMIT_NOFILE, &little);
  pid_t pid = skp_process_start (&plan);
  setrlimit (RLIMIT_NOFILE, &before);
  assert_int_equal (pid, -EMFILE);
  /* No child is left.  */
  assert_int_equal (waitpid (-1, NULL, WNOHANG), -1);
}

static void
what_is_wanting (void **state)
{
  (void)state;
  static const struct
  {
    const char *call;
    int error;
  } rows[] = { { "calloc", ENOMEM },
               { "pipe2", EMFILE },
               { "pipe2", ENFILE },
               { "_Fork", EAGAIN },
               { "_Fork", ENOMEM } };
  char *none[] = { (char *)"true", NULL };
  struct skp_process_plan plan
      = { .program = "true", .arguments = none, .environment = none };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    {
      failing = rows[i].call;
      failing_errno = rows[i].error;
      pid_t pid = skp_process_start (&plan);
      failing = NULL;
      assert_int_equal (pid, -rows[i].error);
    }
  assert_int_equal (waitpid (-1, NULL, WNOHANG), -1);
}

static void
an_end_is_seen (void **state)
{
  (void)state;
  int in[2], fds[] = { 0, 1, 2 };
  assert_int_equal (pipe2 (in, O_CLOEXEC), 0);
  fds[0] = in[0];
  pid_t pid = start_shell ("read line; exit 7", fds, 3, NULL);
  close (in[0]);
  struct pollfd ended = { .fd = skp_process_open (pid), .events = POLLIN };
  assert_true (ended.fd >= 0);
  assert_int_equal (poll (&ended, 1, 0), 0);
  close (in[1]);
  assert_int_equal (poll (&ended, 1, 20000), 1);
  close (ended.fd);
  assert_int_equal (status_of (pid), 7);
}

TESTS (TEST (descriptors_are_where_they_shall_be),
       TEST (the_process_knows_its_number),
       TEST (signals_are_as_for_any_program), TEST (what_cannot_be_started),
       TEST (what_is_wanting), TEST (an_end_is_seen));
