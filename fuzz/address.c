/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Addresses: any bytes as a sockaddr must decode, encode to themselves and have
   a text; any text must be refused, or read as an address that has it.  Linked
   with --wrap for names of interfaces: for one that it does not know the kernel
   looks for a module, which takes longer than a hundred inputs.  */

#include "fuzz.h"

#include <errno.h>
#include <net/if.h>
#include <sockport/address.h>

unsigned __wrap_if_nametoindex (const char *name);

unsigned
__wrap_if_nametoindex (const char *name)
{
  if (strcmp (name, "lo") == 0)
    return 1;
  errno = ENODEV;
  return 0;
}

static int
same (const struct skp_part *a, const struct skp_part *b, int count)
{
  for (int i = 0; i < count; i++)
    if (a[i].number != b[i].number || a[i].length != b[i].length
        || (a[i].length > 0
            && memcmp (a[i].bytes, b[i].bytes, a[i].length) != 0))
      return 0;
  return 1;
}

static void
text_round_trips (const struct skp_address *address, const char *text)
{
  struct skp_part parts[SKP_ADDRESS_PARTS], back[SKP_ADDRESS_PARTS];
  struct skp_address parsed;
  const struct skp_family *rules = skp_address_decode (address, parts);
  if (skp_address_parse (&parsed, text) < 0)
    return;
  require (skp_address_decode (&parsed, back) == rules);
  /* Flow information has no place in a text.  */
  if (rules->family == AF_INET6)
    parts[2].number = 0;
  require (same (parts, back, rules->count));
}

static void
bytes_decode (const uint8_t *data, size_t size)
{
  struct skp_address address = { 0 }, again;
  struct skp_part parts[SKP_ADDRESS_PARTS], back[SKP_ADDRESS_PARTS];
  char text[SKP_ADDRESS_TEXT];

  if (size > sizeof address.storage)
    size = sizeof address.storage;
  memcpy (&address.storage, data, size);
  address.length = (socklen_t)size;
  const struct skp_family *rules = skp_address_decode (&address, parts);
  int n = skp_address_format (&address, text, sizeof text);
  require (n > 0 && (size_t)n == strlen (text));
  require (skp_address_format (&address, text, (size_t)n) < 0);
  skp_address_format (&address, text, sizeof text);
  text_round_trips (&address, text);
  /* One too short for its family is bytes, which have no encoding of their own.
   */
  if (rules == skp_address_family (skp_address_number (&address))
      && skp_address_encode (&again, skp_address_number (&address), parts,
                             rules->count)
             == 0)
    {
      require (skp_address_decode (&again, back) == rules
               || size < sizeof (sa_family_t));
      require (same (parts, back, rules->count));
    }
}

static void
text_parses (const uint8_t *data, size_t size)
{
  char *text = malloc (size + 1);
  char shown[SKP_ADDRESS_TEXT], again[SKP_ADDRESS_TEXT];
  struct skp_address address, back;

  memcpy (text, data, size);
  text[size] = '\0';
  if (skp_address_parse (&address, text) == 0)
    {
      require (skp_address_format (&address, shown, sizeof shown) > 0);
      require (skp_address_parse (&back, shown) == 0);
      require (skp_address_format (&back, again, sizeof again) > 0);
      require (strcmp (shown, again) == 0);
    }
  free (text);
}

/* The first byte chooses.  */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  if (size == 0)
    return 0;
  (data[0] & 1 ? text_parses : bytes_decode) (data + 1, size - 1);
  return 0;
}
