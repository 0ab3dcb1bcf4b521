/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* getaddrinfo is wrapped: names that end in ".gate" wait until the test opens
   the gate, so that every state of a look-up can be held.  */

#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sockport/resolve.h>

int __real_getaddrinfo (const char *host, const char *service,
                        const struct addrinfo *hints, struct addrinfo **list);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int gate_open, inside, inside_most, calls, threads, threads_ended;
static ino_t network_inside;

/* Each thread counts itself as it looks up first, and as it ends.  */
static pthread_key_t thread_key;

static void
count_ended (void *value)
{
  (void)value;
  pthread_mutex_lock (&lock);
  threads_ended++;
  pthread_cond_broadcast (&changed);
  pthread_mutex_unlock (&lock);
}

static void
make_key (void)
{
  pthread_key_create (&thread_key, count_ended);
}

static void
count_thread (void)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once (&once, make_key);
  if (pthread_getspecific (thread_key))
    return;
  pthread_setspecific (thread_key, &threads);
  threads++;
}

static ino_t
own_network (void)
{
  struct stat status;
  return stat ("/proc/thread-self/ns/net", &status) == 0 ? status.st_ino : 0;
}

int
__wrap_getaddrinfo (const char *host, const char *service,
                    const struct addrinfo *hints, struct addrinfo **list)
{
  const char *dot = host ? strrchr (host, '.') : NULL;
  if (!dot || strcmp (dot, ".gate") != 0 || hints->ai_flags & AI_NUMERICHOST)
    return __real_getaddrinfo (host, service, hints, list);
  pthread_mutex_lock (&lock);
  calls++;
  count_thread ();
  network_inside = own_network ();
  inside_most = ++inside > inside_most ? inside : inside_most;
  pthread_cond_broadcast (&changed);
  while (!gate_open)
    pthread_cond_wait (&changed, &lock);
  inside--;
  pthread_cond_broadcast (&changed);
  pthread_mutex_unlock (&lock);
  if (strncmp (host, "missing", 7) == 0)
    return EAI_NONAME;
  errno = 0;
  if (strncmp (host, "broken", 6) == 0)
    return EAI_SYSTEM;
  return __real_getaddrinfo ("192.0.2.7", service, hints, list);
}

static void
set_gate (int open)
{
  pthread_mutex_lock (&lock);
  gate_open = open;
  pthread_cond_broadcast (&changed);
  pthread_mutex_unlock (&lock);
}

static void
wait_inside (int count)
{
  pthread_mutex_lock (&lock);
  while (inside != count)
    pthread_cond_wait (&changed, &lock);
  pthread_mutex_unlock (&lock);
}

/* Until all threads that were made have ended.  */
static void
wait_ended (void)
{
  pthread_mutex_lock (&lock);
  while (threads_ended != threads)
    pthread_cond_wait (&changed, &lock);
  pthread_mutex_unlock (&lock);
}

static struct skp_resolver *
resolver_new (int limit)
{
  struct skp_resolver *resolver;
  gate_open = inside_most = calls = threads = threads_ended = 0;
  assert_int_equal (
      skp_resolver_open (&resolver, limit, getenv ("SOCKPORT_RESOLVE")), 0);
  return resolver;
}

static void
resolver_end (struct skp_resolver *resolver)
{
  skp_resolver_close (resolver);
  wait_ended ();
}

static struct skp_lookup *
start (struct skp_resolver *resolver, const char *host, const char *service)
{
  struct skp_query query = { .kind = SKP_QUERY_ADDRESSES,
                             .type = SOCK_STREAM,
                             .host = host,
                             .service = service };
  struct skp_lookup *lookup = NULL;
  assert_int_equal (skp_resolver_start (resolver, &query, &lookup), 0);
  return lookup;
}

