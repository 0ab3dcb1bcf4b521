/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Look-ups: what is asked, and what comes back.  */

#include "resolve-fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>

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
  assert_int_equal (gate.calls, 2);
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
       TEST (equal_queries_share_a_thread), TEST (no_descriptor_left),
       TEST (names_of_an_address),
       TEST (a_name_that_is_not_ascii_is_converted));
