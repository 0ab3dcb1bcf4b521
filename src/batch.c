/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The memory and the contents of a batch.  */

#include "batch.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define DATAGRAM_MAX 65535
#define MEMORY_MAX ((size_t)INT_MAX)

#define LARGE_PAGE ((uintptr_t)2 << 20)

static size_t
least (size_t a, size_t b)
{
  return a < b ? a : b;
}

size_t
skp_batch_memory (size_t slots, size_t size, int offload)
{
  if (slots == 0 || size == 0 || size > DATAGRAM_MAX
      || slots > MEMORY_MAX / size)
    return 0;
  /* One of them at least: another batch may have turned joining on.  */
  size_t joined
      = offload ? least (slots, JOINED_SLOTS) * JOINED_MAX : JOINED_MAX;
  return joined > slots * size ? joined : slots * size;
}

static void *
zeros (size_t count, size_t size, int *missing)
{
  void *memory = calloc (count, size);
  *missing |= memory == NULL;
  return memory;
}

static void
call_slots_open (struct call_slots *slots, size_t calls, int *missing)
{
  slots->headers = zeros (calls, sizeof *slots->headers, missing);
  slots->slices = zeros (calls, sizeof *slots->slices, missing);
  slots->controls = zeros (calls, sizeof *slots->controls, missing);
}

static void
call_slots_close (struct call_slots *slots)
{
  free (slots->headers);
  free (slots->slices);
  free (slots->controls);
}

/* Joined datagrams go through megabytes, which large pages spare the kernel's
   copying many misses of its address cache.  Only whole large pages count, and
   a kernel that has none to give is no error (madvise(2)).  */
