/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/vm_sockets.h>
#include <sys/un.h>
#include <sockport/address.h>
#include <sockport/socket.h>

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

/* A new directory to be in, for UNIX names.  */
static char *
directory_enter (void)
{
  char *directory = strdup ("/tmp/sockport-test-XXXXXX");
  assert_non_null (mkdtemp (directory));
  assert_int_equal (chdir (directory), 0);
  return directory;
}

static void
directory_leave (char *directory)
{
  assert_int_equal (chdir ("/"), 0);
  assert_int_equal (rmdir (directory), 0);
  free (directory);
}

static const int listed[] = { AF_INET,   AF_INET6, AF_UNIX, AF_NETLINK,
                              AF_PACKET, AF_VSOCK, AF_ALG,  65535 };
#define LISTED (sizeof listed / sizeof *listed)

/* Both as the kernel would compare them.  */
static void
assert_same_parts (const struct skp_family *rules, const struct skp_part *a,
                   const struct skp_part *b)
{
  for (int i = 0; i < rules->count; i++)
    {
      assert_int_equal (a[i].number, b[i].number);
      assert_int_equal (a[i].length, b[i].length);
      if (a[i].length > 0)
        assert_memory_equal (a[i].bytes, b[i].bytes, a[i].length);
    }
}

/* A value that RULE allows; BYTES is room for it.  */
static void
part_random (struct skp_part *part, const struct skp_field *rule,
             unsigned char *bytes)
{
  *part = (struct skp_part){ 0 };
  if (rule->kind <= SKP_FIELD_NETWORK)
    {
      part->number = ((uint64_t)rand () << 16 ^ (unsigned)rand ())
                     & ((UINT64_C (1) << (8 * rule->size)) - 1);
      return;
    }
  part->length = rule->kind == SKP_FIELD_WIDE
                     ? 16U
                     : (unsigned)rand () % (rule->size + 1U);
  for (size_t i = 0; i < part->length; i++)
    bytes[i] = (unsigned char)(rand () % 255 + 1);
  if (part->length > 0 || rule->kind != SKP_FIELD_NAME)
    part->bytes = bytes;
}

static void
every_family_round_trips (void **state)
{
  (void)state;
  unsigned char bytes[SKP_ADDRESS_PARTS][256];
  srand (1);
  for (int round = 0; round < 20000; round++)
    {
      int family = listed[(size_t)round % LISTED];
      const struct skp_family *rules = skp_address_family (family);
      struct skp_part in[SKP_ADDRESS_PARTS], out[SKP_ADDRESS_PARTS];
      struct skp_address address;
      for (int i = 0; i < rules->count; i++)
        part_random (&in[i], &rules->fields[i], bytes[i]);
      assert_int_equal (skp_address_encode (&address, family, in, rules->count),
                        0);
      assert_int_equal (skp_address_number (&address), family);
      assert_ptr_equal (skp_address_decode (&address, out), rules);
      assert_same_parts (rules, in, out);
    }
}

/* Whatever the bytes, the parts lie inside them, text can be made, and what can
   be encoded again says the same.  */
static void
garbage_check (const struct skp_address *address)
{
  struct skp_part parts[SKP_ADDRESS_PARTS], again[SKP_ADDRESS_PARTS];
  char text[SKP_ADDRESS_TEXT];
  struct skp_address copy;
  const char *first = (const char *)&address->storage;
  const struct skp_family *rules = skp_address_decode (address, parts);
  for (int i = 0; i < rules->count; i++)
    if (parts[i].bytes)
      {
        const char *bytes = parts[i].bytes;
        assert_true (bytes >= first);
        assert_true (bytes + parts[i].length
                     <= first + sizeof address->storage);
        assert_true (parts[i].length == 0
                     || bytes + parts[i].length <= first + address->length);
      }
  assert_true (skp_address_format (address, text, sizeof text) >= 0);
  if (rules != skp_address_family (skp_address_number (address)))
    return; /* too short for its family */
  int err = skp_address_encode (&copy, skp_address_number (address), parts,
                                rules->count);
  if (err == 0)
    assert_same_parts (rules, parts,
                       (skp_address_decode (&copy, again), again));
  else
    assert_true (err == -EINVAL || err == -ENAMETOOLONG);
}

