/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The C peer of bench/stream.scm.  */

#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

__attribute__ ((visibility ("default"))) int64_t
stream_c (int out, int in, const char *bytes, size_t size, int writes);

/* Send WRITES times SIZE bytes and receive what has come whenever no more goes;
   the nanoseconds that took.  */
int64_t
stream_c (int out, int in, const char *bytes, size_t size, int writes)
{
  struct timespec start, end;
  char *buffer = malloc (size);
  size_t sent = 0, received = 0, total = size * (size_t)writes;

  clock_gettime (CLOCK_MONOTONIC, &start);
  while (received < total)
    {
      size_t left = size - sent % size;
      ssize_t n = sent < total
                      ? send (out, bytes + sent % size, left, MSG_DONTWAIT)
                      : -1;
      if (n > 0)
        sent += (size_t)n;
      else
        while ((n = recv (in, buffer, size, MSG_DONTWAIT)) > 0)
          received += (size_t)n;
    }
  clock_gettime (CLOCK_MONOTONIC, &end);
  free (buffer);
  return (end.tv_sec - start.tv_sec) * INT64_C (1000000000) + end.tv_nsec
         - start.tv_nsec;
}
