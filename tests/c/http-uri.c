/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sockport/http-uri.h>

/* TEXT without the NUL behind it.  */
static int
parse (struct skp_http_uri *uri, const char *text)
{
  size_t size = strlen (text);
  char *copy = malloc (size ? size : 1);
  memcpy (copy, text, size);
  int result = skp_http_uri_parse (uri, copy, size);
  free (copy);
  return result;
}

static void
assert_span (const char *text, struct skp_http_span span, const char *wanted)
{
  assert_int_equal (span.size, strlen (wanted));
  assert_memory_equal (text + span.at, wanted, span.size);
}

static void
parts (void **state)
{
  static const struct
  {
    const char *text;
    int secure;
    const char *host, *path, *query;
  } rows[] = {
    { "http://a", 0, "a", "", NULL },
    { "https://a/", 1, "a", "/", NULL },
    { "http://www.example.org/a/b.html", 0, "www.example.org", "/a/b.html",
      NULL },
    { "https://a.b/p?q=r&s=%20?", 1, "a.b", "/p", "q=r&s=%20?" },
    { "http://a/?", 0, "a", "/", "" },
    { "http://1a-2/~x_!$&'()*+,;=:@/", 0, "1a-2", "/~x_!$&'()*+,;=:@/", NULL },
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    {
      struct skp_http_uri uri;
      assert_int_equal (parse (&uri, rows[i].text), 0);
      assert_int_equal (uri.secure, rows[i].secure);
      assert_span (rows[i].text, uri.host, rows[i].host);
      assert_span (rows[i].text, uri.path, rows[i].path);
      assert_int_equal (uri.has_query, rows[i].query != NULL);
      assert_span (rows[i].text, uri.query, rows[i].query ? rows[i].query : "");
    }
}

static void
others (void **state)
{
  static const char *const texts[]
      = { "",           "http://",       "https://",    "http:/a",
          "HTTP://a",   "ftp://a/",      "http:///p",   "http://1.2.3.4/",
          "http://-",   "http://a:80",   "http://u@a/", "http://[::1]/",
          "/p",         "http://a?q",    "http://a#f",  "http://a/#f",
          "http://a/ ", "http://a/\x80", "http://a/\"", "http://a_b/" };
  (void)state;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    {
      struct skp_http_uri uri;
      assert_int_equal (parse (&uri, texts[i]), -EOPNOTSUPP);
    }
}

static void
zero_bytes (void **state)
{
  static const char *const texts[]
      = { "http://\0", "http://a\0", "http://a/\0" };
  (void)state;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    {
      struct skp_http_uri uri;
      assert_int_equal (
          skp_http_uri_parse (&uri, texts[i], strlen (texts[i]) + 1),
          -EOPNOTSUPP);
    }
}

/* Places in it are kept in 32 bits; not a byte of it is looked at.  */
static void
too_long (void **state)
{
  struct skp_http_uri uri;
  (void)state;
#if SIZE_MAX > UINT32_MAX
  assert_int_equal (
      skp_http_uri_parse (&uri, "http://a/", (size_t)UINT32_MAX + 1),
      -EOPNOTSUPP);
#else
  (void)uri;
#endif
}

TESTS (TEST (parts), TEST (others), TEST (zero_bytes), TEST (too_long));
