/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sockport/websocket.h>

#define LIMIT 1000

static const unsigned char mask[] = { 0x37, 0xfa, 0x21, 0x3d };

/* A frame of SIZE bytes in OUT, masked; its size.  */
static size_t
put (unsigned char *out, int opcode, const void *bytes, size_t size)
{
  size_t head = (size_t)skp_websocket_head (out, opcode, size, mask);
  skp_websocket_mask (out + head, bytes, size, mask, 0);
  return head + size;
}

/* What a server's reader says at last of SIZE bytes; *EVENT is the last.  */
static int
read_all (const void *bytes, size_t size, struct skp_websocket_event *event)
{
  static struct skp_websocket reader;
  static unsigned char copy[1 << 18];
  size_t at = 0;
  int result = 0;
  memcpy (copy, bytes, size);
  skp_websocket_begin (&reader, 1, LIMIT);
  while (at < size)
    {
      result = skp_websocket_read (&reader, copy + at, size - at, event);
      if (result <= 0)
        break;
      at += event->used;
    }
  return result;
}

/* The result of one masked frame whose first byte is FIRST.  */
static int
one (unsigned first, const void *bytes, size_t size)
{
  unsigned char frame[256];
  struct skp_websocket_event event;
  size_t length = put (frame, 0, bytes, size);
  frame[0] = (unsigned char)first;
  return read_all (frame, length, &event);
}

/* RFC 6455, 5.7.  */
static void
the_examples_of_the_standard (void **state)
{
  (void)state;
  static const unsigned char hello[]
      = { 0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58 };
  struct skp_websocket_event event;
  assert_int_equal (read_all (hello, sizeof hello, &event), SKP_WEBSOCKET_TEXT);
  assert_int_equal (event.used, sizeof hello);
  assert_int_equal (event.length, 5);
  assert_memory_equal (event.bytes, "Hello", 5);
  assert_true (event.final);

  unsigned char head[SKP_WEBSOCKET_HEAD];
  assert_int_equal (skp_websocket_head (head, SKP_WEBSOCKET_PING, 5, NULL), 2);
  assert_memory_equal (head, "\x89\x05", 2);
  assert_int_equal (skp_websocket_head (head, SKP_WEBSOCKET_BINARY, 256, NULL),
                    4);
  assert_memory_equal (head, "\x82\x7e\x01\x00", 4);
  assert_int_equal (
      skp_websocket_head (head, SKP_WEBSOCKET_BINARY, 65536, NULL), 10);
  assert_memory_equal (head, "\x82\x7f\0\0\0\0\0\1\0\0", 10);
  assert_int_equal (skp_websocket_head (
                        head, SKP_WEBSOCKET_TEXT | SKP_WEBSOCKET_MORE, 3, mask),
                    6);
  assert_memory_equal (head, "\x01\x83\x37\xfa\x21\x3d", 6);
}

