/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>
#include <poll.h>
#include <sockport/poller.h>

#define MS INT64_C (1000000)
#define BOTH (SKP_POLLER_READ | SKP_POLLER_WRITE)

static struct skp_poller *
opened (void)
{
  struct skp_poller *poller;
  assert_int_equal (skp_poller_open (&poller), 0);
  return poller;
}

static void
pair (int fds[2])
{
  assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                    0);
}

static void
close_pair (int fds[2])
{
  close (fds[0]);
  close (fds[1]);
}

static int64_t
now_ns (void)
{
  struct timespec now;
  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C (1000000000) + now.tv_nsec;
}

/* What FD is reported ready for; 0 if nothing is reported.  */
static uint32_t
ready_now (struct skp_poller *poller, int fd)
{
  struct skp_poller_event events[8];
  uint32_t ready = 0;
  int n = skp_poller_wait (poller, events, 8, 0);
  assert_true (n >= 0);
  for (int i = 0; i < n; i++)
    {
      assert_int_equal (events[i].fd, fd);
      ready |= events[i].ready;
    }
  return ready;
}

static void
edges_are_reported_once (void **state)
{
  (void)state;
  struct skp_poller *poller = opened ();
  int fds[2];
  pair (fds);
  assert_int_equal (skp_poller_watch (poller, fds[0]), 0);
  assert_int_equal (ready_now (poller, fds[0]), SKP_POLLER_WRITE);
  assert_int_equal (ready_now (poller, fds[0]), 0);
  assert_int_equal (write (fds[1], "x", 1), 1);
  assert_true (ready_now (poller, fds[0]) & SKP_POLLER_READ);
  assert_int_equal (ready_now (poller, fds[0]), 0);
  assert_int_equal (skp_poller_watch (poller, fds[0]), 0);
  assert_int_equal (ready_now (poller, fds[0]), BOTH);
  assert_int_equal (shutdown (fds[1], SHUT_WR), 0);
  assert_int_equal (ready_now (poller, fds[0]), BOTH | SKP_POLLER_MORE);
  close (fds[1]);
  assert_int_equal (ready_now (poller, fds[0]), BOTH | SKP_POLLER_MORE);
  close (fds[0]);
  skp_poller_close (poller);
}

static void
what_is_forgotten_is_silent (void **state)
{
  (void)state;
  struct skp_poller *poller = opened ();
  int fds[2];
  pair (fds);
  assert_int_equal (skp_poller_forget (poller, fds[0]), -ENOENT);
  assert_int_equal (skp_poller_watch (poller, fds[0]), 0);
  assert_int_equal (skp_poller_forget (poller, fds[0]), 0);
  assert_int_equal (write (fds[1], "x", 1), 1);
  assert_int_equal (ready_now (poller, fds[0]), 0);
  close_pair (fds);
  assert_int_equal (skp_poller_watch (poller, fds[0]), -EBADF);
  skp_poller_close (poller);
}

static void
a_reused_descriptor_is_another (void **state)
{
  (void)state;
  struct skp_poller *poller = opened ();
  for (int i = 0; i < 100; i++)
    {
      int fds[2];
      pair (fds);
      assert_int_equal (skp_poller_watch (poller, fds[0]), 0);
      assert_int_equal (ready_now (poller, fds[0]), SKP_POLLER_WRITE);
      assert_int_equal (write (fds[1], "x", 1), 1);
      if (i % 2)
        assert_true (ready_now (poller, fds[0]) & SKP_POLLER_READ);
      close_pair (fds);
      assert_int_equal (ready_now (poller, fds[0]), 0);
    }
  skp_poller_close (poller);
}

static void
a_file_is_refused (void **state)
{
  (void)state;
  struct skp_poller *poller = opened ();
  FILE *file = tmpfile ();
  assert_int_equal (skp_poller_watch (poller, fileno (file)), -EPERM);
  fclose (file);
  skp_poller_close (poller);
}

static void
bad_counts_are_refused (void **state)
{
  (void)state;
  struct skp_poller *poller = opened ();
  struct skp_poller_event event;
  assert_int_equal (skp_poller_wait (poller, &event, 0, 0), -EINVAL);
  assert_int_equal (skp_poller_wait (poller, &event, -1, 0), -EINVAL);
  skp_poller_close (poller);
  skp_poller_close (NULL);
}

