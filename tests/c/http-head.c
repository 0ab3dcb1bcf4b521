/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sockport/http-head.h>

/* The result for TEXT, which must be the same when it comes whole, in two
   parts, and byte by byte.  */
static ssize_t
parse_bytes (struct skp_http_head *head, const char *text, size_t size)
{
  skp_http_head_init (head, 4096, 1024);
  ssize_t whole = skp_http_head_parse (head, text, size);
  for (size_t step = 1; step <= size; step += step < 8 ? 1 : step)
    {
      struct skp_http_head again;
      ssize_t n = -EAGAIN;
      skp_http_head_init (&again, 4096, 1024);
      for (size_t i = step; n == -EAGAIN && i < size + step; i += step)
        {
          /* Nothing behind what has come may be looked at.  */
          size_t come = i < size ? i : size;
          char *copy = malloc (come);
          memcpy (copy, text, come);
          n = skp_http_head_parse (&again, copy, come);
          free (copy);
        }
      assert_int_equal (n, whole);
      if (n > 0)
        {
          assert_int_equal (again.count, head->count);
          assert_int_equal (again.flags, head->flags);
          assert_memory_equal (again.field, head->field,
                               head->count * sizeof *head->field);
        }
    }
  return whole;
}

static ssize_t
parse (struct skp_http_head *head, const char *text)
{
  return parse_bytes (head, text, strlen (text));
}

static void
assert_span (const char *text, struct skp_http_span span, const char *wanted)
{
  assert_int_equal (span.size, strlen (wanted));
  assert_memory_equal (text + span.at, wanted, span.size);
}

static void
a_request_and_its_parts (void **state)
{
  (void)state;
  static const char text[]
      = "\r\nPOST /a?b=c HTTP/1.1\r\nHost: example.org:80\r\n"
        "X-Empty:\r\nContent-Length:\t12 \t\r\nA:b  c\xff\r\n\r\nbody";
  struct skp_http_head head;
  assert_int_equal (parse (&head, text), strlen (text) - 4);
  assert_span (text, head.method, "POST");
  assert_span (text, head.target, "/a?b=c");
  assert_int_equal (head.minor, 1);
  assert_int_equal (head.count, 4);
  assert_span (text, head.field[0].name, "Host");
  assert_span (text, head.field[0].value, "example.org:80");
  assert_span (text, head.field[1].name, "X-Empty");
  assert_span (text, head.field[1].value, "");
  assert_span (text, head.field[2].value, "12");
  assert_span (text, head.field[3].value, "b  c\xff");
  assert_int_equal (head.flags, SKP_HTTP_HOST | SKP_HTTP_LENGTH);
  assert_int_equal (head.length, 12);
}

/* A line, the fields after it, and what becomes of it: the result, or if that
   is positive the flags.  */
struct request
{
  const char *line, *fields;
  int result;
};

#define HOST "Host: a\r\n"
#define GET "GET / HTTP/1.1"
#define POST "POST / HTTP/1.1"
enum
{
  CHUNKED = SKP_HTTP_CHUNKED,
  LENGTH = SKP_HTTP_LENGTH,
  CLOSE = SKP_HTTP_CLOSE,
  KEEP = SKP_HTTP_KEEP_ALIVE,
  CONTINUE = SKP_HTTP_CONTINUE,
  UPGRADE = SKP_HTTP_UPGRADE,
  NONE = 0,
  BAD = -EBADMSG,
};

static void
try_requests (const struct request *requests, size_t count)
{
  for (size_t i = 0; i < count; i++)
    {
      const struct request *r = &requests[i];
      struct skp_http_head head;
      char text[4096];
      snprintf (text, sizeof text, "%s\r\n%s\r\n", r->line, r->fields);
      ssize_t n = parse (&head, text);
      int result
          = n > 0 ? (int)(head.flags & ~(unsigned)SKP_HTTP_HOST) : (int)n;
      if (n > 0)
        assert_int_equal (n, strlen (text));
      if (result != r->result)
        fail_msg ("%d, not %d: %s", result, r->result, text);
    }
}

#define TRY(...)                                                               \
  static const struct request requests[] = { __VA_ARGS__ };                    \
  (void)state;                                                                 \
  try_requests (requests, sizeof requests / sizeof *requests)

