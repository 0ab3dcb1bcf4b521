/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The fields that decide where a message ends, whom it is for and what becomes
   of the connection (RFC 9112, 3.2, 6 and 9).  Each of them may be met once,
   unless it is a list; what two readers could understand in two ways is
   refused.  */

#include "http-framing.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* A part of a value.  */
struct text
{
  const unsigned char *bytes;
  size_t size;
};

static int
is (struct text text, const char *word)
{
  return text.size == strlen (word)
         && strncasecmp ((const char *)text.bytes, word, text.size) == 0;
}

static struct text
trim (struct text text)
{
  while (text.size > 0 && skp__http_blank (text.bytes[0]))
    {
      text.bytes++;
      text.size--;
    }
  while (text.size > 0 && skp__http_blank (text.bytes[text.size - 1]))
    text.size--;
  return text;
}

/* Take the next element, not an empty one, of the list REST into ITEM.  */
static int
next_item (struct text *rest, struct text *item)
{
  while (rest->size > 0)
    {
      const unsigned char *comma = memchr (rest->bytes, ',', rest->size);
      size_t size = comma ? (size_t)(comma - rest->bytes) : rest->size;
      *item = trim ((struct text){ rest->bytes, size });
      size += comma != NULL;
      rest->bytes += size;
      rest->size -= size;
      if (item->size > 0)
        return 1;
    }
  return 0;
}

static int
note_length (struct skp_http_head *head, struct text value)
{
  if (head->flags & SKP_HTTP_LENGTH || value.size == 0)
    return -EBADMSG;
  for (size_t i = 0; i < value.size; i++)
    {
      unsigned digit = value.bytes[i] - '0';
      /* Whoever adds to it shall not have to fear an overflow.  */
      if (digit > 9 || head->length > (INT64_MAX >> 1) / 10)
        return -EBADMSG;
      head->length = head->length * 10 + digit;
    }
  head->flags |= SKP_HTTP_LENGTH;
  return 0;
}

/* Chunked must come last, and once; what comes before it is not undone here. */
static int
note_coding (struct skp_http_head *head, struct text value)
{
  struct text item;
  int others = 0;
  if (head->flags & SKP_HTTP_CHUNKED)
    return -EBADMSG;
  while (next_item (&value, &item))
    {
      if (head->flags & SKP_HTTP_CHUNKED)
        return -EBADMSG;
      if (is (item, "chunked"))
        head->flags |= SKP_HTTP_CHUNKED;
      else
        others = 1;
    }
  if (!(head->flags & SKP_HTTP_CHUNKED))
    return -EBADMSG;
  return others ? -EOPNOTSUPP : 0;
}

static int
note_words (struct skp_http_head *head, struct text value)
{
  static const struct
  {
    const char *word;
    unsigned flag;
  } words[] = { { "close", SKP_HTTP_CLOSE },
                { "keep-alive", SKP_HTTP_KEEP_ALIVE },
                { "upgrade", SKP_HTTP_UPGRADE } };
  struct text item;
  while (next_item (&value, &item))
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
      if (is (item, words[i].word))
        head->flags |= words[i].flag;
  return 0;
}

static int
note_expect (struct skp_http_head *head, struct text value)
{
  struct text item;
  while (next_item (&value, &item))
    if (is (item, "100-continue"))
      head->flags |= SKP_HTTP_CONTINUE;
  return 0;
}

/* Letters, digits, and the other bytes of a name, an IPv4 address or, between
   brackets, an IPv6 one (RFC 3986, 3.2.2).  */
static int
host_bytes (struct text host, const char *others)
{
  for (size_t i = 0; i < host.size; i++)
    {
      unsigned char byte = host.bytes[i];
      unsigned char letter = byte | 0x20;
      if (!(byte >= '0' && byte <= '9') && !(letter >= 'a' && letter <= 'z')
          && (byte == 0 || !strchr (others, byte)))
        return 0;
    }
  return 1;
}