/* RFC 6455, 1.3.  */
static void
the_handshake (void **state)
{
  (void)state;
  char accept[SKP_WEBSOCKET_ACCEPT], key[SKP_WEBSOCKET_KEY],
      other[SKP_WEBSOCKET_KEY];
  skp_websocket_accept (accept, "dGhlIHNhbXBsZSBub25jZQ==", 24);
  assert_string_equal (accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  assert_int_equal (skp_websocket_key (key), 0);
  assert_int_equal (skp_websocket_key (other), 0);
  assert_int_equal (strlen (key), 24);
  assert_string_equal (key + 22, "==");
  assert_string_not_equal (key, other);
  /* The padding of SHA-1 takes a block more from 20 bytes of key on (36 are
     appended), and two blocks from 28.  Values by sha1sum(1).  */
  skp_websocket_accept (accept, "aaaaaaaaaaaaaaaaaaaa", 20);
  assert_string_equal (accept, "dUYRM7bOMwDmbriNIPr11x+r3E0=");
  skp_websocket_accept (accept, "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", 28);
  assert_string_equal (accept, "xMWmCBqYJY4uXzUs8PNU1t+Pzro=");
}

static void
whatever_is_reserved_is_refused (void **state)
{
  (void)state;
  for (unsigned first = 0; first < 256; first++)
    {
      unsigned opcode = first & 0x0f;
      int good = !(first & 0x70)
                 && (opcode == 1 || opcode == 2
                     || (opcode >= 8 && opcode <= 10 && first & 0x80));
      assert_int_equal (one (first, "", 0), good && first & 0x80 ? (int)opcode
                                            : good               ? 0
                                                                 : -EPROTO);
    }
  assert_int_equal (one (0x89, "0123456789", 10), SKP_WEBSOCKET_PING);
}

static void
lengths_are_checked (void **state)
{
  (void)state;
  static const struct
  {
    const char *bytes;
    size_t size;
    int result;
  } rows[] = {
    { "\x82\x05zebra", 7, -EPROTO },                     /* not masked */
    { "\x89\xfe\x00\x7e", 2, -EPROTO },                  /* a long ping */
    { "\x82\xfe\x00\x7d....", 8, -EPROTO },              /* not shortest */
    { "\x82\xff\0\0\0\0\0\0\xff\xff....", 14, -EPROTO }, /* the same */
    { "\x82\xff\x80\0\0\0\0\1\0\0....", 14, -EPROTO },   /* 2^63 */
    { "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff....", 14, -EMSGSIZE },
    { "\x82\xfe\x03\xe9....", 8, -EMSGSIZE }, /* 1001 */
    { "\x82\xfe\x03\xe8....", 8, 0 },         /* 1000 */
  };
  struct skp_websocket_event event;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_int_equal (read_all (rows[i].bytes, rows[i].size, &event),
                      rows[i].result);
}

static void
fragments_have_an_order (void **state)
{
  (void)state;
  unsigned char frames[4096];
  struct skp_websocket_event event;
  size_t n = put (frames, SKP_WEBSOCKET_TEXT | SKP_WEBSOCKET_MORE, "ab", 2);
  n += put (frames + n, SKP_WEBSOCKET_PING, "p", 1);
  size_t ping = n;
  n += put (frames + n, SKP_WEBSOCKET_CONTINUATION, "cd", 2);
  assert_int_equal (read_all (frames, ping, &event), SKP_WEBSOCKET_PING);
  assert_memory_equal (event.bytes, "p", 1);
  assert_int_equal (read_all (frames, n, &event), SKP_WEBSOCKET_TEXT);
  assert_memory_equal (event.bytes, "cd", 2);
  assert_true (event.final);

  n = ping + put (frames + ping, SKP_WEBSOCKET_TEXT, "x", 1);
  assert_int_equal (read_all (frames, n, &event), -EPROTO);
  n = put (frames, SKP_WEBSOCKET_CONTINUATION, "x", 1);
  assert_int_equal (read_all (frames, n, &event), -EPROTO);
  n = put (frames, SKP_WEBSOCKET_TEXT, "x", 1);
  n += put (frames + n, SKP_WEBSOCKET_CONTINUATION, "x", 1);
  assert_int_equal (read_all (frames, n, &event), -EPROTO);

  static const char big[LIMIT] = "";
  n = put (frames, SKP_WEBSOCKET_BINARY | SKP_WEBSOCKET_MORE, big, LIMIT - 1);
  size_t before = n;
  n += put (frames + n, SKP_WEBSOCKET_CONTINUATION, big, 1);
  assert_int_equal (read_all (frames, n, &event), SKP_WEBSOCKET_BINARY);
  n = before + put (frames + before, SKP_WEBSOCKET_CONTINUATION, big, 2);
  assert_int_equal (read_all (frames, n, &event), -EMSGSIZE);
}

static void
close_codes (void **state)
{
  (void)state;
  for (int code = 0; code < 65536; code++)
    {
      unsigned char payload[]
          = { (unsigned char)(code >> 8), (unsigned char)code };
      int good = (code >= 1000 && code <= 1014 && code != 1004 && code != 1005
                  && code != 1006)
                 || (code >= 3000 && code < 5000);
      assert_int_equal (skp_websocket_close_code (code), good);
      assert_int_equal (one (0x88, payload, 2),
                        good ? SKP_WEBSOCKET_CLOSE : -EPROTO);
    }
  assert_int_equal (one (0x88, "", 0), SKP_WEBSOCKET_CLOSE);
  assert_int_equal (one (0x88, "\x03", 1), -EPROTO);
  assert_int_equal (one (0x88, "\x03\xe8why", 5), SKP_WEBSOCKET_CLOSE);
  assert_int_equal (one (0x88, "\x03\xe8\xce", 3), -EILSEQ);
  assert_int_equal (one (0x88, "\x03\xe8\xce\xba\x80", 5), -EILSEQ);
}

/* The encoding of every number up to 2^21, right or wrong: RFC 3629.  */
static void
text_is_utf_8 (void **state)
{
  (void)state;
  for (unsigned c = 0; c < 1u << 21; c += c < 0x12000 ? 1 : 127)
    {
      unsigned char b[4] = { (unsigned char)(0xf0 | c >> 18),
                             (unsigned char)(0x80 | (c >> 12 & 63)),
                             (unsigned char)(0x80 | (c >> 6 & 63)),
                             (unsigned char)(0x80 | (c & 63)) };
      assert_int_equal (one (0x81, b, 4), c >= 0x10000 && c < 0x110000
                                              ? SKP_WEBSOCKET_TEXT
                                              : -EILSEQ);
      if (c >= 0x10000)
        continue;
      b[1] = (unsigned char)(0xe0 | c >> 12);
      assert_int_equal (one (0x81, b + 1, 3),
                        c >= 0x800 && (c < 0xd800 || c > 0xdfff)
                            ? SKP_WEBSOCKET_TEXT
                            : -EILSEQ);
      assert_int_equal (one (0x81, b + 1, 2), -EILSEQ);
      b[2] = (unsigned char)(0xc0 | c >> 6);
      if (c < 0x800)
        assert_int_equal (one (0x81, b + 2, 2),
                          c >= 0x80 ? SKP_WEBSOCKET_TEXT : -EILSEQ);
    }
  assert_int_equal (one (0x82, "\xff\xfe", 2), SKP_WEBSOCKET_BINARY);
}

/* The first wrong byte is enough, whatever is still to come.  */
static void
wrong_text_is_known_at_once (void **state)
{
  (void)state;
  unsigned char frames[64];
  struct skp_websocket_event event;
  size_t n = put (frames, SKP_WEBSOCKET_TEXT, "abc\xf4\x90xxxxxxxx", 13);
  assert_int_equal (read_all (frames, n - 8, &event), -EILSEQ);
  assert_int_equal (read_all (frames, n - 9, &event), SKP_WEBSOCKET_TEXT);
  n = put (frames, SKP_WEBSOCKET_TEXT | SKP_WEBSOCKET_MORE, "\xce", 1);
  n += put (frames + n, SKP_WEBSOCKET_CONTINUATION, "\xba", 1);
  assert_int_equal (read_all (frames, n, &event), SKP_WEBSOCKET_TEXT);
}

static void
masks_at_any_place (void **state)
{
  (void)state;
  unsigned char in[200], out[200], back[200];
  for (size_t i = 0; i < sizeof in; i++)
    in[i] = (unsigned char)(i * 7);
  for (size_t from = 0; from < 9; from++)
    for (size_t size = 0; size < 100; size++)
      for (size_t offset = 0; offset < 4; offset++)
        {
          memset (out, 0xaa, sizeof out);
          skp_websocket_mask (out + from, in, size, mask, offset);
          for (size_t i = 0; i < size; i++)
            assert_int_equal (out[from + i], in[i] ^ mask[(i + offset) % 4]);
          assert_int_equal (out[from + size], 0xaa);
          memcpy (back, out, sizeof back);
          skp_websocket_mask (back + from, back + from, size, mask, offset);
          assert_memory_equal (back + from, in, size);
        }
  unsigned char first[4], second[4];
  assert_int_equal (skp_websocket_new_mask (first), 0);
  assert_int_equal (skp_websocket_new_mask (second), 0);
}

/* A server's frames, as a client reads them: never masked.  */
static void
a_client_reads_what_is_not_masked (void **state)
{
  (void)state;
  struct skp_websocket reader;
  struct skp_websocket_event event;
  char plain[] = "\x81\x02ok", masked[] = "\x81\x82....";
  skp_websocket_begin (&reader, 0, LIMIT);
  assert_int_equal (skp_websocket_read (&reader, plain, 4, &event),
                    SKP_WEBSOCKET_TEXT);
  assert_memory_equal (event.bytes, "ok", 2);
  skp_websocket_begin (&reader, 0, LIMIT);
  assert_int_equal (skp_websocket_read (&reader, masked, 6, &event), -EPROTO);
}

TESTS (TEST (the_examples_of_the_standard), TEST (the_handshake),
       TEST (whatever_is_reserved_is_refused), TEST (lengths_are_checked),
       TEST (fragments_have_an_order), TEST (close_codes), TEST (text_is_utf_8),
       TEST (wrong_text_is_known_at_once), TEST (masks_at_any_place),
       TEST (a_client_reads_what_is_not_masked));
