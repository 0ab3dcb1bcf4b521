/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Is it UTF-8?  Asked piece by piece.  */

#ifndef SKP__UTF8_H
#define SKP__UTF8_H

#include <stddef.h>

/* LEFT bytes of a character are missing, and the next must be from LOW to
   HIGH.  All zero at the beginning, and LEFT zero where text may end.  */
struct skp__utf8
{
  unsigned char left, low, high;
};

/* 0, or -EILSEQ at the first byte that cannot be.  */
int skp__utf8_check (struct skp__utf8 *state, const unsigned char *bytes,
                     size_t size);

#endif /* SKP__UTF8_H */
