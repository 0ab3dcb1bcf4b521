/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Heads of responses: the status line, and what their fields mean.  */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sockport/http-head.h>

/* The result for TEXT, which must be the same wherever it is parted.  */
static ssize_t
parse (struct skp_http_head *head, const char *text, size_t limit)
{
  size_t size = strlen (text);
  skp_http_head_init_response (head, limit);
  ssize_t whole = skp_http_head_parse (head, text, size);
  for (size_t part = 0; part < size; part++)
    {
      struct skp_http_head again;
      char *first = malloc (part + 1);
      memcpy (first, text, part);
      skp_http_head_init_response (&again, limit);
      ssize_t n = skp_http_head_parse (&again, first, part);
      free (first);
      if (n == -EAGAIN)
        n = skp_http_head_parse (&again, text, size);
      assert_int_equal (n, whole);
      if (n > 0)
        {
          assert_int_equal (again.status, head->status);
          assert_int_equal (again.reason.at, head->reason.at);
          assert_int_equal (again.reason.size, head->reason.size);
        }
    }
  return whole;
}

static void
a_response_and_its_parts (void **state)
{
  (void)state;
  static const char text[]
      = "HTTP/1.1 404 Not  found \xe9\r\nContent-Length: 12\r\nHost: a b\r\n"
        "Connection: close\r\n\r\nbody";
  struct skp_http_head head;
  assert_int_equal (parse (&head, text, 4096), strlen (text) - 4);
  assert_int_equal (head.status, 404);
  assert_int_equal (head.minor, 1);
  assert_int_equal (head.count, 3);
  assert_int_equal (head.reason.size, 12);
  assert_memory_equal (text + head.reason.at, "Not  found \xe9", 12);
  assert_int_equal (head.flags, SKP_HTTP_LENGTH | SKP_HTTP_CLOSE);
  assert_int_equal (head.length, 12);
}

/* The status, or a negative error.  */
static const struct
{
  const char *text;
  int result;
} lines[] = {
  { "HTTP/1.1 200 OK\r\n\r\n", 200 },
  { "HTTP/1.1 200 \r\n\r\n", 200 },
  { "HTTP/1.1 200\r\n\r\n", 200 },
  { "HTTP/1.0 200 OK\n\n", 200 },
  { "\r\nHTTP/1.1 999 OK\r\n\r\n", 999 },
  { "HTTP/1.1 100 Continue\r\n\r\n", 100 },
  { "HTTP/1.1 099 OK\r\n\r\n", -EBADMSG },
  { "HTTP/1.1 20 OK\r\n\r\n", -EBADMSG },
  { "HTTP/1.1 2000 OK\r\n\r\n", -EBADMSG },
  { "HTTP/1.1  200 OK\r\n\r\n", -EBADMSG },
  { "HTTP/1.1\t200 OK\r\n\r\n", -EBADMSG },
  { "HTTP/1.1 200\tOK\r\n\r\n", -EBADMSG },
  { "HTTP/1.1 +20 OK\r\n\r\n", -EBADMSG },
  { "HTTP/1.1200 OK\r\n\r\n", -EBADMSG },
  { "HTTP/1.10 200 OK\r\n\r\n", -EBADMSG },
  { "http/1.1 200 OK\r\n\r\n", -EBADMSG },
  { "ICY 200 OK\r\n\r\n", -EBADMSG },
  { "HTTP/2.0 200 OK\r\n\r\n", -EPROTONOSUPPORT },
  { "HTTP/1.1 200 O\rK\r\n\r\n", -EBADMSG },
  { "HTTP/1.1 200 O\x01K\r\n\r\n", -EBADMSG },
  { "HTTP/1.1 200 OK\r\n X: a\r\n\r\n", -EBADMSG },
  { "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", -EBADMSG },
  { "HTTP/1.1 200 OK\r\nExpect: 100-continue\r\n\r\n", 200 },
  { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
    -EBADMSG },
  { "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n", -EBADMSG },
  { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n"
    "\r\n",
    -EBADMSG },
  { "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", -EBADMSG },
  { "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    -EOPNOTSUPP },
  { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200 },
  { "HTTP/1.1 200 OK\r\nX: a\r\n", -EAGAIN },
  { "HTTP/1.1 20", -EAGAIN },
  { "", -EAGAIN },
};

static void
status_lines (void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
    {
      struct skp_http_head head;
      ssize_t n = parse (&head, lines[i].text, 4096);
      int result = n > 0 ? (int)head.status : (int)n;
      if (n > 0)
        assert_int_equal (n, strlen (lines[i].text));
      if (result != lines[i].result)
        fail_msg ("%d, not %d: %s", result, lines[i].result, lines[i].text);
    }
}

static void
heads_that_are_too_large (void **state)
{
  (void)state;
  struct skp_http_head head;
  static const char text[] = "HTTP/1.1 200 OK\r\nX: a\r\n\r\n";
  assert_int_equal (parse (&head, text, strlen (text)), strlen (text));
  assert_int_equal (parse (&head, text, strlen (text) - 1), -E2BIG);
}

TESTS (TEST (a_response_and_its_parts), TEST (status_lines),
       TEST (heads_that_are_too_large));
