/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sockport/address.h>

/* Against inet_ntop and inet_pton, with the bytes of many hosts.  */
static void
hosts_are_written_and_read_as_the_c_library_does (void **state)
{
  (void)state;
  static const int families[] = { AF_INET, AF_INET6 };
  srand (1);
  for (int i = 0; i < 2000; i++)
    {
      int family = families[i % 2], size = family == AF_INET ? 4 : 16;
      unsigned char bytes[SKP_HOST_BYTES], read[SKP_HOST_BYTES];
      char text[SKP_HOST_TEXT], wanted[SKP_HOST_TEXT];
      for (int b = 0; b < size; b++)
        bytes[b] = rand () % 3 ? 0 : (unsigned char)rand ();
      inet_ntop (family, bytes, wanted, sizeof wanted);
      assert_int_equal (skp_address_host_format (family, bytes, text),
                        strlen (wanted));
      assert_string_equal (text, wanted);
      assert_int_equal (skp_address_host_parse (family, text, read), size);
      assert_memory_equal (read, bytes, size);
    }
}

static void
what_is_no_host_is_refused (void **state)
{
  (void)state;
  static const char *texts[] = {
    "",    "1.2.3",   "1.2.3.256", "1.2.3.4.5", " 1.2.3.4", "1.2.3.4 ", ":",
    ":::", "1::2::3", "12345::",   "::1%lo",    "[::1]",    "g::",      "name"
  };
  unsigned char bytes[SKP_HOST_BYTES] = { 0xAA };
  char text[SKP_HOST_TEXT];
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    {
      assert_int_equal (skp_address_host_parse (AF_INET, texts[i], bytes),
                        -EINVAL);
      assert_int_equal (skp_address_host_parse (AF_INET6, texts[i], bytes),
                        -EINVAL);
      assert_int_equal (bytes[0], 0xAA);
    }
  assert_int_equal (skp_address_host_parse (AF_INET, "::1", bytes), -EINVAL);
  assert_int_equal (skp_address_host_parse (AF_INET6, "1.2.3.4", bytes),
                    -EINVAL);
  assert_int_equal (skp_address_host_parse (AF_UNIX, "1.2.3.4", bytes),
                    -EAFNOSUPPORT);
  assert_int_equal (skp_address_host_format (AF_UNIX, bytes, text),
                    -EAFNOSUPPORT);
}

static void
rules_are_the_family_s_when_it_is_all_there (void **state)
{
  (void)state;
  struct skp_address address;
  const struct skp_family *inet = skp_address_family (AF_INET);
  assert_int_equal (skp_address_parse (&address, "127.0.0.1:80"), 0);
  assert_ptr_equal (skp_address_rules (&address), inet);
  address.length--;
  assert_ptr_equal (skp_address_rules (&address),
                    skp_address_family (AF_UNSPEC));
  address.length = 0;
  assert_ptr_equal (skp_address_rules (&address),
                    skp_address_family (AF_UNSPEC));
}

TESTS (TEST (hosts_are_written_and_read_as_the_c_library_does),
       TEST (what_is_no_host_is_refused),
       TEST (rules_are_the_family_s_when_it_is_all_there));
