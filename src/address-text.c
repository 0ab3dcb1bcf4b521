/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Addresses as text and back, for messages, logs and command lines.  No names
   are looked up in a network here; an interface's name is the kernel's own.  */

#include <sockport/address.h>
#include <sockport/interface.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text
{
  char *at;
  size_t size, length;
};

__attribute__ ((format (printf, 2, 3))) static void
add (struct text *text, const char *format, ...)
{
  size_t room = text->length < text->size ? text->size - text->length : 0;
  va_list args;
  va_start (args, format);
  int n = vsnprintf (room ? text->at + text->length : NULL, room, format, args);
  va_end (args);
  text->length += n > 0 ? (size_t)n : 0;
}

static void
add_inet (struct text *text, const struct skp_part *parts)
{
  unsigned host = (unsigned)parts[0].number;
  add (text, "%u.%u.%u.%u:%u", host >> 24, host >> 16 & 255, host >> 8 & 255,
       host & 255, (unsigned)parts[1].number);
}

static void
add_inet6 (struct text *text, const struct skp_part *parts)
{
  char host[INET6_ADDRSTRLEN];
  inet_ntop (AF_INET6, parts[0].bytes, host, sizeof host);
  add (text, "[%s", host);
  if (parts[3].number)
    add (text, "%%%" PRIu64, parts[3].number);
  add (text, "]:%" PRIu64, parts[1].number);
}

static void
add_unix (struct text *text, const struct skp_part *parts)
{
  const unsigned char *name = parts[0].bytes;
  add (text, "unix:");
  for (size_t i = 0; i < parts[0].length; i++)
    if (i == 0 && name[0] == '\0')
      add (text, "@");
    else if (name[i] < ' ' || name[i] > '~' || name[i] == '\\'
             || (i == 0 && name[i] == '@'))
      add (text, "\\x%02x", name[i]);
    else
      add (text, "%c", name[i]);
}

static void
add_vsock (struct text *text, const struct skp_part *parts)
{
  add (text, "vsock:%" PRIu64 ":%" PRIu64, parts[0].number, parts[1].number);
}

static void
add_parts (struct text *text, int family, const struct skp_family *rules,
           const struct skp_part *parts)
{
  const char *colon = ":";
  add (text, "family %d", family);
  for (int i = 0; i < rules->count; i++, colon = "")
    if (rules->fields[i].kind <= SKP_FIELD_NETWORK)
      add (text, "%s %s %" PRIu64, colon, rules->fields[i].name,
           parts[i].number);
    else if (parts[i].length > 0)
      {
        add (text, "%s ", colon);
        for (size_t k = 0; k < parts[i].length; k++)
          add (text, "%02x", ((const unsigned char *)parts[i].bytes)[k]);
      }
}

int
skp_address_format (const struct skp_address *address, char *text, size_t size)
{
  static const struct
  {
    int family;
    void (*add) (struct text *, const struct skp_part *);
  } forms[] = { { AF_INET, add_inet },
                { AF_INET6, add_inet6 },
                { AF_UNIX, add_unix },
                { AF_VSOCK, add_vsock } };
  struct skp_part parts[SKP_ADDRESS_PARTS];
  const struct skp_family *rules = skp_address_decode (address, parts);
  struct text out = { text, size, 0 };
  size_t i = 0;

  while (i < sizeof forms / sizeof *forms && forms[i].family != rules->family)
    i++;
  if (i < sizeof forms / sizeof *forms)
    forms[i].add (&out, parts);
  else
    add_parts (&out, skp_address_number (address), rules, parts);
  return out.length < size ? (int)out.length : -ENOSPC;
}

/* A decimal number of at most MAX that ends where END stands, or -EINVAL.  */
static int64_t
number_parse (const char *text, const char *end, uint64_t max)
{
  uint64_t number = 0;
  if (text >= end)
    return -EINVAL;
  for (; text < end; text++)
    {
      if (!isdigit ((unsigned char)*text))
        return -EINVAL;
      number = number * 10 + (uint64_t)(*text - '0');
      if (number > max)
        return -EINVAL;
    }
  return (int64_t)number;
}