static void
garbage_is_survived (void **state)
{
  (void)state;
  srand (2);
  for (int round = 0; round < 100; round++)
    for (socklen_t length = 0; length <= sizeof (struct sockaddr_storage);
         length++)
      for (size_t i = 0; i <= LISTED; i++)
        {
          struct skp_address address = { .length = length };
          unsigned char *bytes = (unsigned char *)&address.storage;
          for (size_t k = 0; k < sizeof address.storage; k++)
            bytes[k] = (unsigned char)(round % 4 ? rand () : round);
          if (i < LISTED)
            address.storage.ss_family = (sa_family_t)listed[i];
          garbage_check (&address);
        }
}

static void
a_length_beyond_the_storage_is_cut (void **state)
{
  (void)state;
  struct skp_address address = { .length = 4000 };
  struct skp_part parts[SKP_ADDRESS_PARTS];
  memset (&address.storage, 'x', sizeof address.storage);
  address.storage.ss_family = AF_ALG;
  skp_address_decode (&address, parts);
  assert_int_equal (parts[0].length,
                    sizeof address.storage - sizeof (sa_family_t));
}

static void
bad_parts_are_refused (void **state)
{
  (void)state;
  char bytes[200] = { 'a', '\0', 'b' };
  struct skp_address address = { .length = 77 };
  struct skp_part inet[] = { { .number = 1 }, { .number = 65536 } };
  struct skp_part host[]
      = { { .number = UINT64_C (1) << 32 }, { .number = 1 } };
  struct skp_part name[] = { { .bytes = bytes, .length = 3 } };
  struct skp_part wide[]
      = { { .bytes = bytes, .length = 15 }, { .number = 1 } };
  struct
  {
    int family, count, result;
    struct skp_part *parts;
  } rows[] = { { AF_INET, 2, -ERANGE, inet },  { AF_INET, 2, -ERANGE, host },
               { AF_INET, 1, -EINVAL, inet },  { AF_INET, 3, -EINVAL, inet },
               { AF_UNIX, 1, -EINVAL, name },  { AF_UNIX, 0, -EINVAL, name },
               { AF_INET6, 2, -EINVAL, wide }, { -1, 0, -EINVAL, name },
               { 65536, 0, -EINVAL, name } };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_int_equal (skp_address_encode (&address, rows[i].family,
                                          rows[i].parts, rows[i].count),
                      rows[i].result);
  memset (bytes, 'a', sizeof bytes);
  name[0].length = 109;
  assert_int_equal (skp_address_encode (&address, AF_UNIX, name, 1),
                    -ENAMETOOLONG);
  name[0].length = 127;
  assert_int_equal (skp_address_encode (&address, AF_ALG, name, 1),
                    -ENAMETOOLONG);
  assert_int_equal (address.length, 77);
}

/* Bind to LENGTH bytes of NAME, ask for the name, and connect to what the
   kernel answers.  */
static void
kernel_round_trip (const char *name, size_t length)
{
  struct skp_part part = { .bytes = name, .length = length };
  struct skp_address address, told;
  int server = skp_socket_open (AF_UNIX, SOCK_STREAM, 0);
  int client = skp_socket_open (AF_UNIX, SOCK_STREAM, 0);
  assert_int_equal (skp_address_encode (&address, AF_UNIX, &part, 1), 0);
  assert_int_equal (skp_socket_bind (server, &address), 0);
  assert_int_equal (skp_socket_listen (server, 1), 0);
  assert_int_equal (skp_socket_name (server, &told), 0);
  skp_address_decode (&told, &part);
  if (length > 0)
    {
      assert_int_equal (part.length, length);
      assert_memory_equal (part.bytes, name, length);
    }
  assert_int_equal (skp_address_encode (&address, AF_UNIX, &part, 1), 0);
  assert_int_equal (skp_socket_connect (client, &address), 0);
  if (length > 0 && name[0])
    {
      char path[109] = "";
      memcpy (path, name, length);
      assert_int_equal (unlink (path), 0);
    }
  close (client);
  close (server);
}

