/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Entries of hosts, networks, protocols and services, against what the C
   library's older functions return, and by way of the program for children of
   fork.  */

#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sockport/resolve.h>

#include "query.h"

static struct skp_lookup *
start (struct skp_resolver *resolver, int kind, const char *host,
       uint32_t number, const char *service)
{
  struct skp_query query
      = { .kind = kind, .host = host, .number = number, .service = service };
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

static struct skp_resolver *
resolver_new (void)
{
  struct skp_resolver *resolver;
  assert_int_equal (skp_resolver_open (&resolver, 2, NULL), 0);
  return resolver;
}

static void
same_aliases (const struct skp_answer *answer, char **aliases)
{
  const char *at = skp_answer_aliases (answer);
  for (; *aliases; aliases++, at += strlen (at) + 1)
    assert_string_equal (at, *aliases);
  assert_ptr_equal (at, skp_answer_aliases (answer) + answer->alias_bytes);
}

static void
same_service (const struct skp_answer *answer, const struct servent *service)
{
  assert_non_null (service);
  assert_int_equal (answer->code, 0);
  assert_string_equal (answer->host, service->s_name);
  assert_string_equal (answer->service, service->s_proto);
  assert_int_equal (answer->number, ntohs ((uint16_t)service->s_port));
  same_aliases (answer, service->s_aliases);
}

static void
services (void **state)
{
  (void)state;
  struct skp_resolver *resolver = resolver_new ();
  struct skp_lookup *lookup
      = start (resolver, SKP_QUERY_SERVICE_ENTRY, "www", 0, "tcp");
  same_service (finish (lookup), getservbyname ("www", "tcp"));
  assert_int_equal (finish (lookup)->number, 80);
  assert_true (finish (lookup)->alias_bytes > 0);
  skp_lookup_drop (lookup);
  lookup = start (resolver, SKP_QUERY_SERVICE_ENTRY, NULL, 53, "udp");
  same_service (finish (lookup), getservbyport (htons (53), "udp"));
  skp_lookup_drop (lookup);
  lookup = start (resolver, SKP_QUERY_SERVICE_ENTRY, "domain", 0, NULL);
  same_service (finish (lookup), getservbyname ("domain", NULL));
  skp_lookup_drop (lookup);
  skp_resolver_close (resolver);
}

static void
protocols_and_networks (void **state)
{
  (void)state;
  struct skp_resolver *resolver = resolver_new ();
  struct skp_lookup *lookup
      = start (resolver, SKP_QUERY_PROTOCOL_ENTRY, NULL, 17, NULL);
  assert_string_equal (finish (lookup)->host, "udp");
  assert_int_equal (finish (lookup)->number, 17);
  same_aliases (finish (lookup), getprotobynumber (17)->p_aliases);
  skp_lookup_drop (lookup);
  lookup = start (resolver, SKP_QUERY_NET_ENTRY, "loopback", 0, NULL);
  assert_int_equal (finish (lookup)->number, 127u << 24);
  skp_lookup_drop (lookup);
  skp_resolver_close (resolver);
}

static uint32_t
address_of (const struct skp_found *found)
{
  const struct sockaddr_in *in
      = (const struct sockaddr_in *)&found->address.storage;
  assert_int_equal (found->family, AF_INET);
  assert_int_equal (found->address.length, sizeof *in);
  return ntohl (in->sin_addr.s_addr);
}

static void
hosts (void **state)
{
  (void)state;
  struct skp_resolver *resolver = resolver_new ();
  struct skp_lookup *lookup
      = start (resolver, SKP_QUERY_HOST_ENTRY, "localhost", 0, NULL);
  assert_true (skp_lookup_descriptor (lookup) >= 0);
  assert_int_equal (finish (lookup)->count, 1);
  assert_int_equal (address_of (&finish (lookup)->found[0]), INADDR_LOOPBACK);
  skp_lookup_drop (lookup);
  lookup = start (resolver, SKP_QUERY_HOST_ENTRY, NULL, INADDR_LOOPBACK, NULL);
  assert_string_equal (finish (lookup)->host, "localhost");
  skp_lookup_drop (lookup);
  skp_resolver_close (resolver);
}

static void
a_number_takes_no_thread (void **state)
{
  (void)state;
  struct skp_resolver *resolver = resolver_new ();
  struct skp_lookup *lookup
      = start (resolver, SKP_QUERY_HOST_ENTRY, "192.0.2.7", 0, NULL);
  assert_int_equal (skp_lookup_descriptor (lookup), -1);
  assert_int_equal (address_of (&skp_lookup_take (lookup)->found[0]),
                    0xc0000207);
  skp_lookup_drop (lookup);
  skp_resolver_close (resolver);
}

static void
what_is_not_there (void **state)
{
  (void)state;
  static const int kinds[]
      = { SKP_QUERY_HOST_ENTRY, SKP_QUERY_NET_ENTRY, SKP_QUERY_PROTOCOL_ENTRY,
          SKP_QUERY_SERVICE_ENTRY };
  struct skp_resolver *resolver = resolver_new ();
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    {
      struct skp_lookup *lookup = start (resolver, kinds[i], "", 0, NULL);
      assert_int_equal (finish (lookup)->code, EAI_NONAME);
      skp_lookup_drop (lookup);
      if (i == 0)
        continue; /* A name server would be asked.  */
      lookup = start (resolver, kinds[i], "nosuchname", 0, NULL);
      assert_int_equal (finish (lookup)->code, EAI_NONAME);
      skp_lookup_drop (lookup);
    }
  skp_resolver_close (resolver);
}

static void
by_the_program_for_children (void **state)
{
  (void)state;
  struct skp__query copy;
  int code;
  struct skp_query query
      = { .kind = SKP_QUERY_SERVICE_ENTRY, .host = "www", .service = "tcp" };
  assert_int_equal (skp__query_copy (&copy, &query, &code), 0);
  struct skp_answer *answer
      = skp__query_run_apart (&copy, getenv ("SOCKPORT_RESOLVE"));
  assert_non_null (answer);
  same_service (answer, getservbyname ("www", "tcp"));
  free (answer);
}

TESTS (TEST (services), TEST (protocols_and_networks), TEST (hosts),
       TEST (a_number_takes_no_thread), TEST (what_is_not_there),
       TEST (by_the_program_for_children));
