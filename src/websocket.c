/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Frames of RFC 6455 in and out.  The opening handshake's arithmetic is in
   websocket-key.c; what a program sees of a connection is Scheme's.  */

#include <sockport/websocket.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "utf8.h"

#define FINAL 0x80
#define RESERVED 0x70
#define OPCODE 0x0f
#define MASKED 0x80
#define LENGTH 0x7f
#define LENGTH_16 126
#define LENGTH_64 127

void
skp_websocket_begin (struct skp_websocket *reader, int masked, uint64_t limit)
{
  memset (reader, 0, sizeof *reader);
  reader->masked = masked != 0;
  reader->limit = limit;
}

void
skp_websocket_mask (void *to, const void *from, size_t size,
                    const unsigned char mask[4], size_t offset)
{
  unsigned char *out = to, turned[8];
  const unsigned char *in = from;
  uint64_t key, word;

  for (size_t i = 0; i < sizeof turned; i++)
    turned[i] = mask[(offset + i) & 3];
  memcpy (&key, turned, sizeof key);
  size_t i = 0;
  for (; size - i >= sizeof word; i += sizeof word)
    {
      memcpy (&word, in + i, sizeof word);
      word ^= key;
      memcpy (out + i, &word, sizeof word);
    }
  for (; i < size; i++)
    out[i] = in[i] ^ turned[i & 7];
}

static uint64_t
big_endian (const unsigned char *bytes, size_t size)
{
  uint64_t value = 0;
  while (size--)
    value = value << 8 | *bytes++;
  return value;
}

static bool
is_control (int opcode)
{
  return opcode >= SKP_WEBSOCKET_CLOSE;
}

/* RFC 6455, 7.4: the registered codes that an endpoint may send (1004 to 1006
   and 1015 never are), and those of libraries and applications.  */
int
skp_websocket_close_code (int code)
{
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014)
         || (code >= 3000 && code <= 4999);
}

static size_t
length_size (unsigned char second)
{
  switch (second & LENGTH)
    {
    case LENGTH_16:
      return 2;
    case LENGTH_64:
      return 8;
    default:
      return 0;
    }
}

/* How many bytes the head has, as far as is known.  */
static size_t
head_size (const struct skp_websocket *reader)
{
  if (reader->head_size < 2)
    return 2;
  return 2 + length_size (reader->head[1])
         + (reader->head[1] & MASKED ? sizeof reader->mask : 0);
}

/* What can be said of the first two bytes: 5.2, 5.4, 5.5.  */
static int
check_opening (const struct skp_websocket *reader)
{
  int opcode = reader->head[0] & OPCODE, length = reader->head[1] & LENGTH;
  bool final = reader->head[0] & FINAL;

  if (reader->head[0] & RESERVED
      || (reader->head[1] & MASKED) != (reader->masked ? MASKED : 0))
    return -EPROTO;
  if (is_control (opcode))
    return opcode <= SKP_WEBSOCKET_PONG && final
                   && length <= SKP_WEBSOCKET_CONTROL
               ? 0
               : -EPROTO;
  if (opcode > SKP_WEBSOCKET_BINARY)
    return -EPROTO;
  /* A continuation continues something, and nothing else does.  */
  return (opcode == SKP_WEBSOCKET_CONTINUATION) == (reader->message != 0)
             ? 0
             : -EPROTO;
}

static int
begin_message_part (struct skp_websocket *reader)
{
  if (reader->opcode != SKP_WEBSOCKET_CONTINUATION)
    {
      reader->message = reader->opcode;
      reader->total = 0;
      memset (reader->utf8, 0, sizeof reader->utf8);
    }
  if (reader->left > reader->limit - reader->total)
    return -EMSGSIZE;
  reader->total += reader->left;
  return 0;
}

static int
begin_payload (struct skp_websocket *reader)
{
  const unsigned char *head = reader->head;
  size_t size = length_size (head[1]);
  uint64_t length = size ? big_endian (head + 2, size) : head[1] & LENGTH;

  /* The shortest form is the only one: 5.2.  */
  if ((size == 2 && length < LENGTH_16) || (size == 8 && length <= UINT16_MAX)
      || length > INT64_MAX)
    return -EPROTO;
  if (reader->masked)
    memcpy (reader->mask, head + 2 + size, sizeof reader->mask);
  reader->opcode = head[0] & OPCODE;
  reader->final = (head[0] & FINAL) != 0;
  reader->left = length;
  reader->mask_offset = 0;
  reader->control_size = 0;
  reader->head_size = 0;
  reader->in_payload = 1;
  return is_control (reader->opcode) ? 0 : begin_message_part (reader);
}

