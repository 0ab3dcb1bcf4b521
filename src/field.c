/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Values in and out of fields.  Which fields there are is not known here.  */

#include <sockport/field.h>

#include <errno.h>

#define NANOSECONDS 1000000000

static int
is_number (const struct skp_field *field)
{
  return field->kind <= SKP_FIELD_SIGNED;
}

static int
is_time (const struct skp_field *field)
{
  return field->kind == SKP_FIELD_TIMEVAL || field->kind == SKP_FIELD_TIMESPEC;
}

/* The bits of a number once its bytes are one: how many, and how far from the
   lowest.  A C bit-field starts at the lowest bit on a little-endian machine,
   at the highest on the others.  */
static unsigned
bits_width (const struct skp_field *field)
{
  return field->width ? field->width : 8u * field->size;
}

static unsigned
bits_shift (const struct skp_field *field)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return field->shift;
#else
  return field->width ? 8u - field->shift - field->width : 0;
#endif
}

static uint64_t
bits_mask (const struct skp_field *field)
{
  return UINT64_MAX >> (64 - bits_width (field));
}

static uint64_t
number_load (const struct skp_field *field, const void *bytes)
{
  uint64_t value = skp_field_number (field, bytes) >> bits_shift (field)
                   & bits_mask (field);
  if (field->kind == SKP_FIELD_SIGNED && value >> (bits_width (field) - 1))
    value |= ~bits_mask (field);
  return value;
}

static int
number_fits (const struct skp_field *field, uint64_t number)
{
  uint64_t top = number >> (bits_width (field) - 1);
  if (field->kind != SKP_FIELD_SIGNED)
    return top <= 1;
  return top == 0 || top == UINT64_MAX >> (bits_width (field) - 1);
}

static void
number_store (const struct skp_field *field, unsigned char *at, uint64_t number)
{
  int network = field->kind == SKP_FIELD_NETWORK;
  uint16_t two = (uint16_t)number;
  uint32_t four = (uint32_t)number;

  switch (field->size)
    {
    case 2:
      memcpy (at, &(uint16_t){ network ? htobe16 (two) : two }, 2);
      break;
    case 4:
      memcpy (at, &(uint32_t){ network ? htobe32 (four) : four }, 4);
      break;
    case 8:
      memcpy (at, &(uint64_t){ network ? htobe64 (number) : number }, 8);
      break;
    default:
      {
        unsigned mask = (unsigned)(bits_mask (field) << bits_shift (field));
        *at = (unsigned char)((*at & ~mask)
                              | ((unsigned)(number << bits_shift (field))
                                 & mask));
      }
    }
}

/* A time is two numbers: these are their fields, and the second counts in UNIT
   nanoseconds.  */
struct time_fields
{
  struct skp_field seconds, fraction;
  int64_t unit;
};

static struct time_fields
time_fields (const struct skp_field *field)
{
  uint16_t half = field->size / 2;
  struct skp_field seconds
      = { .offset = field->offset, .size = half, .kind = SKP_FIELD_SIGNED };
  struct skp_field fraction = seconds;
  fraction.offset = (uint16_t)(field->offset + half);
  return (struct time_fields){ seconds, fraction,
                               field->kind == SKP_FIELD_TIMEVAL ? 1000 : 1 };
}

static int
time_load (const struct skp_field *field, const void *bytes, uint64_t *number)
{
  struct time_fields t = time_fields (field);
  int64_t seconds = (int64_t)number_load (&t.seconds, bytes);
  int64_t fraction = (int64_t)number_load (&t.fraction, bytes);
  int64_t time;

  if (fraction < 0 || fraction >= NANOSECONDS / t.unit
      || __builtin_mul_overflow (seconds, (int64_t)NANOSECONDS, &time)
      || __builtin_add_overflow (time, fraction * t.unit, &time))
    return -ERANGE;
  *number = (uint64_t)time;
  return 0;
}