/* The size of the host that VALUE begins with, or -1.  */
static ssize_t
host_size (struct text value)
{
  if (value.size > 0 && value.bytes[0] == '[')
    {
      const unsigned char *end = memchr (value.bytes, ']', value.size);
      size_t size = end ? (size_t)(end - value.bytes) : 0;
      struct text inside = { value.bytes + 1, size - 1 };
      return size > 1 && host_bytes (inside, ":.%-_~") ? (ssize_t)size + 1 : -1;
    }
  const unsigned char *colon = memchr (value.bytes, ':', value.size);
  size_t size = colon ? (size_t)(colon - value.bytes) : value.size;
  struct text host = { value.bytes, size };
  return host_bytes (host, "-._~%!$&'()*+,;=") ? (ssize_t)size : -1;
}

/* Host [":" port]; the host is empty where the target has none.  */
static int
valid_host (struct text value, int port_needed)
{
  ssize_t size = host_size (value);
  if (size < 0)
    return 0;
  if ((size_t)size == value.size)
    return !port_needed;
  if (value.bytes[size] != ':' || value.size - (size_t)size > 6)
    return 0;
  unsigned long port = 0;
  for (size_t i = (size_t)size + 1; i < value.size; i++)
    {
      if (value.bytes[i] < '0' || value.bytes[i] > '9')
        return 0;
      port = port * 10 + (value.bytes[i] - '0');
    }
  return port <= UINT16_MAX && (size > 0 || value.size == 1);
}

static int
note_host (struct skp_http_head *head, struct text value)
{
  if (head->flags & SKP_HTTP_HOST || !valid_host (value, 0))
    return -EBADMSG;
  head->flags |= SKP_HTTP_HOST;
  return 0;
}

static const struct
{
  const char *name;
  int (*note) (struct skp_http_head *head, struct text value);
  int requests; /* only there it means something */
} names[] = { { "host", note_host, 1 },
              { "expect", note_expect, 1 },
              { "connection", note_words, 0 },
              { "content-length", note_length, 0 },
              { "transfer-encoding", note_coding, 0 } };

int
skp__http_note (struct skp_http_head *head, const unsigned char *bytes,
                const struct skp_http_field *field, int response)
{
  struct text name = { bytes + field->name.at, field->name.size };
  struct text value = { bytes + field->value.at, field->value.size };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (is (name, names[i].name))
      return response && names[i].requests ? 0 : names[i].note (head, value);
  return 0;
}

/* An absolute URI: a scheme, a colon, two slashes and a host.  */
static int
absolute (struct text target)
{
  const unsigned char *colon = memchr (target.bytes, ':', target.size);
  size_t size = colon ? (size_t)(colon - target.bytes) : 0;
  unsigned char first = target.bytes[0] | 0x20;
  if (size == 0 || first < 'a' || first > 'z'
      || !host_bytes ((struct text){ target.bytes, size }, "+-.")
      || target.size - size < 4 || memcmp (colon, "://", 3) != 0)
    return 0;
  struct text rest = { colon + 3, target.size - size - 3 };
  size_t end = 0;
  while (end < rest.size && !strchr ("/?", rest.bytes[end]))
    end++;
  struct text authority = { rest.bytes, end };
  return end > 0 && valid_host (authority, 0);
}

/* RFC 9112, 3.2.  */
static int
valid_target (struct text method, struct text target)
{
  int connect = method.size == 7 && memcmp (method.bytes, "CONNECT", 7) == 0;
  int options = method.size == 7 && memcmp (method.bytes, "OPTIONS", 7) == 0;
  if (target.size == 0)
    return 0;
  if (connect)
    return target.bytes[0] != ':' && valid_host (target, 1);
  if (target.bytes[0] == '/')
    return 1;
  if (target.bytes[0] == '*')
    return options && target.size == 1;
  return absolute (target);
}

int
skp__http_check (struct skp_http_head *head, const unsigned char *bytes,
                 int response)
{
  unsigned both = SKP_HTTP_LENGTH | SKP_HTTP_CHUNKED;
  if ((head->flags & both) == both
      || (head->minor == 0 && head->flags & SKP_HTTP_CHUNKED))
    return -EBADMSG;
  if (response)
    return 0;
  struct text method = { bytes + head->method.at, head->method.size };
  struct text target = { bytes + head->target.at, head->target.size };
  if ((head->minor > 0 && !(head->flags & SKP_HTTP_HOST))
      || !valid_target (method, target))
    return -EBADMSG;
  return 0;
}
