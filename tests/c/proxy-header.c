/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <errno.h>
#include <string.h>
#include <sockport/proxy-header.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(literal) literal, sizeof literal - 1

/* The addresses of the header, or what is wrong.  */
static const char *
read_text (const char *bytes, size_t size)
{
  static char text[2 * SKP_ADDRESS_TEXT];
  struct skp_proxy_header header;
  ssize_t n = skp_proxy_header_read (&header, bytes, size);
  if (n < 0)
    return n == -EAGAIN ? "more" : n == -EPROTO ? "wrong" : "?";
  assert_true ((size_t)n <= size);
  /* Each beginning is a beginning, and what follows does not matter.  */
  for (size_t part = 0; part < (size_t)n; part++)
    assert_int_equal (skp_proxy_header_read (&header, bytes, part), -EAGAIN);
  if (!header.source.length)
    return header.destination.length ? "?" : "unknown";
  int length = skp_address_format (&header.source, text, sizeof text);
  text[length] = ' ';
  skp_address_format (&header.destination, text + length + 1,
                      sizeof text - (size_t)length - 1);
  return text;
}

static void
lines (void **state)
{
  (void)state;
  static const char *const rows[][2] = {
    { "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nGET /",
      "192.0.2.1:56324 192.0.2.2:443" },
    { "PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n",
      "255.255.255.255:65535 0.0.0.0:0" },
    { "PROXY TCP6 2001:db8::1 ::ffff:192.0.2.2 1 2\r\n",
      "[2001:db8::1]:1 [::ffff:192.0.2.2]:2" },
    { "PROXY UNKNOWN\r\n", "unknown" },
    { "PROXY UNKNOWN ffff::1 whatever\r\n", "unknown" },
    { "", "more" },
    { "PROXY TCP4 192.0.2.1", "more" },
    { "GET / HTTP/1.1\r\n", "wrong" },
    { "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "wrong" },
    { "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", "wrong" },
    { "PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "wrong" },
    { "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n", "wrong" },
    { "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n", "wrong" },
    { "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", "wrong" },
    { "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", "wrong" },
    { "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", "wrong" },
    { "PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n", "wrong" },
    { "PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n", "wrong" },
    { "PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n", "wrong" },
    { "PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n", "wrong" },
    { "PROXY TCP4 ::1 ::1 1 2\r\n", "wrong" },
    { "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", "wrong" },
    { "PROXY TCP6 fe80::1%lo fe80::2 1 2\r\n", "wrong" },
    { "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n", "wrong" },
    { "PROXY UNKNOWNS\r\n", "wrong" },
    { "PROXY \r\n", "wrong" },
    { "PROXY TCP4 192.0.2.1\r192.0.2.2 1 2\r\n", "wrong" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_string_equal (read_text (rows[i][0], strlen (rows[i][0])),
                         rows[i][1]);
  assert_string_equal (
      read_text (BYTES ("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n")), "wrong");
  char line[120] = "PROXY UNKNOWN ";
  memset (line + 14, 'x', sizeof line - 14);
  memcpy (line + 105, "\r\n", 2);
  assert_string_equal (read_text (line, sizeof line), "unknown");
  memcpy (line + 105, "x\r\n", 3);
  assert_string_equal (read_text (line, sizeof line), "wrong");
}

static void
bytes (void **state)
{
  (void)state;
  assert_string_equal (
      read_text (BYTES (SIGNATURE "\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\2"
                                  "\xdc\x04\x01\xbbGET /")),
      "192.0.2.1:56324 192.0.2.2:443");
  assert_string_equal (
      read_text (BYTES (SIGNATURE "\x21\x21\0\x24\x20\1\x0d\xb8\0\0\0\0\0\0\0\0"
                                  "\0\0\0\1\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0"
                                  "\2\0\1\0\2")),
      "[2001:db8::1]:1 [2001:db8::2]:2");
  /* What follows the addresses is skipped.  */
  assert_string_equal (
      read_text (BYTES (SIGNATURE "\x21\x11\0\x10\xc0\0\2\1\xc0\0\2\2\0\1\0\2"
                                  "\x04\0\1x")),
      "192.0.2.1:1 192.0.2.2:2");
  assert_string_equal (read_text (BYTES (SIGNATURE "\x20\0\0\0")), "unknown");
  assert_string_equal (read_text (BYTES (SIGNATURE "\x20\x11\0\3xyz")),
                       "unknown");
  assert_string_equal (read_text (BYTES (SIGNATURE "\x21\0\0\0")), "unknown");
  static const char *const wrong[]
      = { "\x11\x11\0\x0c", "\x22\x11\0\x0c", "\x21\x13\0\x0c",
          "\x21\x41\0\x0c", "\x21\x11\0\x0b", "\x21\x21\0\x23",
          "\x21\x31\0\xd7" };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    {
      char header[16 + 256] = SIGNATURE;
      memcpy (header + 12, wrong[i], 4);
      assert_string_equal (read_text (header, sizeof header), "wrong");
    }
  assert_string_equal (read_text (BYTES ("\r\n\r\n\0\r\nQUIX\n")), "wrong");
}

static void
names (void **state)
{
  (void)state;
  char header[16 + 216] = SIGNATURE "\x21\x31\0\xd8/run/one";
  strcpy (header + 16 + 108, "/run/two");
  assert_string_equal (read_text (header, sizeof header),
                       "unix:/run/one unix:/run/two");
  strcpy (header + 16, "");
  strcpy (header + 17, "abstract");
  assert_string_equal (read_text (header, sizeof header),
                       "unix:@abstract unix:/run/two");
  memset (header + 16, 0, 108);
  assert_string_equal (read_text (header, sizeof header),
                       "unix: unix:/run/two");
  memset (header + 16, 'x', 108);
  assert_non_null (strstr (read_text (header, sizeof header), "xxx unix:/run"));
}

TESTS (TEST (lines), TEST (bytes), TEST (names));
