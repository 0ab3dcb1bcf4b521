/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The threads of look-ups: how many there are, which one takes what, in which
   namespace, when they end, and what is left of them after a fork.  */

#include "resolve-fixture.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Look-ups 2 and 3 wait; whoever has the turn and goes gives it on.  */
static void
no_more_run_than_the_limit (void **state)
{
  (void)state;
  enum
  {
    COUNT = 40
  };
  struct skp_resolver *resolver = resolver_new (2);
  struct skp_lookup *lookups[COUNT];
  for (int i = 0; i < COUNT; i++)
    {
      char host[32];
      snprintf (host, sizeof host, "number%d.gate", i);
      lookups[i] = start (resolver, host, NULL);
    }
  wait_inside (2);
  /* A third of them goes before it has run, in all states.  */
  for (int i = 0; i < COUNT; i += 3)
    skp_lookup_drop (lookups[i]);
  set_gate (1);
  for (int i = COUNT - 1; i >= 0; i--)
    if (i % 3)
      {
        struct pollfd ready
            = { .fd = skp_lookup_descriptor (lookups[i]), .events = POLLIN };
        poll (&ready, 1, 0);
        skp_lookup_take (lookups[i]);
      }
  for (int i = 0; i < COUNT; i++)
    if (i % 3)
      {
        assert_int_equal (finish (lookups[i])->code, 0);
        skp_lookup_drop (lookups[i]);
      }
  assert_true (gate.inside_most <= 2);
  resolver_end (resolver);
}

struct elsewhere
{
  struct skp_resolver *resolver;
  struct skp_lookup *second, *twin;
  int error, code;
  ino_t network;
};

static void *
queue_elsewhere (void *data)
{
  struct elsewhere *elsewhere = data;
  if (unshare (CLONE_NEWNET) < 0)
    elsewhere->error = errno;
  else
    {
      elsewhere->second = start (elsewhere->resolver, "second.gate", NULL);
      elsewhere->twin = start (elsewhere->resolver, "second.gate", NULL);
    }
  return NULL;
}

/* In another namespace, where no thread is idle, it is the owner's turn.  */
static void
a_turn_that_is_not_taken_is_given_on (void **state)
{
  (void)state;
  struct skp_resolver *resolver = resolver_new (1);
  struct skp_lookup *first = start (resolver, "first.gate", NULL);
  struct elsewhere elsewhere = { .resolver = resolver };
  pthread_t thread;
  wait_inside (1);
  pthread_create (&thread, NULL, queue_elsewhere, &elsewhere);
  pthread_join (thread, NULL);
  struct skp_lookup *third = start (resolver, "third.gate", NULL);
  set_gate (1);
  if (!elsewhere.error)
    {
      await_readable (elsewhere.second);
      skp_lookup_drop (elsewhere.second);
      await_readable (elsewhere.twin);
      assert_int_equal (gate.calls, 1);
      skp_lookup_drop (elsewhere.twin);
    }
  assert_int_equal (finish (third)->code, 0);
  assert_int_equal (gate.calls, 2);
  skp_lookup_drop (first);
  skp_lookup_drop (third);
  resolver_end (resolver);
  if (elsewhere.error)
    skip ();
}

/* Its memory goes with the last thread; AddressSanitizer looks.  */
static void
a_resolver_can_be_closed_before_its_threads (void **state)
{
  (void)state;
  struct skp_resolver *resolver = resolver_new (3);
  struct skp_lookup *lookup = start (resolver, "late.gate", NULL);
  struct skp_lookup *dropped = start (resolver, "dropped.gate", NULL);
  wait_inside (2);
  skp_lookup_drop (dropped);
  skp_resolver_close (resolver);
  set_gate (1);
  assert_int_equal (finish (lookup)->code, 0);
  skp_lookup_drop (lookup);
  wait_ended ();
}

