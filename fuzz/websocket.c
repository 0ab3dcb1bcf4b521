/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Frames of any bytes: what a reader says of them must not depend on how they
   are cut, and whatever it lets through must obey the protocol.  */

#include "fuzz.h"

#include <errno.h>
#include <sockport/websocket.h>

#define LIMIT 4096

struct outcome
{
  int error;
  size_t messages, controls, length;
  uint64_t sum;
};

/* Each kind of event adds to the sum by itself, so that pieces may differ.  */
static void
note (struct outcome *out, int opcode, const struct skp_websocket_event *event)
{
  require (opcode <= 2 || (opcode >= 8 && opcode <= 10));
  for (size_t i = 0; i < event->length; i++)
    out->sum = out->sum * 31 + event->bytes[i] + (uint64_t)opcode;
  if (opcode < 8)
    {
      out->length += event->length;
      require (out->length <= LIMIT);
    }
  if (opcode < 8 && event->final)
    {
      out->messages++;
      out->length = 0;
    }
  if (opcode >= 8)
    {
      require (event->length <= SKP_WEBSOCKET_CONTROL);
      out->controls++;
    }
}

static int
read_part (struct skp_websocket *reader, unsigned char *bytes, size_t size,
           struct outcome *out)
{
  struct skp_websocket_event event;
  size_t at = 0;
  while (at < size)
    {
      int result = skp_websocket_read (reader, bytes + at, size - at, &event);
      if (result < 0)
        {
          require (result == -EPROTO || result == -EILSEQ
                   || result == -EMSGSIZE);
          return result;
        }
      require (event.used > 0 && event.used <= size - at);
      if (result == 0)
        require (event.used == size - at);
      else
        note (out, result, &event);
      at += event.used;
    }
  return 0;
}

static struct outcome
read_cut (const uint8_t *data, size_t size, int masked, size_t step)
{
  struct skp_websocket reader;
  struct outcome out = { 0, 0, 0, 0, 0 };
  skp_websocket_begin (&reader, masked, LIMIT);
  /* A part ends where its room does, so that a read past the end is seen.  */
  unsigned char *room = malloc (step);
  for (size_t at = 0; at < size && !out.error; at += step)
    {
      size_t part = size - at < step ? size - at : step;
      unsigned char *copy = room + step - part;
      memcpy (copy, data + at, part);
      out.error = read_part (&reader, copy, part, &out);
    }
  free (room);
  return out;
}

/* The first byte chooses the side and the cuts.  */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  if (size < 2)
    return 0;
  int masked = data[0] & 1;
  struct outcome whole = read_cut (data + 1, size - 1, masked, size);
  struct outcome bytes = read_cut (data + 1, size - 1, masked, 1);
  struct outcome parts
      = read_cut (data + 1, size - 1, masked, 1u + (data[0] >> 1));
  require (whole.error == bytes.error && whole.error == parts.error);
  require (whole.messages == bytes.messages
           && whole.controls == bytes.controls);
  require (whole.messages == parts.messages
           && whole.controls == parts.controls);
  if (!whole.error)
    require (whole.sum == bytes.sum && whole.sum == parts.sum);
  return 0;
}
