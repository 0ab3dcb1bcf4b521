/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sockport/constant.h>

static void
values_are_the_headers (void **state)
{
  (void)state;
  static const struct
  {
    const char *name;
    int64_t value;
  } some[] = { { "AF_INET6", AF_INET6 },
               { "SOCK_STREAM", SOCK_STREAM },
               { "IPPROTO_UDP", IPPROTO_UDP },
               { "SO_LINGER", SO_LINGER },
               { "TCP_NODELAY", TCP_NODELAY },
               { "MSG_CMSG_CLOEXEC", MSG_CMSG_CLOEXEC },
               { "INADDR_BROADCAST", 0xffffffff },
               { "INADDR_LOOPBACK", 0x7f000001 },
               { "SOMAXCONN", SOMAXCONN } };
  for (size_t i = 0; i < sizeof some / sizeof *some; i++)
    {
      const struct skp_constant *c = skp_constant_named (some[i].name);
      assert_non_null (c);
      assert_int_equal (c->value, some[i].value);
    }
}

/* The 128-bit addresses as the integers that their bytes spell.  */
static void
wide_addresses_match_their_bytes (void **state)
{
  (void)state;
  const struct
  {
    const char *name;
    struct in6_addr address;
  } some[] = { { "IN6ADDR_ANY", IN6ADDR_ANY_INIT },
               { "IN6ADDR_LOOPBACK", IN6ADDR_LOOPBACK_INIT } };
  for (size_t i = 0; i < 2; i++)
    {
      static const unsigned char zeros[15];
      const unsigned char *bytes = some[i].address.s6_addr;
      assert_memory_equal (bytes, zeros, sizeof zeros);
      assert_int_equal (skp_constant_named (some[i].name)->value, bytes[15]);
    }
}

static void
every_name_occurs_once (void **state)
{
  (void)state;
  const struct skp_constant *c;
  size_t count = 0;
  for (; (c = skp_constant_at (count)); count++)
    assert_ptr_equal (skp_constant_named (c->name), c);
  assert_true (count > 1000);
  assert_null (skp_constant_at (count));
  assert_null (skp_constant_at ((size_t)-1));
}

static void
unknown_names_are_not_found (void **state)
{
  (void)state;
  assert_null (skp_constant_named (""));
  assert_null (skp_constant_named ("SO_"));
  assert_null (skp_constant_named ("so_linger"));
}

TESTS (TEST (values_are_the_headers), TEST (wide_addresses_match_their_bytes),
       TEST (every_name_occurs_once), TEST (unknown_names_are_not_found));