static void
a_thread_is_kept_for_the_next (void **state)
{
  (void)state;
  struct skp_resolver *resolver = resolver_new (4);
  set_gate (1);
  for (int i = 0; i < 20; i++)
    assert_int_equal (code_of (resolver, i % 2 ? "a.gate" : "b.gate", NULL), 0);
  assert_int_equal (gate.calls, 20);
  assert_int_equal (gate.threads, 1);
  /* It ends by itself.  */
  wait_ended ();
  assert_int_equal (code_of (resolver, "a.gate", NULL), 0);
  assert_int_equal (gate.threads, 2);
  resolver_end (resolver);
}

static void
what_waits_is_taken_by_the_thread_that_ends (void **state)
{
  (void)state;
  struct skp_resolver *resolver = resolver_new (1);
  struct skp_lookup *first = start (resolver, "first.gate", NULL);
  struct skp_lookup *second = start (resolver, "second.gate", NULL);
  struct skp_lookup *third = start (resolver, "third.gate", NULL);
  wait_inside (1);
  skp_lookup_drop (second);
  set_gate (1);
  /* Nobody takes the first one's answer, and the third one has its own.  */
  await_readable (third);
  assert_non_null (skp_lookup_take (third));
  assert_int_equal (gate.threads, 1);
  skp_lookup_drop (first);
  skp_lookup_drop (third);
  resolver_end (resolver);
}

static void *
look_up_elsewhere (void *data)
{
  struct elsewhere *elsewhere = data;
  if (unshare (CLONE_NEWNET) < 0)
    elsewhere->error = errno;
  else
    {
      elsewhere->network = own_network ();
      elsewhere->code = code_of (elsewhere->resolver, "there.gate", NULL);
    }
  return NULL;
}

/* Of two places, and no more threads than one.  */
static void
a_thread_looks_up_in_its_own_namespace_only (void **state)
{
  (void)state;
  struct skp_resolver *resolver = resolver_new (1);
  struct elsewhere elsewhere = { .resolver = resolver };
  pthread_t thread;
  set_gate (1);
  assert_int_equal (code_of (resolver, "here.gate", NULL), 0);
  assert_true (gate.network == own_network ());
  pthread_create (&thread, NULL, look_up_elsewhere, &elsewhere);
  pthread_join (thread, NULL);
  if (elsewhere.error)
    {
      resolver_end (resolver);
      skip ();
    }
  assert_int_equal (elsewhere.code, 0);
  assert_true (gate.network == elsewhere.network);
  assert_int_equal (code_of (resolver, "here.gate", NULL), 0);
  assert_true (gate.network == own_network ());
  assert_int_equal (gate.threads, 3);
  resolver_end (resolver);
}

struct told
{
  int told, woken, silent;
  struct skp_lookup *lookup; /* to be dropped when woken, or NULL */
};

/* Under the lock of the gate.  */
static void *
count_told (void *data)
{
  struct told *told = data;
  pthread_mutex_lock (&gate.lock);
  told->told++;
  pthread_mutex_unlock (&gate.lock);
  return told->silent ? NULL : told;
}

/* Were the lock not free, dropping would wait for it for ever.  */
static void
count_woken (void *data)
{
  struct told *told = data;
  if (told->lookup)
    skp_lookup_drop (told->lookup);
  pthread_mutex_lock (&gate.lock);
  told->woken++;
  pthread_cond_broadcast (&gate.changed);
  pthread_mutex_unlock (&gate.lock);
}

static void
wait_woken (const struct told *told)
{
  pthread_mutex_lock (&gate.lock);
  while (!told->woken)
    pthread_cond_wait (&gate.changed, &gate.lock);
  pthread_mutex_unlock (&gate.lock);
}

static int
tell (struct skp_lookup *lookup, struct told *told)
{
  return skp_lookup_tell (lookup, count_told, count_woken, told);
}