static const struct skp_answer *
finish (struct skp_lookup *lookup)
{
  const struct skp_answer *answer;
  while (!(answer = skp_lookup_take (lookup)))
    {
      struct pollfd ready
          = { .fd = skp_lookup_descriptor (lookup), .events = POLLIN };
      assert_int_equal (poll (&ready, 1, 20000), 1);
    }
  return answer;
}

static int
code_of (struct skp_resolver *resolver, const char *host, const char *service)
{
  struct skp_lookup *lookup = start (resolver, host, service);
  int code = finish (lookup)->code;
  skp_lookup_drop (lookup);
  return code;
}

static void
what_is_numeric_takes_no_thread (void **state)
{
  (void)state;
  struct skp_resolver *resolver = resolver_new (1);
  static const char *const hosts[] = { "127.0.0.1", "::1", "fe80::1%lo", NULL };
  for (int i = 0; i < 4; i++)
    {
      struct skp_lookup *lookup = start (resolver, hosts[i], "80");
      assert_int_equal (skp_lookup_descriptor (lookup), -1);
      assert_non_null (skp_lookup_take (lookup));
      assert_int_equal (skp_lookup_take (lookup)->code, 0);
      assert_true (skp_lookup_take (lookup)->count >= 1);
      skp_lookup_drop (lookup);
    }
  resolver_end (resolver);
}

static void
bad_services_are_refused (void **state)
{
  (void)state;
  struct skp_resolver *resolver = resolver_new (1);
  static const char *const bad[]
      = { "65536", "65616", "4294967376", "-1", "+80", " 80", "\t80" };
  static const char *const good[] = { "0", "65535", "00000000080", "80" };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_int_equal (code_of (resolver, "127.0.0.1", bad[i]), EAI_SERVICE);
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    assert_int_equal (code_of (resolver, "127.0.0.1", good[i]), 0);
  resolver_end (resolver);
}

static void
arguments_are_checked (void **state)
{
  (void)state;
  char long_name[SKP_QUERY_HOST + 1];
  struct skp_resolver *resolver = NULL;
  struct skp_lookup *lookup = NULL;
  assert_int_equal (skp_resolver_open (&resolver, 0, NULL), -EINVAL);
  assert_null (resolver);
  resolver = resolver_new (1);
  memset (long_name, 'a', sizeof long_name);
  long_name[sizeof long_name - 1] = '\0';
  struct skp_query query = { .kind = SKP_QUERY_ADDRESSES, .host = long_name };
  assert_int_equal (skp_resolver_start (resolver, &query, &lookup),
                    -ENAMETOOLONG);
  query.kind = 77;
  assert_int_equal (skp_resolver_start (resolver, &query, &lookup), -EINVAL);
  assert_null (lookup);
  resolver_end (resolver);
}

static void
a_name_is_looked_up_in_a_thread (void **state)
{
  (void)state;
  struct skp_resolver *resolver = resolver_new (2);
  struct skp_lookup *lookup = start (resolver, "one.gate", "80");
  assert_true (skp_lookup_descriptor (lookup) >= 0);
  wait_inside (1);
  assert_null (skp_lookup_take (lookup));
  set_gate (1);
  const struct skp_answer *answer = finish (lookup);
  assert_int_equal (answer->code, 0);
  assert_int_equal (answer->count, 1);
  const struct sockaddr_in *in
      = (const struct sockaddr_in *)&answer->found[0].address.storage;
  assert_int_equal (ntohl (in->sin_addr.s_addr), 0xc0000207);
  assert_int_equal (ntohs (in->sin_port), 80);
  skp_lookup_drop (lookup);
  assert_int_equal (code_of (resolver, "missing.gate", "80"), EAI_NONAME);
  resolver_end (resolver);
}

static void
no_errno_means_no_descriptors (void **state)
{
  (void)state;
  struct skp_resolver *resolver = resolver_new (1);
  set_gate (1);
  struct skp_lookup *lookup = start (resolver, "broken.gate", NULL);
  const struct skp_answer *answer = finish (lookup);
  assert_int_equal (answer->code, EAI_SYSTEM);
  assert_int_equal (answer->error, EMFILE);
  skp_lookup_drop (lookup);
  resolver_end (resolver);
}

