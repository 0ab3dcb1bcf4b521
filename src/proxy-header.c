/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The PROXY protocol (proxy-protocol.txt of HAProxy, 2.1 and 2.2).  What is not
   exactly as it is written there is refused: an attacker gains by whatever a
   proxy and its server read in two ways.  */

#include <sockport/proxy-header.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Version 1: a line of text.  */

#define LINE 107
#define FIELD 64

static const char opening[] = "PROXY ";

/* The families of both versions: the word of the first, the number of the
   second and the bytes of its addresses.  */
static const struct kind
{
  const char *word;
  int family;
  size_t host, size;
} kinds[] = { { "UNKNOWN", AF_UNSPEC, 0, 0 },
              { "TCP4", AF_INET, 4, 12 },
              { "TCP6", AF_INET6, 16, 36 },
              { "", AF_UNIX, 0, 216 } };

#define KINDS (sizeof kinds / sizeof *kinds)

static int
encode_host (struct skp_address *address, int family,
             const unsigned char *bytes, size_t size, unsigned port)
{
  struct skp_part parts[]
      = { { .bytes = bytes, .length = size }, { .number = port } };
  /* The address of INET is a number, that of INET6 bytes.  */
  for (size_t i = 0; i < size; i++)
    parts[0].number = parts[0].number << 8 | bytes[i];
  return skp_address_encode (address, family, parts, 2);
}

/* The next field of *TEXT in FIELD, up to END, which is a blank or '\r'.  */
static bool
next_field (const char **text, char field[FIELD], char end)
{
  size_t length = strcspn (*text, " \r");
  if (length == 0 || length >= FIELD || (*text)[length] != end)
    return false;
  memcpy (field, *text, length);
  field[length] = '\0';
  *text += length + 1;
  return true;
}

/* Digits without a superfluous zero; -1 for anything else.  */
static int
port_number (const char *digits)
{
  size_t length = strspn (digits, "0123456789");
  int port = 0;
  if (digits[length] || length > 5 || (digits[0] == '0' && length > 1))
    return -1;
  while (*digits)
    port = port * 10 + (*digits++ - '0');
  return port <= UINT16_MAX ? port : -1;
}

static bool
read_host (struct skp_address *address, const struct kind *kind,
           const char *host, const char *port)
{
  unsigned char bytes[SKP_HOST_BYTES];
  int number = port_number (port);
  return number >= 0 && skp_address_host_parse (kind->family, host, bytes) >= 0
         && encode_host (address, kind->family, bytes, kind->host,
                         (unsigned)number)
                == 0;
}

/* TEXT is a line without its beginning and its '\n'.  */
static int
read_line (struct skp_proxy_header *header, const char *text)
{
  char word[FIELD], source[FIELD], destination[FIELD], from[FIELD], to[FIELD];
  size_t i = 0;

  /* What follows UNKNOWN is to be skipped.  */
  if (strncmp (text, "UNKNOWN", 7) == 0 && strchr (" \r", text[7]))
    return 0;
  if (!next_field (&text, word, ' ') || !next_field (&text, source, ' ')
      || !next_field (&text, destination, ' ') || !next_field (&text, from, ' ')
      || !next_field (&text, to, '\r') || *text)
    return -EPROTO;
  while (i < KINDS && strcmp (word, kinds[i].word) != 0)
    i++;
  return i < KINDS && kinds[i].host
                 && read_host (&header->source, &kinds[i], source, from)
                 && read_host (&header->destination, &kinds[i], destination, to)
             ? 0
             : -EPROTO;
}

static ssize_t
read_text (struct skp_proxy_header *header, const char *bytes, size_t size)
{
  char line[LINE + 1];
  size_t most = size < LINE ? size : LINE;
  const char *end = memchr (bytes, '\n', most);

  if (!end)
    return size < LINE ? -EAGAIN : -EPROTO;
  size_t length = (size_t)(end - bytes);
  memcpy (line, bytes, length);
  line[length] = '\0';
  if (memchr (line, '\0', length) || line[length - 1] != '\r')
    return -EPROTO;
  int err = read_line (header, line + sizeof opening - 1);
  return err < 0 ? err : (ssize_t)length + 1;
}

/* Version 2: bytes.  */

static const unsigned char signature[] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                           0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };

#define FIXED 16
#define NAME 108

static int
read_name (struct skp_address *address, const unsigned char *bytes)
{
  /* An abstract name begins with NUL, and its end cannot be told from NULs that
     fill up.  */
  size_t length = bytes[0] ? strnlen ((const char *)bytes, NAME)
                           : 1 + strnlen ((const char *)bytes + 1, NAME - 1);
  struct skp_part part = { .bytes = length > 1 || bytes[0] ? bytes : NULL,
                           .length = length > 1 || bytes[0] ? length : 0 };
  return skp_address_encode (address, AF_UNIX, &part, 1);
}

static int
read_addresses (struct skp_proxy_header *header, const struct kind *kind,
                const unsigned char *bytes)
{
  if (kind->family == AF_UNSPEC)
    return 0;
  if (kind->host == 0)
    return read_name (&header->source, bytes) < 0
                   || read_name (&header->destination, bytes + NAME) < 0
               ? -EPROTO
               : 0;
  const unsigned char *ports = bytes + 2 * kind->host;
  return encode_host (&header->source, kind->family, bytes, kind->host,
                      (unsigned)(ports[0] << 8 | ports[1]))
                     < 0
                 || encode_host (&header->destination, kind->family,
                                 bytes + kind->host, kind->host,
                                 (unsigned)(ports[2] << 8 | ports[3]))
                        < 0
             ? -EPROTO
             : 0;
}

static ssize_t
read_bytes (struct skp_proxy_header *header, const unsigned char *bytes,
            size_t size)
{
  if (size < FIXED)
    return -EAGAIN;
  unsigned command = bytes[12], family = bytes[13] >> 4,
           protocol = bytes[13] & 15;
  size_t length = (size_t)bytes[14] << 8 | bytes[15];

  if (command >> 4 != 2 || (command & 15) > 1 || family >= KINDS
      || protocol > 2)
    return -EPROTO;
  bool local = (command & 15) == 0;
  if (!local && length < kinds[family].size)
    return -EPROTO;
  if (size < FIXED + length)
    return -EAGAIN;
  int err = local ? 0 : read_addresses (header, &kinds[family], bytes + FIXED);
  return err < 0 ? err : (ssize_t)(FIXED + length);
}

/* Do BYTES begin as BEGINNING, as far as both go?  */
static bool
begins (const void *bytes, size_t size, const void *beginning, size_t length)
{
  return memcmp (bytes, beginning, size < length ? size : length) == 0;
}

ssize_t
skp_proxy_header_read (struct skp_proxy_header *header, const void *bytes,
                       size_t size)
{
  struct skp_proxy_header found;
  ssize_t result = -EPROTO;
  memset (&found, 0, sizeof found);

  if (begins (bytes, size, signature, sizeof signature))
    {
      found.version = 2;
      result = read_bytes (&found, bytes, size);
    }
  else if (begins (bytes, size, opening, sizeof opening - 1))
    {
      found.version = 1;
      result = read_text (&found, bytes, size);
    }
  if (result >= 0)
    *header = found;
  return result;
}
