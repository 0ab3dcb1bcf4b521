/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sockport/interface.h>

static void
names_and_indices_are_the_kernels (void **state)
{
  (void)state;
  char name[IF_NAMESIZE];
  int index = skp_interface_index ("lo", 2);
  assert_int_equal (index, if_nametoindex ("lo"));
  assert_int_equal (skp_interface_name ((unsigned)index, name), 0);
  assert_string_equal (name, "lo");
}

static void
what_is_no_name_is_refused (void **state)
{
  (void)state;
  char name[IF_NAMESIZE] = "kept";
  assert_int_equal (skp_interface_index ("", 0), -ENODEV);
  assert_int_equal (skp_interface_index ("lo\0x", 4), -ENODEV);
  assert_int_equal (skp_interface_index ("there-is-no-such", 16), -ENODEV);
  assert_int_equal (skp_interface_index ("no-such", 7), -ENODEV);
  assert_int_equal (skp_interface_name (0, name), -ENXIO);
  assert_int_equal (skp_interface_name (2147483647, name), -ENXIO);
  assert_string_equal (name, "kept");
}

static void
loopback_is_listed_with_its_address (void **state)
{
  (void)state;
  struct skp_interface *list;
  int found = 0, count = skp_interface_list (&list);
  assert_true (count > 0);
  for (int i = 0; i < count; i++)
    {
      const struct sockaddr_in *in = (void *)&list[i].address.storage;
      assert_int_equal (list[i].index, if_nametoindex (list[i].name));
      if (!strcmp (list[i].name, "lo")
          && skp_address_number (&list[i].address) == AF_INET)
        {
          found = 1;
          assert_int_equal (ntohl (in->sin_addr.s_addr), 0x7f000001);
          assert_int_equal (list[i].address.length, sizeof *in);
          assert_true (list[i].flags & IFF_LOOPBACK);
        }
    }
  free (list);
  assert_true (found);
}

TESTS (TEST (names_and_indices_are_the_kernels),
       TEST (what_is_no_name_is_refused),
       TEST (loopback_is_listed_with_its_address));