static void
unix_names_are_exact (void **state)
{
  (void)state;
  char longest[108];
  char *directory = directory_enter ();
  memset (longest, 'n', sizeof longest);
  kernel_round_trip (longest, sizeof longest);
  kernel_round_trip (longest, sizeof longest - 1);
  kernel_round_trip ("s\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 9);
  kernel_round_trip ("\xff\xfe", 2);
  kernel_round_trip ("x", 1);
  kernel_round_trip ("", 0);
  directory_leave (directory);
  longest[0] = '\0';
  kernel_round_trip (longest, sizeof longest);
  kernel_round_trip ("\0sockport-test\0with\0nuls\0", 25);
  kernel_round_trip ("\0", 1);
}

static void
an_unnamed_socket_has_no_name (void **state)
{
  (void)state;
  struct skp_address address;
  struct skp_part part;
  int fds[2];
  assert_int_equal (skp_socket_pair (AF_UNIX, SOCK_STREAM, 0, fds), 0);
  assert_int_equal (skp_socket_peer (fds[0], &address), 0);
  assert_int_equal (skp_address_decode (&address, &part)->family, AF_UNIX);
  assert_null (part.bytes);
  close (fds[0]);
  close (fds[1]);
}

/* As a packet socket names itself: without what its hardware address does not
   fill, or with one of InfiniBand.  */
static void
hardware_addresses_have_their_own_length (void **state)
{
  (void)state;
  struct skp_address address, again;
  struct skp_part parts[SKP_ADDRESS_PARTS];
  for (socklen_t halen = 0; halen <= 32; halen++)
    {
      address = (struct skp_address){ .length = 12 + halen };
      unsigned char *bytes = (unsigned char *)&address.storage;
      address.storage.ss_family = AF_PACKET;
      bytes[11] = (unsigned char)halen;
      assert_int_equal (skp_address_decode (&address, parts)->family,
                        AF_PACKET);
      assert_int_equal (parts[4].length, halen);
      assert_int_equal (skp_address_encode (&again, AF_PACKET, parts, 5), 0);
      assert_int_equal (again.length, halen > 8 ? 12 + halen : 20);
    }
}

static void
text_has_ascii_alone (void **state)
{
  (void)state;
  char name[108], text[SKP_ADDRESS_TEXT];
  struct skp_address address, again;
  struct skp_part part = { .bytes = name, .length = sizeof name };
  for (int first = 1; first < 256; first += sizeof name)
    {
      for (int i = 0; i < (int)sizeof name; i++)
        name[i] = (char)((first + i) % 255 + 1);
      assert_int_equal (skp_address_encode (&address, AF_UNIX, &part, 1), 0);
      int length = skp_address_format (&address, text, sizeof text);
      assert_int_equal (length, (int)strlen (text));
      for (int i = 0; i < length; i++)
        assert_true (text[i] >= ' ' && text[i] <= '~');
      assert_int_equal (skp_address_parse (&again, text), 0);
      assert_memory_equal (&again.storage, &address.storage, address.length);
      assert_int_equal (skp_address_format (&address, text, (size_t)length),
                        -ENOSPC);
    }
}

TESTS (TEST (text_round_trips), TEST (bad_text_is_refused),
       TEST (text_has_ascii_alone), TEST (every_family_round_trips),
       TEST (garbage_is_survived), TEST (a_length_beyond_the_storage_is_cut),
       TEST (bad_parts_are_refused), TEST (unix_names_are_exact),
       TEST (an_unnamed_socket_has_no_name),
       TEST (hardware_addresses_have_their_own_length));