static void
the_time_is_kept (void **state)
{
  (void)state;
  struct skp_poller *poller = opened ();
  struct skp_poller_event event;
  static const int64_t times[] = { 1, 300000, 20 * MS, 20 * MS + 1 };
  for (size_t i = 0; i < sizeof times / sizeof *times; i++)
    {
      int64_t start = now_ns ();
      assert_int_equal (skp_poller_wait (poller, &event, 1, times[i]), 0);
      assert_true (now_ns () - start >= times[i]);
    }
  skp_poller_close (poller);
}

static void
a_wake_before_the_wait_counts (void **state)
{
  (void)state;
  struct skp_poller *poller = opened ();
  struct skp_poller_event event;
  for (int i = 0; i < 3; i++)
    assert_int_equal (skp_poller_wake (poller), 0);
  assert_int_equal (skp_poller_wait (poller, &event, 1, -1), 0);
  /* All three were one.  */
  int64_t start = now_ns ();
  assert_int_equal (skp_poller_wait (poller, &event, 1, 5 * MS), 0);
  assert_true (now_ns () - start >= 5 * MS);
  skp_poller_close (poller);
}

static void *
wake_late (void *poller)
{
  sched_yield ();
  skp_poller_wake_end (poller);
  return NULL;
}

struct sleeper
{
  struct skp_poller *poller;
  _Atomic int done;
};

static void *
sleep_until_done (void *data)
{
  struct sleeper *sleeper = data;
  struct skp_poller_event event;
  while (!sleeper->done
         && skp_poller_wait (sleeper->poller, &event, 1, -1) == 0)
    continue;
  return NULL;
}

/* A poller is not closed before its bell was rung: the descriptor might be
   somebody else's by then.  */
static void
a_wake_in_two_steps (void **state)
{
  (void)state;
  struct sleeper sleeper = { .poller = opened () };
  struct skp_poller_event event;
  pthread_t asleep, waking;
  /* Nobody sleeps: the next wait does not.  */
  assert_int_equal (skp_poller_wake_begin (sleeper.poller), 0);
  assert_int_equal (skp_poller_wait (sleeper.poller, &event, 1, -1), 0);
  pthread_create (&asleep, NULL, sleep_until_done, &sleeper);
  while (skp_poller_wake_begin (sleeper.poller) == 0)
    sched_yield ();
  sleeper.done = 1;
  pthread_create (&waking, NULL, wake_late, sleeper.poller);
  pthread_join (asleep, NULL);
  skp_poller_close (sleeper.poller);
  pthread_join (waking, NULL);
}

struct counted
{
  struct skp_poller *poller;
  _Atomic int work, done;
};

#define ROUNDS 20000

static void *
give_work (void *data)
{
  struct counted *counted = data;
  for (int i = 0; i < ROUNDS; i++)
    {
      counted->work++;
      skp_poller_wake (counted->poller);
      if (i % 64 == 0)
        while (counted->done < counted->work)
          continue;
    }
  return NULL;
}

/* Nothing but wakes: one that is lost would stop the test.  */
static void
no_wake_is_lost (void **state)
{
  (void)state;
  struct counted counted = { .poller = opened () };
  struct skp_poller_event event;
  pthread_t thread;
  pthread_create (&thread, NULL, give_work, &counted);
  while (counted.done < ROUNDS)
    {
      if (counted.done == counted.work)
        assert_int_equal (skp_poller_wait (counted.poller, &event, 1, -1), 0);
      counted.done = counted.work;
    }
  pthread_join (thread, NULL);
  skp_poller_close (counted.poller);
}

#define MANY 2000

static void
many_descriptors (void **state)
{
  (void)state;
  struct rlimit limit;
  getrlimit (RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < 2 * MANY + 64)
    skip ();
  struct skp_poller *poller = opened ();
  static int fds[MANY][2];
  for (int i = 0; i < MANY; i++)
    {
      pair (fds[i]);
      assert_int_equal (skp_poller_watch (poller, fds[i][0]), 0);
      assert_int_equal (write (fds[i][1], "x", 1), 1);
    }
  struct skp_poller_event events[MANY];
  int seen = 0;
  for (int n; (n = skp_poller_wait (poller, events, MANY, 0)) > 0; seen += n)
    for (int i = 0; i < n; i++)
      assert_int_equal (events[i].ready, BOTH);
  assert_int_equal (seen, MANY);
  for (int i = 0; i < MANY; i++)
    close_pair (fds[i]);
  skp_poller_close (poller);
}

