/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* See name.h.  */

#include "name.h"

/* Not toupper: the locale must not matter.  */
static char
folded (char c)
{
  if (c == '-')
    return '_';
  return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

int
skp__name_same (const char *a, const char *b)
{
  while (*a && folded (*a) == folded (*b))
    a++, b++;
  return *a == '\0' && *b == '\0';
}