static void
want_large_pages (unsigned char *bytes, size_t size)
{
  uintptr_t start
      = ((uintptr_t)bytes + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
  uintptr_t end = ((uintptr_t)bytes + size) / LARGE_PAGE * LARGE_PAGE;
  if (start < end)
    madvise ((void *)start, end - start, MADV_HUGEPAGE);
}

static int
allocate (struct skp_batch *batch)
{
  int missing = 0;
  /* A joined datagram needs as many slices as it has segments.  */
  size_t most = batch->slots < JOINED_SLOTS ? JOINED_SLOTS : batch->slots;
  size_t calls = least (most, CALL_MAX);

  batch->calls = calls;
  batch->count_max
      = batch->slots + least (batch->slots, JOINED_SLOTS) * SEGMENTS_MAX;
  if (batch->own_bytes)
    batch->bytes = zeros (batch->capacity, 1, &missing);
  if (batch->bytes)
    want_large_pages ((unsigned char *)batch->bytes, batch->capacity);
  batch->datagrams
      = zeros (batch->count_max, sizeof *batch->datagrams, &missing);
  batch->addresses = zeros (batch->slots, sizeof *batch->addresses, &missing);
  call_slots_open (&batch->in, calls, &missing);
  call_slots_open (&batch->out, calls, &missing);
  batch->covers = zeros (calls, sizeof *batch->covers, &missing);
  return missing ? -ENOMEM : 0;
}

int
skp_batch_open (struct skp_batch **out, size_t slots, size_t size, int offload,
                void *bytes)
{
  size_t capacity = skp_batch_memory (slots, size, offload);
  struct skp_batch *batch = capacity ? calloc (1, sizeof *batch) : NULL;
  if (!batch)
    return capacity ? -ENOMEM : -EINVAL;
  *batch = (struct skp_batch){ .bytes = bytes,
                               .own_bytes = bytes == NULL,
                               .capacity = capacity,
                               .slots = slots,
                               .size = size,
                               .offload = offload != 0,
                               .gro_fd = -1,
                               .join_fd = -1 };
  int err = allocate (batch);
  if (err < 0)
    skp_batch_close (batch);
  else
    *out = batch;
  return err;
}

void
skp_batch_close (struct skp_batch *batch)
{
  if (!batch)
    return;
  if (batch->own_bytes)
    free (batch->bytes);
  free (batch->datagrams);
  free (batch->addresses);
  call_slots_close (&batch->in);
  call_slots_close (&batch->out);
  free (batch->covers);
  free (batch);
}

unsigned char *
skp_batch_bytes (const struct skp_batch *batch)
{
  return batch->bytes;
}

const struct skp_datagram *
skp_batch_datagrams (const struct skp_batch *batch, size_t *count)
{
  *count = batch->count;
  return batch->datagrams;
}

const struct skp_address *
skp_batch_address (const struct skp_batch *batch, size_t index)
{
  return &batch->addresses[batch->datagrams[index].address];
}

void
skp_batch_clear (struct skp_batch *batch)
{
  batch->count = batch->used = batch->addresses_used = 0;
}

/* What is seldom done is apart, lest each datagram pays for the registers that
   it needs.  */
static __attribute__ ((noinline)) uint32_t
add_address (struct skp_batch *batch, const struct skp_address *to)
{
  size_t used = batch->addresses_used;
  struct skp_address *new = &batch->addresses[used];
  if (used > 0 && new[-1].length == to->length
      && memcmp (&new[-1].storage, &to->storage, to->length) == 0)
    return (uint32_t)(used - 1);
  new->length = to->length;
  memcpy (&new->storage, &to->storage, to->length);
  return (uint32_t)batch->addresses_used++;
}

/* Is TO, NULL or of the commonest length, the address that was added last?
   Compared without a call.  */
static inline int
is_last_address (const struct skp_batch *batch, const struct skp_address *to)
{
  if (batch->addresses_used == 0)
    return 0;
  const struct skp_address *last = &batch->addresses[batch->addresses_used - 1];
  if (!to)
    return last->length == 0;
  return to->length == sizeof (struct sockaddr_in) && last->length == to->length
         && memcmp (&last->storage, &to->storage, sizeof (struct sockaddr_in))
                == 0;
}

/* Datagrams to one destination in a row share its copy, so that joining them
   need not compare addresses.  */
static uint32_t
place_address (struct skp_batch *batch, const struct skp_address *to)
{
  static const struct skp_address none;
  return add_address (batch, to ? to : &none);
}

static inline int
add (struct skp_batch *batch, const void *bytes, size_t length,
     uint32_t address)
{
  int index = (int)batch->count;
  unsigned char *to = batch->bytes + batch->used;
  batch->datagrams[batch->count++]
      = (struct skp_datagram){ .start = (uint32_t)batch->used,
                               .length = (uint32_t)length,
                               .address = address };
  batch->used += length;
  if (bytes && length > 0)
    memmove (to, bytes, length);
  return index;
}

static __attribute__ ((noinline)) int
add_elsewhere (struct skp_batch *batch, const void *bytes, size_t length,
               const struct skp_address *to)
{
  return add (batch, bytes, length, place_address (batch, to));
}

int
skp_batch_add (struct skp_batch *batch, const void *bytes, size_t length,
               const struct skp_address *to)
{
  if (length > batch->size)
    return -EMSGSIZE;
  if (batch->count >= batch->slots || length > batch->capacity - batch->used
      || batch->addresses_used == batch->slots)
    return -ENOSPC;
  return is_last_address (batch, to)
             ? add (batch, bytes, length, (uint32_t)batch->addresses_used - 1)
             : add_elsewhere (batch, bytes, length, to);
}

/* As many segments as there is room for, and their bytes at once: that is what
   makes it cheaper than adding them one by one.  */
int
skp_batch_add_segments (struct skp_batch *batch, const void *bytes,
                        size_t length, size_t size,
                        const struct skp_address *to)
{
  if (size == 0 || size > batch->size)
    return -EMSGSIZE;
  size_t room = least (batch->capacity - batch->used, length);
  size_t slots = batch->count < batch->slots ? batch->slots - batch->count : 0;
  size_t count = least (slots, (length + size - 1) / size);
  if (room < length)
    count = least (count, room / size);
  if (count == 0 || batch->addresses_used == batch->slots)
    return length == 0 ? 0 : -ENOSPC;
  size_t taken = least (length, count * size);
  struct skp_datagram datagram = { .start = (uint32_t)batch->used,
                                   .length = (uint32_t)size,
                                   .address = place_address (batch, to) };
  memmove (batch->bytes + batch->used, bytes, taken);
  for (size_t i = 0; i < count; i++)
    {
      batch->datagrams[batch->count++] = datagram;
      datagram.start += (uint32_t)size;
    }
  batch->datagrams[batch->count - 1].length
      = (uint32_t)(taken - (count - 1) * size);
  batch->used += taken;
  return (int)count;
}

int
skp_batch_resize (struct skp_batch *batch, size_t index, size_t length)
{
  if (index >= batch->count)
    return -EINVAL;
  struct skp_datagram *datagram = &batch->datagrams[index];
  size_t end = index + 1 < batch->count ? datagram[1].start : batch->capacity;
  if (length > least (batch->size, end - datagram->start))
    return -EMSGSIZE;
  datagram->length = (uint32_t)length;
  if (datagram->start + length > batch->used)
    batch->used = datagram->start + length;
  return 0;
}