static int
parse_unix (struct skp_address *address, const char *text)
{
  char name[sizeof (struct sockaddr_storage)];
  size_t length = 0;

  for (; *text; text++)
    {
      unsigned byte = (unsigned char)*text;
      if (length == sizeof name)
        return -ENAMETOOLONG;
      if (byte == '@' && length == 0)
        byte = '\0';
      else if (byte == '\\')
        {
          if (text[1] != 'x' || !isxdigit ((unsigned char)text[2])
              || !isxdigit ((unsigned char)text[3]))
            return -EINVAL;
          byte = (unsigned)strtoul ((char[]){ text[2], text[3], 0 }, NULL, 16);
          text += 3;
        }
      name[length++] = (char)byte;
    }
  struct skp_part part = { .bytes = name, .length = length };
  return skp_address_encode (address, AF_UNIX, &part, 1);
}

static int
parse_vsock (struct skp_address *address, const char *text)
{
  const char *colon = strchr (text, ':');
  if (!colon)
    return -EINVAL;
  int64_t cid = number_parse (text, colon, UINT32_MAX);
  int64_t port = number_parse (colon + 1, text + strlen (text), UINT32_MAX);
  if (cid < 0 || port < 0)
    return -EINVAL;
  struct skp_part parts[2]
      = { { .number = (uint64_t)cid }, { .number = (uint64_t)port } };
  return skp_address_encode (address, AF_VSOCK, parts, 2);
}

/* The scope after the percent sign: a number, or the name of an interface.  */
static int64_t
scope_parse (const char *text)
{
  int64_t scope = number_parse (text, text + strlen (text), UINT32_MAX);
  if (scope >= 0)
    return scope;
  return skp_interface_index (text, strlen (text));
}

static int
parse_inet6 (struct skp_address *address, char *host, uint64_t port)
{
  unsigned char bytes[16];
  char *percent = strchr (host, '%');
  int64_t scope = 0;

  if (percent)
    {
      *percent = '\0';
      scope = scope_parse (percent + 1);
      if (scope < 0)
        return (int)scope;
    }
  if (inet_pton (AF_INET6, host, bytes) != 1)
    return -EINVAL;
  struct skp_part parts[4] = { { .bytes = bytes, .length = sizeof bytes },
                               { .number = port },
                               { .number = 0 },
                               { .number = (uint64_t)scope } };
  return skp_address_encode (address, AF_INET6, parts, 4);
}

static int
parse_inet (struct skp_address *address, const char *host, uint64_t port)
{
  struct in_addr bytes;
  if (inet_pton (AF_INET, host, &bytes) != 1)
    return -EINVAL;
  struct skp_part parts[2]
      = { { .number = ntohl (bytes.s_addr) }, { .number = port } };
  return skp_address_encode (address, AF_INET, parts, 2);
}

int
skp_address_parse (struct skp_address *address, const char *text)
{
  char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 3];
  const char *colon = strrchr (text, ':');

  if (strncmp (text, "unix:", 5) == 0)
    return parse_unix (address, text + 5);
  if (strncmp (text, "vsock:", 6) == 0)
    return parse_vsock (address, text + 6);
  if (!colon || (size_t)(colon - text) >= sizeof host)
    return -EINVAL;
  int64_t port = number_parse (colon + 1, colon + strlen (colon), UINT16_MAX);
  if (port < 0)
    return -EINVAL;
  size_t length = (size_t)(colon - text);
  memcpy (host, text, length);
  host[length] = '\0';
  if (host[0] != '[')
    return parse_inet (address, host, (uint64_t)port);
  if (host[length - 1] != ']')
    return -EINVAL;
  host[length - 1] = '\0';
  return parse_inet6 (address, host + 1, (uint64_t)port);
}

static int
host_size (int family)
{
  const struct skp_family *rules = skp_address_family (family);
  return rules->family == AF_INET || rules->family == AF_INET6
             ? rules->fields[0].size
             : -EAFNOSUPPORT;
}

int
skp_address_host_parse (int family, const char *text,
                        unsigned char bytes[SKP_HOST_BYTES])
{
  int size = host_size (family);
  unsigned char made[SKP_HOST_BYTES];
  if (size < 0)
    return size;
  if (inet_pton (family, text, made) != 1)
    return -EINVAL;
  memcpy (bytes, made, (size_t)size);
  return size;
}

int
skp_address_host_format (int family, const unsigned char *bytes,
                         char text[SKP_HOST_TEXT])
{
  int size = host_size (family);
  if (size < 0)
    return size;
  inet_ntop (family, bytes, text, SKP_HOST_TEXT);
  return (int)strlen (text);
}
