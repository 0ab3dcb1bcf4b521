/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A resolver that lacks memory, descriptors, threads or its helper, and a C
   library that gives errors: one call at a time fails, in whichever thread
   makes it.  Whoever asked is told which error it was, and nothing is lost.  */

#include "test.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sockport/resolve.h>

#include "query.h"

/* The call that fails: CALL, with ERROR, when it has succeeded LEFT times.  */
static struct
{
  const char *call;
  int error;
  atomic_int left;
} fault;

static void
fail_after (const char *call, int left, int error)
{
  fault.call = call;
  fault.error = error;
  fault.left = left;
}

/* Whether it has failed; from now on nothing does.  */
static int
has_failed (void)
{
  int failed = fault.call && fault.left < 0;
  fault.call = NULL;
  return failed;
}

static int
fails (const char *call)
{
  if (!fault.call || strcmp (fault.call, call) != 0
      || atomic_fetch_sub (&fault.left, 1) != 0)
    return 0;
  errno = fault.error;
  return 1;
}

/* A call that returns FAILED, in terms of ERRNO, when it is to fail.  */
#define WRAP(result, name, parameters, arguments, failed)                      \
  result __real_##name parameters;                                             \
  result __wrap_##name parameters;                                             \
  result __wrap_##name parameters                                              \
  {                                                                            \
    return fails (#name) ? (failed) : __real_##name arguments;                 \
  }
WRAP (void *, calloc, (size_t n, size_t size), (n, size), NULL)
WRAP (void *, malloc, (size_t size), (size), NULL)
WRAP (void *, realloc, (void *p, size_t size), (p, size), NULL)
WRAP (int, eventfd, (unsigned n, int flags), (n, flags), -1)
WRAP (int, pipe2, (int *fds, int flags), (fds, flags), -1)
WRAP (int, pthread_attr_init, (pthread_attr_t * a), (a), errno)
WRAP (int, pthread_create,
      (pthread_t * t, const pthread_attr_t *a, void *(*f) (void *), void *data),
      (t, a, f, data), errno)
WRAP (int, posix_spawn_file_actions_init, (posix_spawn_file_actions_t * a), (a),
      errno)
WRAP (int, getaddrinfo,
      (const char *host, const char *service, const struct addrinfo *hints,
       struct addrinfo **list),
      (host, service, hints, list), EAI_SYSTEM)

/* The database of hosts always gives FOUND_ERROR and FOUND_HOST_ERROR.  */
static int found_error, found_host_error;
int __wrap_gethostbyname_r (const char *name, struct hostent *entry,
                            char *buffer, size_t size, struct hostent **found,
                            int *host_error);
int
__wrap_gethostbyname_r (const char *name, struct hostent *entry, char *buffer,
                        size_t size, struct hostent **found, int *host_error)
{
  (void)name, (void)entry, (void)buffer, (void)size;
  *found = NULL;
  *host_error = found_host_error;
  return found_error;
}

static void
a_resolver_wants_memory (void **state)
{
  (void)state;
  struct skp_resolver *none = NULL;
  fail_after ("calloc", 0, ENOMEM);
  assert_int_equal (skp_resolver_open (&none, 1, NULL), -ENOMEM);
  assert_true (has_failed ());
  assert_null (none);
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

/* Start QUERY with CALL failing at each place in turn, until it is made no
   more; how many places there were.  Those that fail give WANTED.  */
static int
starts_that_fail (const struct skp_query *query, const char *call, int error)
{
  struct skp_resolver *resolver;
  int place = 0, refused = 0;
  assert_int_equal (skp_resolver_open (&resolver, 1, NULL), 0);
  for (int failed = 1; failed; place++)
    {
      struct skp_lookup *lookup = NULL;
      fail_after (call, place, error);
      int result = skp_resolver_start (resolver, query, &lookup);
      failed = has_failed ();
      if (result < 0)
        {
          assert_int_equal (result, -error);
          assert_null (lookup);
          refused++;
        }
      else
        {
          /* Its thread is to meet no later fault.  */
          finish (lookup);
          skp_lookup_drop (lookup);
        }
    }
  skp_resolver_close (resolver);
  return refused;
}

static void
a_lookup_wants_memory (void **state)
{
  (void)state;
  static const struct
  {
    struct skp_query query;
    const char *call;
    int error, refused;
  } rows[] = {
    /* The job, the lookup, and the answer of which the memory is there when
       none is left; without memory for the answer that it is no number, it is
       looked up.  */
    { { .host = "localhost", .service = "80" }, "calloc", ENOMEM, 3 },
    /* What is refused before it is looked up.  */
    { { .host = "127.0.0.1", .service = "65536" }, "calloc", ENOMEM, 3 },
    { { .kind = SKP_QUERY_PROTOCOL_ENTRY, .host = "tcp" },
      "calloc",
      ENOMEM,
      3 },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_int_equal (
        starts_that_fail (&rows[i].query, rows[i].call, rows[i].error),
        rows[i].refused);
}

static void
a_lookup_wants_a_descriptor (void **state)
{
  (void)state;
  struct skp_resolver *resolver;
  struct skp_lookup *lookup;
  struct skp_query tcp = { .kind = SKP_QUERY_PROTOCOL_ENTRY, .host = "tcp" };
  assert_int_equal (skp_resolver_open (&resolver, 1, NULL), 0);
  assert_int_equal (skp_resolver_start (resolver, &tcp, &lookup), 0);
  fail_after ("eventfd", 0, EMFILE);
  assert_int_equal (skp_lookup_descriptor (lookup), -EMFILE);
  assert_true (has_failed ());
  fail_after ("eventfd", 0, EINTR);
  assert_true (skp_lookup_descriptor (lookup) >= 0);
  assert_true (has_failed ());
  finish (lookup);
  skp_lookup_drop (lookup);
  skp_resolver_close (resolver);
}

/* What QUERY gives when CALL fails in the look-up itself.  */
static void
assert_answer (const struct skp_query *query, const char *call, int error,
               int code)
{
  struct skp_resolver *resolver;
  struct skp_lookup *lookup;
  assert_int_equal (skp_resolver_open (&resolver, 1, NULL), 0);
  fail_after (call, 0, error);
  assert_int_equal (skp_resolver_start (resolver, query, &lookup), 0);
  const struct skp_answer *answer = finish (lookup);
  assert_true (has_failed ());
  assert_int_equal (answer->code, code);
  assert_int_equal (answer->error, code == EAI_SYSTEM ? error : 0);
  skp_lookup_drop (lookup);
  skp_resolver_close (resolver);
}

static void
a_lookup_wants_a_thread (void **state)
{
  (void)state;
  struct skp_query tcp = { .kind = SKP_QUERY_PROTOCOL_ENTRY, .host = "tcp" };
  assert_answer (&tcp, "pthread_create", EAGAIN, EAI_SYSTEM);
  assert_answer (&tcp, "pthread_attr_init", ENOMEM, EAI_SYSTEM);
  /* In the thread: the answer that was made beforehand.  */
  assert_answer (&tcp, "malloc", ENOMEM, EAI_MEMORY);
}

static void
the_c_library_has_an_errno (void **state)
{
  (void)state;
  struct skp_query local = { .host = "localhost", .service = "http" };
  assert_answer (&local, "getaddrinfo", ENFILE, EAI_SYSTEM);
  assert_answer (&local, "getaddrinfo", EIO, EAI_SYSTEM);
}

static void
errors_of_a_database (void **state)
{
  (void)state;
  static const struct
  {
    int error, host_error, code, told;
  } rows[] = {
    { 0, HOST_NOT_FOUND, EAI_NONAME, 0 },
    { ENOENT, NO_DATA, EAI_NODATA, 0 },
    { 0, NO_RECOVERY, EAI_FAIL, 0 },
    { ENOENT, TRY_AGAIN, EAI_AGAIN, 0 },
    /* The C library hands on the errno of what it asked last.  */
    { EAGAIN, TRY_AGAIN, EAI_AGAIN, 0 },
    { EIO, NETDB_INTERNAL, EAI_SYSTEM, EIO },
    { EMFILE, HOST_NOT_FOUND, EAI_SYSTEM, EMFILE },
    { 0, NETDB_INTERNAL, EAI_SYSTEM, EIO },
    /* Room for the entry is made until that is absurd.  */
    { ERANGE, NETDB_INTERNAL, EAI_SYSTEM, ERANGE },
  };
  struct skp__query query = { .kind = SKP_QUERY_HOST_ENTRY, .host = "a.test" };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    {
      found_error = rows[i].error;
      found_host_error = rows[i].host_error;
      struct skp_answer *answer = skp__query_run (&query);
      assert_non_null (answer);
      assert_int_equal (answer->code, rows[i].code);
      assert_int_equal (answer->error, rows[i].told);
      free (answer);
    }
}

static void
the_helper_cannot_be_asked (void **state)
{
  (void)state;
  static const struct
  {
    const char *helper, *call;
    int left, error, told;
  } rows[] = {
    { NULL, "pipe2", 0, EMFILE, EMFILE },
    { NULL, "pipe2", 1, ENFILE, ENFILE },
    { NULL, "posix_spawn_file_actions_init", 0, ENOMEM, ENOMEM },
    { NULL, "realloc", 0, ENOMEM, EIO },
    { "/nonexistent/helper", "", 0, 0, ENOENT },
    /* One that says nothing.  */
    { "/bin/true", "", 0, 0, EIO },
  };
  struct skp__query query = { .kind = SKP_QUERY_PROTOCOL_ENTRY, .host = "tcp" };
  /* The threads of a resolver have all signals blocked.  */
  signal (SIGPIPE, SIG_IGN);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    {
      const char *helper
          = rows[i].helper ? rows[i].helper : getenv ("SOCKPORT_RESOLVE");
      fail_after (rows[i].call, rows[i].left, rows[i].error);
      struct skp_answer *answer = skp__query_run_apart (&query, helper);
      has_failed ();
      assert_non_null (answer);
      assert_int_equal (answer->code, EAI_SYSTEM);
      assert_int_equal (answer->error, rows[i].told);
      free (answer);
    }
  signal (SIGPIPE, SIG_DFL);
}

TESTS (TEST (a_resolver_wants_memory), TEST (a_lookup_wants_memory),
       TEST (a_lookup_wants_a_descriptor), TEST (a_lookup_wants_a_thread),
       TEST (the_c_library_has_an_errno), TEST (errors_of_a_database),
       TEST (the_helper_cannot_be_asked));