static void
equal_queries_share_a_thread (void **state)
{
  (void)state;
  struct skp_resolver *resolver = resolver_new (4);
  struct skp_lookup *lookups[8];
  for (int i = 0; i < 8; i++)
    lookups[i] = start (resolver, i < 7 ? "same.gate" : "other.gate", "80");
  wait_inside (2);
  skp_lookup_drop (lookups[0]);
  set_gate (1);
  for (int i = 1; i < 8; i++)
    {
      assert_int_equal (finish (lookups[i])->count, 1);
      skp_lookup_drop (lookups[i]);
    }
  assert_int_equal (calls, 2);
  resolver_end (resolver);
}

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
  assert_true (inside_most <= 2);
  resolver_end (resolver);
}

struct elsewhere
{
  struct skp_resolver *resolver;
  struct skp_lookup *second, *twin;
  int error, code;
  ino_t network;
};

static void
await_readable (struct skp_lookup *lookup)
{
  struct pollfd ready
      = { .fd = skp_lookup_descriptor (lookup), .events = POLLIN };
  assert_int_equal (poll (&ready, 1, 20000), 1);
}

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
      assert_int_equal (calls, 1);
      skp_lookup_drop (elsewhere.twin);
    }
  assert_int_equal (finish (third)->code, 0);
  assert_int_equal (calls, 2);
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
  assert_int_equal (calls, 20);
  assert_int_equal (threads, 1);
  /* It ends by itself.  */
  wait_ended ();
  assert_int_equal (code_of (resolver, "a.gate", NULL), 0);
  assert_int_equal (threads, 2);
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
  assert_int_equal (threads, 1);
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
  assert_true (network_inside == own_network ());
  pthread_create (&thread, NULL, look_up_elsewhere, &elsewhere);
  pthread_join (thread, NULL);
  if (elsewhere.error)
    {
      resolver_end (resolver);
      skip ();
    }
  assert_int_equal (elsewhere.code, 0);
  assert_true (network_inside == elsewhere.network);
  assert_int_equal (code_of (resolver, "here.gate", NULL), 0);
  assert_true (network_inside == own_network ());
  assert_int_equal (threads, 3);
  resolver_end (resolver);
}

/* Under the lock of the gate.  */
static void
count_told (void *count)
{
  pthread_mutex_lock (&lock);
  ++*(int *)count;
  pthread_cond_broadcast (&changed);
  pthread_mutex_unlock (&lock);
}

static void
wait_told (const int *count)
{
  pthread_mutex_lock (&lock);
  while (!*count)
    pthread_cond_wait (&changed, &lock);
  pthread_mutex_unlock (&lock);
}

static void
a_function_is_called (void **state)
{
  (void)state;
  struct skp_resolver *resolver = resolver_new (1);
  int first_told = 0, second_told = 0, never = 0;
  struct skp_lookup *numeric = start (resolver, "127.0.0.1", "80");
  struct skp_lookup *first = start (resolver, "first.gate", NULL);
  struct skp_lookup *second = start (resolver, "second.gate", NULL);
  struct skp_lookup *other = start (resolver, "second.gate", NULL);
  assert_int_equal (skp_lookup_tell (numeric, count_told, &never), 1);
  assert_int_equal (skp_lookup_tell (first, count_told, &first_told), 0);
  assert_int_equal (skp_lookup_tell (second, count_told, &second_told), 0);
  assert_int_equal (skp_lookup_tell (other, count_told, &never), 0);
  assert_int_equal (skp_lookup_tell (other, NULL, NULL), 0);
  set_gate (1);
  wait_told (&first_told);
  wait_told (&second_told);
  assert_non_null (skp_lookup_take (first));
  assert_non_null (skp_lookup_take (second));
  assert_int_equal (skp_lookup_tell (other, count_told, &never), 1);
  /* So is a descriptor that is asked for late readable.  */
  struct pollfd ready
      = { .fd = skp_lookup_descriptor (other), .events = POLLIN };
  assert_int_equal (poll (&ready, 1, 0), 1);
  assert_int_equal (never, 0);
  skp_lookup_drop (numeric);
  skp_lookup_drop (first);
  skp_lookup_drop (second);
  skp_lookup_drop (other);
  resolver_end (resolver);
}

