/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <errno.h>
#include <string.h>
#include <sockport/address.h>

static void
text_round_trips (void **state)
{
  (void)state;
  static const char *texts[] = {
    "127.0.0.1:80",   "[::1]:0", "[fe80::1%7]:65535", "unix:/tmp/\\xc3\\xa9",
    "unix:@abstract", "unix:",   "vsock:2:4294967295"
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    {
      struct skp_address address;
      char text[SKP_ADDRESS_TEXT];
      assert_int_equal (skp_address_parse (&address, texts[i]), 0);
      assert_int_equal (skp_address_format (&address, text, sizeof text),
                        (int)strlen (texts[i]));
      assert_string_equal (text, texts[i]);
    }
}

static void
bad_text_is_refused (void **state)
{
  (void)state;
  static const char *texts[]
      = { "",           "127.0.0.1",    "127.0.0.1:65536", "127.0.0.1:-1",
          "1.2.3:1",    "[::1:80",      "::1:80:",         "vsock:1",
          "vsock:-1:1", "unix:a\\x00b", "unix:\\q",        "[]:1",
          "[::1]:",     "vsock:1:2^32", "1.2.3.4:1x",      "]:1" };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    {
      struct skp_address address;
      assert_int_equal (skp_address_parse (&address, texts[i]), -EINVAL);
    }
}

TESTS (TEST (text_round_trips), TEST (bad_text_is_refused));
