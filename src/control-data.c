/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The data of one control message, taken apart and put together field by field
   as its layout says.  */

#include <sockport/control.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define NANOSECONDS 1000000000

static uint64_t
load_unsigned (const unsigned char *at, size_t size)
{
  uint8_t one;
  uint16_t two;
  uint32_t four;
  uint64_t eight;

  switch (size)
    {
    case 1:
      memcpy (&one, at, size);
      return one;
    case 2:
      memcpy (&two, at, size);
      return two;
    case 4:
      memcpy (&four, at, size);
      return four;
    default:
      memcpy (&eight, at, size);
      return eight;
    }
}

static void
store_unsigned (unsigned char *at, size_t size, uint64_t number)
{
  uint8_t one = (uint8_t)number;
  uint16_t two = (uint16_t)number;
  uint32_t four = (uint32_t)number;
  const void *from[] = { &one, &two, NULL, &four };
  memcpy (at, size == 8 ? &number : from[size - 1], size);
}

static int64_t
load_signed (const unsigned char *at, size_t size)
{
  unsigned shift = 64 - 8 * (unsigned)size;
  return (int64_t)(load_unsigned (at, size) << shift) >> shift;
}

/* How many nanoseconds the fraction of a time field counts in.  */
static int64_t
fraction_unit (const struct skp_control_field *field)
{
  return field->kind == SKP_CONTROL_TIMEVAL ? 1000 : 1;
}

static int
load_time (struct skp_part *part, const unsigned char *at,
           const struct skp_control_field *field)
{
  size_t half = field->size / 2;
  int64_t seconds = load_signed (at, half);
  int64_t fraction = load_signed (at + half, half);
  int64_t time;

  if (fraction < 0 || fraction >= NANOSECONDS / fraction_unit (field)
      || __builtin_mul_overflow (seconds, (int64_t)NANOSECONDS, &time)
      || __builtin_add_overflow (time, fraction * fraction_unit (field), &time))
    return -ERANGE;
  part->number = (uint64_t)time;
  return 0;
}

static int
load_field (struct skp_part *part, const struct skp_control_item *item,
            const struct skp_control_field *field)
{
  const unsigned char *at = (const unsigned char *)item->bytes + field->offset;

  *part = (struct skp_part){ 0 };
  switch (field->kind)
    {
    case SKP_CONTROL_UNSIGNED:
      part->number = load_unsigned (at, field->size);
      return 0;
    case SKP_CONTROL_SIGNED:
      part->number = (uint64_t)load_signed (at, field->size);
      return 0;
    case SKP_CONTROL_INET:
      part->number = ntohl ((uint32_t)load_unsigned (at, field->size));
      return 0;
    case SKP_CONTROL_TIMEVAL:
    case SKP_CONTROL_TIMESPEC:
      return load_time (part, at, field);
    default:
      part->bytes = at;
      part->length = field->size ? field->size : item->length - field->offset;
      return 0;
    }
}

const struct skp_control_type *
skp_control_decode (const struct skp_control_item *item, struct skp_part *parts)
{
  const struct skp_control_type *type
      = skp_control_find (item->level, item->type, item->length);
  const struct skp_control_layout *layout = type->layout;

  for (int i = 0; i < layout->count; i++)
    if (load_field (&parts[i], item, &layout->fields[i]) < 0)
      {
        /* A time that no clock shows: keep the bytes.  */
        parts[0]
            = (struct skp_part){ .bytes = item->bytes, .length = item->length };
        return skp_control_find (-1, -1, 0);
      }
  return type;
}

static int
number_fits (uint64_t number, const struct skp_control_field *field)
{
  unsigned bits = 8u * field->size;
  if (bits == 64)
    return 1;
  if (field->kind == SKP_CONTROL_SIGNED)
    return ((int64_t)number >> (bits - 1)) == 0
           || ((int64_t)number >> (bits - 1)) == -1;
  return number >> bits == 0;
}

static int
store_time (unsigned char *at, const struct skp_part *part,
            const struct skp_control_field *field)
{
  struct skp_control_field half
      = { .kind = SKP_CONTROL_SIGNED, .size = field->size / 2 };
  int64_t time = (int64_t)part->number;
  int64_t seconds = time / NANOSECONDS, fraction = time % NANOSECONDS;

  if (fraction < 0)
    {
      fraction += NANOSECONDS;
      seconds--;
    }
  if (!number_fits ((uint64_t)seconds, &half))
    return -ERANGE;
  store_unsigned (at, half.size, (uint64_t)seconds);
  store_unsigned (at + half.size, half.size,
                  (uint64_t)(fraction / fraction_unit (field)));
  return 0;
}

/* Store PART; the bytes that it took past the fixed part, or -errno.  */
static ssize_t
store_field (unsigned char *data, size_t room, const struct skp_part *part,
             const struct skp_control_field *field)
{
  unsigned char *at = data + field->offset;

  switch (field->kind)
    {
    case SKP_CONTROL_UNSIGNED:
    case SKP_CONTROL_SIGNED:
    case SKP_CONTROL_INET:
      if (!number_fits (part->number, field))
        return -ERANGE;
      store_unsigned (at, field->size,
                      field->kind == SKP_CONTROL_INET
                          ? htonl ((uint32_t)part->number)
                          : part->number);
      return 0;
    case SKP_CONTROL_TIMEVAL:
    case SKP_CONTROL_TIMESPEC:
      return store_time (at, part, field);
    default:
      break;
    }
  if (field->size ? part->length != field->size
                  : field->kind == SKP_CONTROL_DESCRIPTORS
                        && part->length % sizeof (int) != 0)
    return -EINVAL;
  if (part->length > room - field->offset)
    return -ENOSPC;
  if (part->length > 0)
    memcpy (at, part->bytes, part->length);
  return field->size ? 0 : (ssize_t)part->length;
}

ssize_t
skp_control_encode (const struct skp_control_type *type,
                    const struct skp_part *parts, int count, void *data,
                    size_t room)
{
  const struct skp_control_layout *layout = type->layout;
  size_t length = layout->size;

  if (count != layout->count)
    return -EINVAL;
  if (length > room)
    return -ENOSPC;
  memset (data, 0, length);
  for (int i = 0; i < count; i++)
    {
      ssize_t more = store_field (data, room, &parts[i], &layout->fields[i]);
      if (more < 0)
        return more;
      length += (size_t)more;
    }
  return (ssize_t)length;
}
