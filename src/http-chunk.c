/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Chunks: hexadecimal digits, extensions that nobody uses, CRLF, data, CRLF.
   Nothing is forgiven: a line that two readers end in two places hides a
   request.  */

#include <errno.h>
#include <sockport/http-chunk.h>

enum state
{
  SIZE,
  EXTENSION,
  SIZE_LF,
  DATA,
  DATA_CR,
  DATA_LF,
  ENDED,
};

static int
hex_digit (unsigned char byte)
{
  if (byte >= '0' && byte <= '9')
    return byte - '0';
  unsigned char letter = byte | 0x20;
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

static int
size_byte (struct skp_http_chunk *chunk, unsigned char byte)
{
  int digit = hex_digit (byte);
  if (digit >= 0)
    {
      /* Fifteen digits leave room for sums, and nobody has more bytes.  */
      if (chunk->digits == 15)
        return -EBADMSG;
      chunk->digits++;
      chunk->left = chunk->left << 4 | (unsigned)digit;
      return SIZE;
    }
  if (chunk->digits == 0)
    return -EBADMSG;
  return byte == '\r' ? SIZE_LF : byte == ';' ? EXTENSION : -EBADMSG;
}

static int
extension_byte (struct skp_http_chunk *chunk, unsigned char byte)
{
  if (byte == '\r')
    return SIZE_LF;
  int control = (byte < ' ' && byte != '\t') || byte == 0x7f;
  if (control || ++chunk->extensions > SKP_HTTP_EXTENSIONS)
    return -EBADMSG;
  return EXTENSION;
}

/* The state after the framing BYTE, or -EBADMSG.  */
static int
framing_byte (struct skp_http_chunk *chunk, unsigned char byte)
{
  switch (chunk->state)
    {
    case SIZE:
      return size_byte (chunk, byte);
    case EXTENSION:
      return extension_byte (chunk, byte);
    case SIZE_LF:
      chunk->digits = 0;
      return byte != '\n' ? -EBADMSG : chunk->left > 0 ? DATA : ENDED;
    case DATA_CR:
      return byte == '\r' ? DATA_LF : -EBADMSG;
    default:
      return byte == '\n' ? SIZE : -EBADMSG;
    }
}

ssize_t
skp_http_chunk_next (struct skp_http_chunk *chunk, const void *bytes,
                     size_t size, size_t *used)
{
  const unsigned char *byte = bytes;
  size_t at = 0;
  while (at < size && chunk->state != DATA && chunk->state != ENDED)
    {
      int state = framing_byte (chunk, byte[at]);
      if (state < 0)
        return state;
      chunk->state = (unsigned char)state;
      at++;
    }
  *used = at;
  if (chunk->state != DATA)
    return 0;
  size_t data = size - at < chunk->left ? size - at : (size_t)chunk->left;
  chunk->left -= data;
  if (chunk->left == 0)
    chunk->state = DATA_CR;
  return (ssize_t)data;
}

int
skp_http_chunk_ended (const struct skp_http_chunk *chunk)
{
  return chunk->state == ENDED;
}
