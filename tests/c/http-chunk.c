/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sockport/http-chunk.h>

/* Decode TEXT in pieces of STEP bytes into DATA; how many bytes were used up to
   the end of the last chunk, -EAGAIN without one, or -EBADMSG.  */
static ssize_t
decode (const char *text, size_t step, char *data)
{
  struct skp_http_chunk chunk = { .state = 0 };
  size_t size = strlen (text), at = 0;
  *data = 0;
  while (at < size)
    {
      size_t come = size - at < step ? size - at : step, used;
      char *copy = malloc (come);
      memcpy (copy, text + at, come);
      ssize_t n = skp_http_chunk_next (&chunk, copy, come, &used);
      if (n > 0)
        strncat (data, copy + used, (size_t)n);
      free (copy);
      if (n < 0)
        return n;
      at += used + (size_t)n;
      if (skp_http_chunk_ended (&chunk))
        return (ssize_t)at;
    }
  return -EAGAIN;
}

static void
assert_decodes (const char *text, ssize_t result, const char *wanted)
{
  for (size_t step = 1; step <= strlen (text); step++)
    {
      char data[256];
      assert_int_equal (decode (text, step, data), result);
      if (wanted)
        assert_string_equal (data, wanted);
    }
}

static void
chunks (void **state)
{
  (void)state;
  assert_decodes ("3\r\nabc\r\n5;x=y\r\ndefgh\r\n0\r\n\r\nGET", 24 + 1,
                  "abcdefgh");
  assert_decodes ("0\r\n", 3, "");
  assert_decodes ("000\r\n", 5, "");
  assert_decodes ("0A;a=\"\t\xe9\";b\r\n0123456789\r\n00;z\r\n", 31,
                  "0123456789");
  assert_decodes ("2\r\n\r\n\r\n0\r\n", 10, "\r\n");
  assert_decodes ("3\r\nab", -EAGAIN, "ab");
  assert_decodes ("fffffffffffffff\r\nab", -EAGAIN, "ab");
}

static void
no_chunks (void **state)
{
  (void)state;
  static const char *const wrong[] = { "\r\n",
                                       ";x\r\n",
                                       "g\r\n",
                                       "-1\r\n",
                                       "+1\r\n",
                                       "0x1\r\n",
                                       " 1\r\n",
                                       "1 \r\n",
                                       "1\t;x\r\n",
                                       "1\n",
                                       "1;x\n",
                                       "1\ra",
                                       "1\r\r\n",
                                       "1;\x01\r\n",
                                       "1;\x7f\r\n",
                                       "1;\ra\r\n",
                                       "1\r\naa",
                                       "1\r\na\n",
                                       "1\r\na\ra",
                                       "1\r\na\r\n\r\n",
                                       "0000000000000001\r\n",
                                       "ffffffffffffffff\r\n",
                                       "1\r\na0\r\n" };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    assert_decodes (wrong[i], -EBADMSG, NULL);
}

static void
extensions_have_a_limit (void **state)
{
  (void)state;
  struct skp_http_chunk chunk = { .state = 0 };
  static char text[SKP_HTTP_EXTENSIONS + 16];
  size_t used;
  memset (text, 'x', sizeof text);
  memcpy (text, "1;", 2);
  memcpy (text + 2 + SKP_HTTP_EXTENSIONS, "\r\na\r\n", 5);
  assert_int_equal (
      skp_http_chunk_next (&chunk, text, 2 + SKP_HTTP_EXTENSIONS + 5, &used),
      1);
  assert_int_equal (used, 2 + SKP_HTTP_EXTENSIONS + 2);
  assert_int_equal (skp_http_chunk_next (&chunk, "\r\n1;x\r\n", 8, &used),
                    -EBADMSG);
}

TESTS (TEST (chunks), TEST (no_chunks), TEST (extensions_have_a_limit));
