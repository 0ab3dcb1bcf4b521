/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the fuzz targets share: a condition that must hold, and an input that is
   read in pieces.  Past its end an input is zeros, so that each one is whole.
 */

#ifndef SKP_FUZZ_H
#define SKP_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static inline void
require (int condition)
{
  if (!condition)
    abort ();
}

struct input
{
  const uint8_t *at;
  size_t left;
};

/* The next SIZE bytes as a number.  */
static inline uint64_t
take_number (struct input *input, size_t size)
{
  uint64_t number = 0;
  for (; size > 0; size--)
    {
      number = number << 8 | (input->left ? *input->at : 0);
      input->at += input->left > 0;
      input->left -= input->left > 0;
    }
  return number;
}

/* Copy the next SIZE bytes, or those that are left, to BYTES; how many.  */
static inline size_t
take_bytes (struct input *input, void *bytes, size_t size)
{
  size_t length = size < input->left ? size : input->left;
  if (length > 0)
    memcpy (bytes, input->at, length);
  input->at += length;
  input->left -= length;
  return length;
}

/* Bytes by chance; which they are depends on DATA alone.  */
static inline struct input
input_by_chance (const uint8_t *data, size_t size)
{
  static uint8_t bytes[4096];
  uint64_t state = 14695981039346656037U;
  for (size_t i = 0; i < size; i++)
    state = (state ^ data[i]) * 1099511628211U;
  state |= 1;
  for (size_t i = 0; i < sizeof bytes; i++)
    {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      bytes[i] = (uint8_t)(state >> 32);
    }
  return (struct input){ bytes, sizeof bytes };
}

#endif /* SKP_FUZZ_H */