static void
a_function_is_called (void **state)
{
  (void)state;
  struct skp_resolver *resolver = resolver_new (1);
  struct skp_lookup *numeric = start (resolver, "127.0.0.1", "80");
  struct told first = { .lookup = start (resolver, "first.gate", NULL) };
  struct skp_lookup *second = start (resolver, "second.gate", NULL);
  struct skp_lookup *twin = start (resolver, "second.gate", NULL);
  struct skp_lookup *other = start (resolver, "second.gate", NULL);
  struct told never = { .told = 0 }, of_second = never, of_twin = never,
              silent = { .silent = 1 };
  assert_int_equal (tell (numeric, &never), 1);
  assert_int_equal (tell (first.lookup, &first), 0);
  assert_int_equal (tell (second, &of_second), 0);
  assert_int_equal (tell (twin, &never), 0);
  assert_int_equal (skp_lookup_tell (twin, NULL, NULL, NULL), 0);
  assert_int_equal (tell (twin, &of_twin), 0);
  assert_int_equal (tell (other, &silent), 0);
  set_gate (1);
  wait_woken (&first);
  wait_woken (&of_second);
  wait_woken (&of_twin);
  assert_int_equal (tell (other, &never), 1);
  /* So is a descriptor that is asked for late readable.  */
  struct pollfd ready
      = { .fd = skp_lookup_descriptor (other), .events = POLLIN };
  assert_int_equal (poll (&ready, 1, 0), 1);
  assert_int_equal (silent.told, 1);
  assert_int_equal (silent.woken, 0);
  assert_int_equal (never.told, 0);
  skp_lookup_drop (numeric);
  skp_lookup_drop (second);
  skp_lookup_drop (twin);
  skp_lookup_drop (other);
  resolver_end (resolver);
}

#ifdef TEST_THREADS
/* ThreadSanitizer allows no threads in a child of a process that had some.  */
#  define FORK_TESTS
#else
/* In the child of a fork amid a look-up the helper answers.  */
static void
a_child_of_fork_asks_the_helper (void **state)
{
  (void)state;
  struct skp_resolver *resolver = resolver_new (2);
  struct skp_lookup *lookup = start (resolver, "busy.gate", NULL);
  wait_inside (1);
  skp_resolver_before_fork (resolver, 1);
  pid_t pid = fork ();
  skp_resolver_after_fork (resolver, pid == 0);
  if (pid == 0)
    {
      alarm (20);
      int old = finish (lookup)->code;
      int made = code_of (resolver, "localhost", "http");
      _exit (old != EAI_AGAIN ? 1 : made != 0 ? 2 : gate.calls != 1 ? 3 : 0);
    }
  int status;
  assert_int_equal (waitpid (pid, &status, 0), pid);
  assert_int_equal (status, 0);
  set_gate (1);
  assert_int_equal (finish (lookup)->code, 0);
  skp_lookup_drop (lookup);
  resolver_end (resolver);
}

/* A thread that is idle, or has just ended, is inside nothing.  */
static void
a_child_of_an_idle_fork_asks_itself (void **state)
{
  (void)state;
  struct skp_resolver *resolver = resolver_new (2);
  set_gate (1);
  for (int i = 0; i < 2; i++)
    {
      assert_int_equal (code_of (resolver, "before.gate", NULL), 0);
      if (i == 1)
        wait_ended ();
      skp_resolver_before_fork (resolver, 20000);
      pid_t pid = fork ();
      skp_resolver_after_fork (resolver, pid == 0);
      if (pid == 0)
        {
          alarm (20);
          int before = gate.calls,
              code = code_of (resolver, "child.gate", NULL);
          _exit (code != 0 ? 1 : gate.calls != before + 1 ? 2 : 0);
        }
      int status;
      assert_int_equal (waitpid (pid, &status, 0), pid);
      assert_int_equal (status, 0);
    }
  resolver_end (resolver);
}

#  define FORK_TESTS                                                           \
    TEST (a_child_of_fork_asks_the_helper),                                    \
        TEST (a_child_of_an_idle_fork_asks_itself),
#endif

TESTS (TEST (no_more_run_than_the_limit),
       TEST (a_turn_that_is_not_taken_is_given_on),
       TEST (a_resolver_can_be_closed_before_its_threads),
       TEST (a_thread_is_kept_for_the_next),
       TEST (what_waits_is_taken_by_the_thread_that_ends),
       TEST (a_thread_looks_up_in_its_own_namespace_only),
       FORK_TESTS TEST (a_function_is_called));