static void
framing (void **state)
{
  TRY (
      { POST, HOST "Content-Length: 5\r\n", LENGTH },
      { POST, HOST "content-LENGTH: 005\r\n", LENGTH },
      { POST, HOST "Content-Length: 5\r\nContent-Length: 5\r\n", BAD },
      { POST, HOST "Content-Length: 5, 5\r\n", BAD },
      { POST, HOST "Content-Length: 5\r\nContent-Length: 6\r\n", BAD },
      { POST, HOST "Content-Length: +5\r\n", BAD },
      { POST, HOST "Content-Length: -5\r\n", BAD },
      { POST, HOST "Content-Length: 0x5\r\n", BAD },
      { POST, HOST "Content-Length: 5 5\r\n", BAD },
      { POST, HOST "Content-Length: \r\n", BAD },
      { POST, HOST "Content-Length: 99999999999999999999\r\n", BAD },
      { POST, HOST "Content-Length: 18446744073709551621\r\n", BAD },
      { POST, HOST "Content-Length : 40\r\n", BAD },
      { POST, HOST "Content-Length\t: 40\r\n", BAD },
      { POST, HOST "Transfer-Encoding: chunked\r\n", CHUNKED },
      { POST, HOST "Transfer-Encoding: Chunked\r\n", CHUNKED },
      { POST, HOST "Transfer-Encoding: , chunked ,\r\n", CHUNKED },
      { POST, HOST "Transfer-Encoding: gzip, chunked\r\n", -EOPNOTSUPP },
      { POST, HOST "Transfer-Encoding: gzip\r\n", BAD },
      { POST, HOST "Transfer-Encoding: chunked, gzip\r\n", BAD },
      { POST, HOST "Transfer-Encoding: chunked, chunked\r\n", BAD },
      { POST, HOST "Transfer-Encoding: chunked;q=1\r\n", BAD },
      { POST, HOST "Transfer-Encoding: xchunked\r\n", BAD },
      { POST, HOST "Transfer-Encoding: \"chunked\"\r\n", BAD },
      { POST, HOST "Transfer-Encoding: identity\r\n", BAD },
      { POST, HOST "Transfer-Encoding:\r\n", BAD },
      { POST, HOST "Transfer-Encoding: \vchunked\r\n", BAD },
      { POST,
        HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        BAD },
      { POST,
        HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        BAD },
      { POST, HOST "Transfer-Encoding : chunked\r\n", BAD },
      { POST, HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", BAD },
      { POST, HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", BAD },
      { "POST / HTTP/1.0", "Transfer-Encoding: chunked\r\n", BAD },
      { "POST / HTTP/1.0", "Content-Length: 5\r\n", LENGTH });
}

static void
connections_and_expectations (void **state)
{
  TRY (
      { GET, HOST "Connection: close\r\n", CLOSE },
      { GET, HOST "Connection: Close\r\n", CLOSE },
      { GET, HOST "Connection: keep-alive\r\nConnection: close\r\n",
        CLOSE | KEEP },
      { GET, HOST "Connection: x,, keep-alive\t, Upgrade\r\n", KEEP | UPGRADE },
      { GET, HOST "Connection: closed\r\n", NONE },
      { POST, HOST "Expect: 100-Continue\r\n", CONTINUE },
      { POST, HOST "Expect: x, 100-continue\r\n", CONTINUE },
      { POST, HOST "Expect: 200-ok\r\n", NONE });
}

static void
hosts (void **state)
{
  TRY ({ GET, "", BAD }, { "GET / HTTP/1.0", "", NONE },
       { GET, HOST HOST, BAD }, { "GET / HTTP/1.0", HOST HOST, BAD },
       { "OPTIONS * HTTP/1.1", "", BAD }, { "OPTIONS * HTTP/1.1", HOST, NONE },
       { GET, "Host:\r\n", NONE }, { GET, "Host: a:\r\n", NONE },
       { GET, "Host: a:8080\r\n", NONE }, { GET, "Host: [::1]:80\r\n", NONE },
       { GET, "Host: [::1]\r\n", NONE }, { GET, "Host: a%20b_~!\r\n", NONE },
       { GET, "Host: a b\r\n", BAD }, { GET, "Host: a/b\r\n", BAD },
       { GET, "Host: a@b\r\n", BAD }, { GET, "Host: a?b\r\n", BAD },
       { GET, "Host: a#b\r\n", BAD }, { GET, "Host: [::1\r\n", BAD },
       { GET, "Host: []\r\n", BAD }, { GET, "Host: ::1\r\n", BAD },
       { GET, "Host: a:b\r\n", BAD }, { GET, "Host: a:80:80\r\n", BAD },
       { GET, "Host: a:65536\r\n", BAD }, { GET, "Host: :80\r\n", BAD },
       { GET, "Host: [::1]a\r\n", BAD }, { GET, "Host: a\"\r\n", BAD },
       { GET, "Host: a, b\r\n", BAD });
}

static void
lines_and_names (void **state)
{
  TRY ({ GET, HOST "X: a\r\n b\r\n", BAD },
       { GET, HOST "X: a\r\n\tb\r\n", BAD }, { GET, " X: a\r\n" HOST, BAD },
       { GET, "\tX: a\r\n" HOST, BAD }, { GET, HOST ": a\r\n", BAD },
       { GET, HOST "X Y: a\r\n", BAD }, { GET, HOST "X(: a\r\n", BAD },
       { GET, HOST "X\xe9: a\r\n", BAD }, { GET, HOST "nonsense\r\n", BAD },
       { GET, HOST "X: a\rb\r\n", BAD }, { GET, HOST "X: a\x01\r\n", BAD },
       { GET, HOST "X: a\x7f\r\n", BAD }, { GET, HOST "X: a\r\r\n", BAD },
       { GET, HOST "X\r\n: a\r\n", BAD },
       { GET, HOST "X: \ta\tb\xc3\xa9\r\n", NONE },
       { GET, HOST "X:a\nY:b\r\n", NONE });
}

/* Lines may end with LF alone (RFC 9112, 2.2), but CR comes before LF only.  */
static void
ends_of_lines (void **state)
{
  (void)state;
  static const struct
  {
    const char *text;
    ssize_t result;
  } rows[] = {
    { "GET / HTTP/1.0\n\n", 16 },
    { "GET / HTTP/1.0\n\r\n", 17 },
    { "GET / HTTP/2.0\n\n", -EPROTONOSUPPORT },
    { "GET / HTTP/1.0\n\rX", BAD },
    { "GET / HTTP/1.0\r\n\r\r\n", BAD },
    { "GET / HTTP/1.0\rX", BAD },
    { "GET / HTTP/1.0\r\nA: b\rX", BAD },
  };
  struct skp_http_head head;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_int_equal (parse (&head, rows[i].text), rows[i].result);
}

static void
request_lines (void **state)
{
  TRY (
      { "get / HTTP/1.1", HOST, NONE }, { "MY-METHOD! / HTTP/1.1", HOST, NONE },
      { "GET / HTTP/1.2", HOST, NONE }, { "GET / HTTP/1.9", HOST, NONE },
      { "GET / HTTP/2.0", HOST, -EPROTONOSUPPORT },
      { "GET / HTTP/0.9", HOST, -EPROTONOSUPPORT },
      { "PRI * HTTP/2.0", "", -EPROTONOSUPPORT },
      { "GET / HTTP/1.10", HOST, BAD }, { "GET / HTTP/1", HOST, BAD },
      { "GET / http/1.1", HOST, BAD }, { "GET / HTTP/1.1 ", HOST, BAD },
      { "GET / HTTP/11", HOST, BAD }, { "GET / ", HOST, BAD },
      { "GET /", HOST, BAD }, { "GET", HOST, BAD },
      { " GET / HTTP/1.1", HOST, BAD }, { "GET  / HTTP/1.1", HOST, BAD },
      { "GET\t/ HTTP/1.1", HOST, BAD }, { "GET /  HTTP/1.1", HOST, BAD },
      { "GET / HTTP/1.1\t", HOST, BAD }, { "G@T / HTTP/1.1", HOST, BAD },
      { "GET /a b HTTP/1.1", HOST, BAD }, { "GET /\x01 HTTP/1.1", HOST, BAD },
      { "GET /\xc3\xa9 HTTP/1.1", HOST, BAD },
      { "GET /a#b HTTP/1.1", HOST, BAD }, { "GET //a HTTP/1.1", HOST, NONE },
      { "GET /{\"|\"}? HTTP/1.1", HOST, NONE }, { "GET a HTTP/1.1", HOST, BAD },
      { "GET * HTTP/1.1", HOST, BAD }, { "GET ?a HTTP/1.1", HOST, BAD },
      { "GET http://a/b HTTP/1.1", HOST, NONE },
      { "GET http://a HTTP/1.1", HOST, NONE },
      { "GET http://a:80?b HTTP/1.1", HOST, NONE },
      { "GET http:/a HTTP/1.1", HOST, BAD },
      { "GET http:// HTTP/1.1", HOST, BAD },
      { "GET http://a@b/ HTTP/1.1", HOST, BAD },
      { "GET 1tp://a/ HTTP/1.1", HOST, BAD },
      { "GET http:///a HTTP/1.1", HOST, BAD },
      { "CONNECT a:443 HTTP/1.1", HOST, NONE },
      { "CONNECT a HTTP/1.1", HOST, BAD }, { "CONNECT /a HTTP/1.1", HOST, BAD },
      { "CONNECT :443 HTTP/1.1", HOST, BAD },
      { "OPTIONS *a HTTP/1.1", HOST, BAD });
}

static void
bytes_that_strings_lack (void **state)
{
  (void)state;
  struct skp_http_head head;
  static const char in_value[] = GET "\r\n" HOST "X: a\0b\r\n\r\n";
  static const char in_name[] = GET "\r\n" HOST "X\0: a\r\n\r\n";
  static const char in_target[] = "GET /\0 HTTP/1.1\r\n" HOST "\r\n";
  static const char bare[] = "\rGET / HTTP/1.1\r\n" HOST "\r\n";
  static const char lines[] = "\n\nGET / HTTP/1.1\nHost: a\n\n";
  assert_int_equal (parse_bytes (&head, in_value, sizeof in_value - 1), BAD);
  assert_int_equal (parse_bytes (&head, in_name, sizeof in_name - 1), BAD);
  assert_int_equal (parse_bytes (&head, in_target, sizeof in_target - 1), BAD);
  assert_int_equal (parse (&head, bare), BAD);
  assert_int_equal (parse (&head, lines), strlen (lines));
  assert_int_equal (parse (&head, ""), -EAGAIN);
  assert_int_equal (parse (&head, "\r\n"), -EAGAIN);
  assert_int_equal (parse (&head, GET "\r\nHost: a\r\n"), -EAGAIN);
}

static void
limits (void **state)
{
  (void)state;
  struct skp_http_head head;
  char text[8192];
  size_t start = (size_t)snprintf (text, sizeof text, GET "\r\n" HOST "X: ");
  size_t padding = 4096 - start - 4;
  memset (text + start, 'x', padding);
  memcpy (text + start + padding, "\r\n\r\n", 5);
  assert_int_equal (parse (&head, text), 4096);
  memcpy (text + start + padding, "x\r\n\r\n", 6);
  assert_int_equal (parse (&head, text), -E2BIG);
  text[4096] = 0;
  assert_int_equal (parse (&head, text), -EAGAIN);

  /* Blank lines count.  */
  memset (text, '\n', 4097);
  assert_int_equal (parse_bytes (&head, text, 4096), -EAGAIN);
  assert_int_equal (parse_bytes (&head, text, 4097), -E2BIG);

  memcpy (text, "GET /", 5);
  memset (text + 5, 'x', 1023);
  strcpy (text + 5 + 1023, " HTTP/1.1\r\n" HOST "\r\n");
  assert_true (parse (&head, text) > 0);
  strcpy (text + 5 + 1023, "x HTTP/1.1\r\n" HOST "\r\n");
  assert_int_equal (parse (&head, text), -ENAMETOOLONG);
  text[5 + 1024] = 0;
  assert_int_equal (parse (&head, text), -ENAMETOOLONG);

  size_t at = (size_t)snprintf (text, sizeof text, GET "\r\n" HOST);
  for (int i = 1; i < SKP_HTTP_FIELDS; i++)
    at += (size_t)snprintf (text + at, sizeof text - at, "X: a\r\n");
  strcpy (text + at, "\r\n");
  assert_int_equal (parse (&head, text), at + 2);
  assert_int_equal (head.count, SKP_HTTP_FIELDS);
  strcpy (text + at, "X: a\r\n\r\n");
  assert_int_equal (parse (&head, text), -E2BIG);
}

static void
trailers (void **state)
{
  (void)state;
  struct skp_http_head head;
  skp_http_head_init_trailers (&head, 64);
  assert_int_equal (skp_http_head_parse (&head, "\r\n", 2), 2);
  assert_int_equal (head.count, 0);
  skp_http_head_init_trailers (&head, 64);
  static const char text[] = "Digest: x\r\nContent-Length: 5\r\n\r\n";
  assert_int_equal (skp_http_head_parse (&head, text, 20), -EAGAIN);
  assert_int_equal (skp_http_head_parse (&head, text, strlen (text)),
                    strlen (text));
  assert_int_equal (head.count, 2);
  assert_int_equal (head.flags, 0);
  assert_span (text, head.field[0].name, "Digest");
  skp_http_head_init_trailers (&head, 64);
  assert_int_equal (skp_http_head_parse (&head, " x\r\n", 4), -EBADMSG);
  skp_http_head_init_trailers (&head, 8);
  assert_int_equal (skp_http_head_parse (&head, text, strlen (text)), -E2BIG);
}

TESTS (TEST (a_request_and_its_parts), TEST (framing),
       TEST (connections_and_expectations), TEST (hosts),
       TEST (lines_and_names), TEST (request_lines), TEST (ends_of_lines),
       TEST (bytes_that_strings_lack), TEST (limits), TEST (trailers));
