/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The program that resolvers use in a child of fork: a query from the standard
   input, its answer to the standard output (query-apart.c).  */

#include <stdlib.h>

#include "os.h"
#include "query.h"

int
main (void)
{
  struct skp__query query;
  size_t size = 0;
  while (size < sizeof query)
    {
      ssize_t n = skp__read (0, (char *)&query + size, sizeof query - size);
      if (n <= 0)
        return EXIT_FAILURE;
      size += (size_t)n;
    }
  struct skp_answer *answer = skp__query_run (&query);
  if (!answer)
    return EXIT_FAILURE;
  size_t left = skp__answer_size (answer);
  for (const char *at = (const char *)answer; left > 0;)
    {
      ssize_t n = skp__write (1, at, left);
      if (n < 0)
        return EXIT_FAILURE;
      at += n;
      left -= (size_t)n;
    }
  return EXIT_SUCCESS;
}
