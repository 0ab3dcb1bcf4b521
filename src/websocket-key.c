/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The arithmetic of the opening handshake (RFC 6455, 4): SHA-1 (FIPS 180-4) of
   a short text, base64, and random keys.  SHA-1 protects nothing here; it shows
   that the server understood.  */

#include <sockport/websocket.h>

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define DIGEST 20
#define BLOCK 64

static uint32_t
turn (uint32_t word, int bits)
{
  return word << bits | word >> (32 - bits);
}

/* The function and the constant of round I.  */
static uint32_t
mix (int i, uint32_t b, uint32_t c, uint32_t d)
{
  if (i < 20)
    return ((b & c) | (~b & d)) + 0x5a827999u;
  if (i < 40)
    return (b ^ c ^ d) + 0x6ed9eba1u;
  if (i < 60)
    return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdcu;
  return (b ^ c ^ d) + 0xca62c1d6u;
}

static void
add_block (uint32_t hash[5], const unsigned char *block)
{
  uint32_t words[80], a = hash[0], b = hash[1], c = hash[2], d = hash[3],
                      e = hash[4];
  for (int i = 0; i < 16; i++)
    words[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16
               | (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
  for (int i = 16; i < 80; i++)
    words[i]
        = turn (words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
  for (int i = 0; i < 80; i++)
    {
      uint32_t next = turn (a, 5) + mix (i, b, c, d) + e + words[i];
      e = d;
      d = c;
      c = turn (b, 30);
      b = a;
      a = next;
    }
  hash[0] += a;
  hash[1] += b;
  hash[2] += c;
  hash[3] += d;
  hash[4] += e;
}

/* The digest of KEY and what RFC 6455 appends to it.  */
static void
digest (unsigned char out[DIGEST], const char *key, size_t length)
{
  static const char suffix[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  uint32_t hash[]
      = { 0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u, 0xc3d2e1f0u };
  unsigned char block[BLOCK];
  size_t fill = 0, total = length + sizeof suffix - 1;

  for (size_t i = 0; i < total; i++)
    {
      block[fill++] = (unsigned char)(i < length ? key[i] : suffix[i - length]);
      if (fill == BLOCK)
        {
          add_block (hash, block);
          fill = 0;
        }
    }
  block[fill++] = 0x80;
  if (fill > BLOCK - 8)
    {
      memset (block + fill, 0, BLOCK - fill);
      add_block (hash, block);
      fill = 0;
    }
  memset (block + fill, 0, BLOCK - fill);
  for (int i = 0; i < 8; i++)
    block[BLOCK - 1 - i] = (unsigned char)((uint64_t)total * 8 >> (8 * i));
  add_block (hash, block);
  for (int i = 0; i < DIGEST; i++)
    out[i] = (unsigned char)(hash[i / 4] >> (8 * (3 - i % 4)));
}

/* Four characters for three bytes, and NUL.  */
static void
base64 (char *out, const unsigned char *bytes, size_t size)
{
  static const char digits[]
      = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < size; i += 3)
    {
      size_t have = size - i < 3 ? size - i : 3;
      uint32_t group = (uint32_t)bytes[i] << 16;
      for (size_t k = 1; k < have; k++)
        group |= (uint32_t)bytes[i + k] << (16 - 8 * k);
      for (size_t k = 0; k < 4; k++)
        *out++ = k <= have ? digits[group >> (18 - 6 * k) & 63] : '=';
    }
  *out = '\0';
}

void
skp_websocket_accept (char accept[SKP_WEBSOCKET_ACCEPT], const char *key,
                      size_t length)
{
  unsigned char hash[DIGEST];
  digest (hash, key, length);
  base64 (accept, hash, sizeof hash);
}

static int
fill_random (unsigned char *bytes, size_t size)
{
  ssize_t n;
  do
    n = getrandom (bytes, size, 0);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : 0;
}

int
skp_websocket_key (char key[SKP_WEBSOCKET_KEY])
{
  unsigned char random[16];
  int err = fill_random (random, sizeof random);
  if (err < 0)
    return err;
  base64 (key, random, sizeof random);
  return 0;
}

int
skp_websocket_new_mask (unsigned char mask[4])
{
  return fill_random (mask, 4);
}