static int
time_store (const struct skp_field *field, unsigned char *bytes,
            uint64_t number)
{
  struct time_fields t = time_fields (field);
  int64_t time = (int64_t)number;
  int64_t seconds = time / NANOSECONDS, fraction = time % NANOSECONDS;

  if (fraction < 0)
    {
      fraction += NANOSECONDS;
      seconds--;
    }
  if (!number_fits (&t.seconds, (uint64_t)seconds))
    return -ERANGE;
  number_store (&t.seconds, bytes + t.seconds.offset, (uint64_t)seconds);
  number_store (&t.fraction, bytes + t.fraction.offset,
                (uint64_t)(fraction / t.unit));
  return 0;
}

/* The kernel reports a pathname with the NUL that it added itself, an abstract
   name exactly (unix(7)); a socket without a name has the family alone.  */
static void
name_trim (struct skp_part *part)
{
  const char *name = part->bytes;
  if (part->length == 0)
    part->bytes = NULL;
  else if (name[0] != '\0' && name[part->length - 1] == '\0')
    part->length--;
}

static void
bytes_load (const struct skp_field *field, const unsigned char *base,
            size_t length, struct skp_part *part)
{
  part->bytes = base + field->offset;
  part->length = field->open ? length - field->offset : field->size;
  if (field->length_offset && base[field->length_offset] < part->length)
    part->length = base[field->length_offset];
  if (field->kind == SKP_FIELD_NAME)
    name_trim (part);
}

int
skp_field_load (const struct skp_field *field, const void *bytes, size_t length,
                struct skp_part *part)
{
  struct skp_part found = { 0 };
  size_t end = (size_t)field->offset + (field->open ? 0 : field->size);
  int err = 0;

  if (end > length)
    return -ENODATA;
  if (is_number (field))
    found.number = number_load (field, bytes);
  else if (is_time (field))
    err = time_load (field, bytes, &found.number);
  else
    bytes_load (field, bytes, length, &found);
  if (err == 0)
    *part = found;
  return err;
}

/* A NUL inside a pathname would make the kernel use another, shorter name.  */
static int
bytes_check (const struct skp_field *field, const struct skp_part *part)
{
  const char *bytes = part->bytes;
  size_t length = part->length;

  if (field->kind == SKP_FIELD_WIDE && length != field->size)
    return -EINVAL;
  if (field->size && length > field->size)
    return -ENAMETOOLONG;
  if (field->kind == SKP_FIELD_DESCRIPTORS && length % sizeof (int) != 0)
    return -EINVAL;
  if (field->kind == SKP_FIELD_NAME && length > 0 && bytes[0] != '\0'
      && memchr (bytes, '\0', length))
    return -EINVAL;
  return 0;
}

static ssize_t
bytes_store (const struct skp_field *field, unsigned char *base, size_t size,
             const struct skp_part *part)
{
  unsigned char *at = base + field->offset;
  size_t taken = field->open ? part->length : field->size;
  int err = bytes_check (field, part);

  if (err < 0)
    return err;
  if (taken > size - field->offset)
    return -ENOSPC;
  if (part->length > 0)
    memcpy (at, part->bytes, part->length);
  memset (at + part->length, 0, taken - part->length);
  if (field->length_offset)
    base[field->length_offset] = (unsigned char)part->length;
  return (ssize_t)(field->offset + taken);
}

ssize_t
skp_field_store (const struct skp_field *field, void *bytes, size_t size,
                 const struct skp_part *part)
{
  unsigned char *base = bytes;
  size_t end = (size_t)field->offset + (field->open ? 0 : field->size);
  int err = 0;

  if (end > size)
    return -ENOSPC;
  if (is_time (field))
    err = time_store (field, base, part->number);
  else if (!is_number (field))
    return bytes_store (field, base, size, part);
  else if (number_fits (field, part->number))
    number_store (field, base + field->offset, part->number);
  else
    err = -ERANGE;
  return err < 0 ? err : (ssize_t)end;
}
