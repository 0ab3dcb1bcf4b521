/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* URIs of http and https in one pass.  What is accepted here is read in the
   same way by everybody; all that leaves room for a question is left to others.
 */

#include <errno.h>
#include <string.h>
#include <sockport/http-uri.h>

static int
letter (char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int
plain (char c)
{
  return letter (c) || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

/* Where the host that begins at AT ends; AT if it needs a closer look.  */
static size_t
host_end (const char *text, size_t at, size_t size)
{
  size_t end = at;
  int named = 0;
  for (; end < size && plain (text[end]); end++)
    named |= letter (text[end]);
  return named && (end == size || text[end] == '/') ? end : at;
}

static int
path_and_query (const char *text, size_t size)
{
  for (size_t i = 0; i < size; i++)
    if (!plain (text[i])
        && (text[i] == '\0' || !strchr ("_~%!$&'()*+,;=:@/?", text[i])))
      return 0;
  return 1;
}

static struct skp_http_span
span (size_t at, size_t end)
{
  return (struct skp_http_span){ (uint32_t)at, (uint32_t)(end - at) };
}

/* The parts from the host on, which begins at HOST.  */
static int
parse_rest (struct skp_http_uri *uri, const char *text, size_t host,
            size_t size)
{
  size_t path = host_end (text, host, size);
  if (path == host || !path_and_query (text + path, size - path))
    return -EOPNOTSUPP;
  const char *mark = memchr (text + path, '?', size - path);
  size_t end = mark ? (size_t)(mark - text) : size;
  uri->host = span (host, path);
  uri->path = span (path, end);
  uri->has_query = mark != NULL;
  uri->query = mark ? span (end + 1, size) : span (size, size);
  return 0;
}

int
skp_http_uri_parse (struct skp_http_uri *uri, const void *text, size_t size)
{
  static const char *const starts[] = { "http://", "https://" };
  if (size > UINT32_MAX)
    return -EOPNOTSUPP;
  for (int i = 0; i < 2; i++)
    {
      size_t start = strlen (starts[i]);
      if (size <= start || memcmp (text, starts[i], start) != 0)
        continue;
      int err = parse_rest (uri, text, start, size);
      if (err == 0)
        uri->secure = i;
      return err;
    }
  return -EOPNOTSUPP;
}