static int
child_is_refused (struct skp_poller *poller, int fd)
{
  struct skp_poller_event event;
  int ok = skp_poller_wait (poller, &event, 1, -1) == -ECHILD
           && skp_poller_watch (poller, fd) == -ECHILD
           && skp_poller_forget (poller, fd) == -ECHILD
           && skp_poller_wake (poller) == -ECHILD
           && skp_poller_wake_begin (poller) == -ECHILD;
  skp_poller_close (poller);
  return ok;
}

static void
the_child_has_no_share (void **state)
{
  (void)state;
  struct skp_poller *poller = opened ();
  int fds[2], status;
  pair (fds);
  assert_int_equal (skp_poller_watch (poller, fds[0]), 0);
  pid_t child = fork ();
  if (child == 0)
    _exit (!child_is_refused (poller, fds[0]));
  assert_int_equal (waitpid (child, &status, 0), child);
  assert_int_equal (status, 0);
  assert_int_equal (write (fds[1], "x", 1), 1);
  assert_int_equal (ready_now (poller, fds[0]), BOTH);
  close_pair (fds);
  skp_poller_close (poller);
}

static void
no_descriptor_left (void **state)
{
  (void)state;
  struct rlimit limit, none;
  getrlimit (RLIMIT_NOFILE, &limit);
  int probe = open ("/dev/null", O_RDONLY);
  close (probe);
  for (rlim_t spare = 0; spare < 2; spare++)
    {
      struct skp_poller *poller = NULL;
      none = limit;
      none.rlim_cur = (rlim_t)probe + spare;
      setrlimit (RLIMIT_NOFILE, &none);
      assert_int_equal (skp_poller_open (&poller), -EMFILE);
      assert_null (poller);
      setrlimit (RLIMIT_NOFILE, &limit);
    }
}

static int
readable (int fd)
{
  struct pollfd one = { .fd = fd, .events = POLLIN };
  return poll (&one, 1, 0);
}

static void
a_set_stands_for_several (void **state)
{
  (void)state;
  int reader[2], writer[2], set = skp_poller_set_open ();
  char byte = 0;
  assert_true (set >= 0);
  assert_int_equal (fcntl (set, F_GETFD), FD_CLOEXEC);
  assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM, 0, reader), 0);
  assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM, 0, writer), 0);
  assert_int_equal (skp_poller_set_add (set, reader[0], SKP_POLLER_READ), 0);
  assert_int_equal (skp_poller_set_add (set, reader[0], SKP_POLLER_WRITE), 0);
  assert_int_equal (readable (set), 1);
  assert_int_equal (skp_poller_set_add (set, reader[0], SKP_POLLER_READ), 0);
  assert_int_equal (skp_poller_set_add (set, -1, SKP_POLLER_READ), -EBADF);
  assert_int_equal (readable (set), 0);
  assert_int_equal (write (reader[1], &byte, 1), 1);
  assert_int_equal (readable (set), 1);
  assert_int_equal (read (reader[0], &byte, 1), 1);
  assert_int_equal (readable (set), 0);
  assert_int_equal (skp_poller_set_add (set, writer[0], SKP_POLLER_WRITE), 0);
  assert_int_equal (readable (set), 1);
  close (writer[0]);
  assert_int_equal (readable (set), 0);
  close (writer[1]);
  close (reader[0]);
  close (reader[1]);
  close (set);
}

TESTS (TEST (a_set_stands_for_several), TEST (edges_are_reported_once),
       TEST (what_is_forgotten_is_silent),
       TEST (a_reused_descriptor_is_another), TEST (a_file_is_refused),
       TEST (bad_counts_are_refused), TEST (the_time_is_kept),
       TEST (a_wake_before_the_wait_counts), TEST (a_wake_in_two_steps),
       TEST (no_wake_is_lost), TEST (many_descriptors),
       TEST (the_child_has_no_share), TEST (no_descriptor_left));