/* Take bytes of the head; *AT moves.  */
static int
read_head (struct skp_websocket *reader, const unsigned char *bytes,
           size_t size, size_t *at)
{
  while (!reader->in_payload && *at < size)
    {
      reader->head[reader->head_size++] = bytes[(*at)++];
      int err = reader->head_size == 2 ? check_opening (reader) : 0;
      if (!err && reader->head_size == head_size (reader)
          && reader->head_size >= 2)
        err = begin_payload (reader);
      if (err < 0)
        return err;
    }
  return 0;
}

static int
check_close (const struct skp_websocket *reader)
{
  struct skp__utf8 state = { 0, 0, 0 };
  if (reader->control_size == 0)
    return 0;
  if (reader->control_size == 1
      || !skp_websocket_close_code ((int)big_endian (reader->control, 2)))
    return -EPROTO;
  return skp__utf8_check (&state, reader->control + 2,
                          reader->control_size - 2u)
                     < 0
                 || state.left
             ? -EILSEQ
             : 0;
}

/* A part of a control frame; an event when it is whole.  */
static int
take_control (struct skp_websocket *reader, const unsigned char *bytes,
              size_t size, struct skp_websocket_event *event)
{
  memcpy (reader->control + reader->control_size, bytes, size);
  reader->control_size = (unsigned char)(reader->control_size + size);
  if (reader->left)
    return 0;
  reader->in_payload = 0;
  event->bytes = reader->control;
  event->length = reader->control_size;
  event->final = 1;
  int err = reader->opcode == SKP_WEBSOCKET_CLOSE ? check_close (reader) : 0;
  return err < 0 ? err : reader->opcode;
}

static int
check_text (struct skp_websocket *reader, const unsigned char *bytes,
            size_t size, bool last)
{
  struct skp__utf8 state
      = { reader->utf8[0], reader->utf8[1], reader->utf8[2] };
  if (skp__utf8_check (&state, bytes, size) < 0 || (last && state.left))
    return -EILSEQ;
  memcpy (reader->utf8, (unsigned char[]){ state.left, state.low, state.high },
          sizeof reader->utf8);
  return 0;
}

static int
take_data (struct skp_websocket *reader, const unsigned char *bytes,
           size_t size, struct skp_websocket_event *event)
{
  int message = reader->message;
  bool last = reader->left == 0 && reader->final;

  if (message == SKP_WEBSOCKET_TEXT
      && check_text (reader, bytes, size, last) < 0)
    return -EILSEQ;
  if (reader->left == 0)
    reader->in_payload = 0;
  if (last)
    reader->message = 0;
  event->bytes = bytes;
  event->length = size;
  event->final = last;
  return size == 0 && !last ? 0 : message;
}

static int
read_payload (struct skp_websocket *reader, unsigned char *bytes, size_t size,
              size_t *at, struct skp_websocket_event *event)
{
  unsigned char *start = bytes + *at;
  size_t count = reader->left < size - *at ? (size_t)reader->left : size - *at;

  if (reader->masked)
    skp_websocket_mask (start, start, count, reader->mask, reader->mask_offset);
  reader->mask_offset = (reader->mask_offset + count) & 3;
  reader->left -= count;
  *at += count;
  return (is_control (reader->opcode) ? take_control : take_data) (
      reader, start, count, event);
}

int
skp_websocket_read (struct skp_websocket *reader, void *bytes, size_t size,
                    struct skp_websocket_event *event)
{
  struct skp_websocket_event found = { 0, NULL, 0, 0 };
  int result = 0;
  while (result == 0)
    {
      result = read_head (reader, bytes, size, &found.used);
      /* An empty payload is taken at once, any other when there is some.  */
      if (result < 0 || !reader->in_payload
          || (found.used == size && reader->left > 0))
        break;
      result = read_payload (reader, bytes, size, &found.used, &found);
    }
  if (result >= 0)
    *event = found;
  return result;
}

int
skp_websocket_head (unsigned char head[SKP_WEBSOCKET_HEAD], int opcode,
                    uint64_t length, const unsigned char *mask)
{
  int size = 2, bytes = length < LENGTH_16 ? 0 : length <= UINT16_MAX ? 2 : 8;

  head[0] = (unsigned char)((opcode & OPCODE)
                            | (opcode & SKP_WEBSOCKET_MORE ? 0 : FINAL));
  head[1] = bytes == 0   ? (unsigned char)length
            : bytes == 2 ? LENGTH_16
                         : LENGTH_64;
  while (bytes--)
    head[size++] = (unsigned char)(length >> (8 * bytes));
  if (!mask)
    return size;
  head[1] |= MASKED;
  memcpy (head + size, mask, 4);
  return size + 4;
}