static void
no_descriptor_left (void **state)
{
  (void)state;
  struct skp_resolver *resolver = resolver_new (1);
  struct rlimit before, none;
  struct skp_lookup *lookup = NULL;
  struct skp_query query = { .kind = SKP_QUERY_ADDRESSES, .host = "some.gate" };
  getrlimit (RLIMIT_NOFILE, &before);
  none = (struct rlimit){ 0, before.rlim_max };
  setrlimit (RLIMIT_NOFILE, &none);
  assert_int_equal (skp_resolver_start (resolver, &query, &lookup), 0);
  int err = skp_lookup_descriptor (lookup);
  setrlimit (RLIMIT_NOFILE, &before);
  assert_int_equal (err, -EMFILE);
  assert_true (skp_lookup_descriptor (lookup) >= 0);
  wait_inside (1);
  skp_lookup_drop (lookup);
  set_gate (1);
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
      _exit (old != EAI_AGAIN ? 1 : made != 0 ? 2 : calls != 1 ? 3 : 0);
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
          int before = calls, code = code_of (resolver, "child.gate", NULL);
          _exit (code != 0 ? 1 : calls != before + 1 ? 2 : 0);
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

static void
names_of_an_address (void **state)
{
  (void)state;
  struct skp_resolver *resolver = resolver_new (1);
  struct skp_query query
      = { .kind = SKP_QUERY_NAMES, .flags = NI_NUMERICHOST | NI_NUMERICSERV };
  struct skp_lookup *lookup;
  skp_address_parse (&query.address, "127.0.0.1:80");
  assert_int_equal (skp_resolver_start (resolver, &query, &lookup), 0);
  assert_int_equal (skp_lookup_descriptor (lookup), -1);
  assert_string_equal (skp_lookup_take (lookup)->host, "127.0.0.1");
  assert_string_equal (skp_lookup_take (lookup)->service, "80");
  skp_lookup_drop (lookup);
  query.flags = NI_NUMERICHOST;
  assert_int_equal (skp_resolver_start (resolver, &query, &lookup), 0);
  assert_string_equal (finish (lookup)->service, "http");
  skp_lookup_drop (lookup);
  resolver_end (resolver);
}

static void
a_name_that_is_not_ascii_is_converted (void **state)
{
  (void)state;
  struct skp_resolver *resolver = resolver_new (1);
  set_gate (1);
  assert_int_equal (code_of (resolver, "b\303\274cher.gate", NULL), 0);
  assert_int_equal (code_of (resolver, "b\xff.gate", NULL), EAI_IDN_ENCODE);
  resolver_end (resolver);
}

TESTS (TEST (what_is_numeric_takes_no_thread), TEST (bad_services_are_refused),
       TEST (arguments_are_checked), TEST (a_name_is_looked_up_in_a_thread),
       TEST (no_errno_means_no_descriptors),
       TEST (equal_queries_share_a_thread), TEST (no_more_run_than_the_limit),
       TEST (a_turn_that_is_not_taken_is_given_on),
       TEST (a_resolver_can_be_closed_before_its_threads),
       TEST (a_thread_is_kept_for_the_next),
       TEST (what_waits_is_taken_by_the_thread_that_ends),
       TEST (a_thread_looks_up_in_its_own_namespace_only),
       TEST (a_function_is_called), TEST (no_descriptor_left),
       FORK_TESTS TEST (names_of_an_address),
       TEST (a_name_that_is_not_ascii_is_converted));
