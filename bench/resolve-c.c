/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* resolve-c COUNT THREADS PREFIX: looks COUNT different names up in THREADS
   threads and prints how many that were a second.  */

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

static int count;
static const char *prefix;
static atomic_int next;

static void *
look_up (void *unused)
{
  struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
  char name[256];
  int i;
  (void)unused;
  while ((i = atomic_fetch_add (&next, 1)) < count)
    {
      struct addrinfo *list;
      snprintf (name, sizeof name, "%s-%d.test", prefix, i);
      if (getaddrinfo (name, "80", &hints, &list) != 0)
        exit (1);
      freeaddrinfo (list);
    }
  return NULL;
}

int
main (int argc, char **argv)
{
  pthread_t threads[1024];
  struct timespec start, end;
  int thread_count = argc > 3 ? atoi (argv[2]) : 0;
  if (thread_count < 1 || thread_count > 1024)
    return 2;
  count = atoi (argv[1]);
  prefix = argv[3];
  clock_gettime (CLOCK_MONOTONIC, &start);
  for (int i = 0; i < thread_count; i++)
    pthread_create (&threads[i], NULL, look_up, NULL);
  for (int i = 0; i < thread_count; i++)
    pthread_join (threads[i], NULL);
  clock_gettime (CLOCK_MONOTONIC, &end);
  printf ("%f\n", count
                      / ((double)(end.tv_sec - start.tv_sec)
                         + (double)(end.tv_nsec - start.tv_nsec) / 1e9));
  return 0;
}
