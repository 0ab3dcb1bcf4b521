/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Absolute URIs of http and https as they are in most requests, in Referer.
   Others are understood by Scheme.  */

#include "http.h"

#include <string.h>

/* The fields of <uri>, as (sockport serve http-record) makes it.  */
enum field
{
  URI_SCHEME,
  URI_USERINFO,
  URI_HOST,
  URI_PORT,
  URI_PATH,
  URI_QUERY,
  URI_FRAGMENT,
  URI_FIELDS
};

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

/* The size of the host at TEXT, 0 if it needs a closer look.  */
static size_t
host_size (const char *text, size_t size)
{
  size_t i = 0;
  int named = 0;
  for (; i < size && plain (text[i]); i++)
    named |= letter (text[i]);
  return named && (i == size || text[i] == '/') ? i : 0;
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

/* As LIKE, of the host between HOST and PATH, and so on to END; QUERY is NULL
   or where the question mark is.  */
static SCM
make_uri (SCM like, SCM scheme, const char *host, const char *path,
          const char *query, const char *end)
{
  scm_t_bits field[URI_FIELDS];
  for (size_t i = 0; i < URI_FIELDS; i++)
    field[i] = SCM_UNPACK (SCM_BOOL_F);
  field[URI_SCHEME] = SCM_UNPACK (scheme);
  field[URI_HOST]
      = SCM_UNPACK (scm_from_latin1_stringn (host, (size_t)(path - host)));
  field[URI_PATH] = SCM_UNPACK (
      scm_from_latin1_stringn (path, (size_t)((query ? query : end) - path)));
  if (query)
    field[URI_QUERY] = SCM_UNPACK (
        scm_from_latin1_stringn (query + 1, (size_t)(end - query - 1)));
  return scm_c_make_structv (SCM_STRUCT_VTABLE (like), 0, URI_FIELDS, field);
}

SCM
scm_skp__http_uri (SCM like, const char *text, size_t size)
{
  static const char *const starts[] = { "http://", "https://" };
  static SCM schemes[2];
  for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
    {
      size_t start = strlen (starts[i]);
      if (size <= start || memcmp (text, starts[i], start) != 0)
        continue;
      const char *host = text + start, *end = text + size;
      const char *path = host + host_size (host, size - start);
      if (path == host || !path_and_query (path, (size_t)(end - path)))
        return SCM_UNDEFINED;
      const char *query = memchr (path, '?', (size_t)(end - path));
      /* Whichever thread comes first, it is the same symbol.  */
      if (!SCM_UNPACK (schemes[i]))
        schemes[i] = scm_permanent_object (
            scm_from_latin1_symboln (starts[i], start - 3));
      return make_uri (like, schemes[i], host, path, query, end);
    }
  return SCM_UNDEFINED;
}
