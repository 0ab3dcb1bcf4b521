/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* getaddrinfo is wrapped: names that end in ".gate" wait until the test opens
   the gate, so that every state of a look-up can be held.  */

#ifndef SKP_TEST_RESOLVE_FIXTURE_H
#define SKP_TEST_RESOLVE_FIXTURE_H

#include "test.h"

#include <poll.h>
#include <pthread.h>
#include <sys/types.h>
#include <sockport/resolve.h>

/* Whether it is open; how many are inside, and were at most; how many came;
   threads that have come, and of these ended; and the network namespace of who
   came last.  */
struct gate
{
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int open, inside, inside_most, calls, threads, threads_ended;
  ino_t network;
};
extern struct gate gate;

/* The network namespace of the calling thread.  */
ino_t own_network (void);

void set_gate (int open);

/* Wait until COUNT are inside; until all threads that have come have ended.  */
void wait_inside (int count);
void wait_ended (void);

/* A new resolver, before a closed gate; end it, and wait for its threads.  */
struct skp_resolver *resolver_new (int limit);
void resolver_end (struct skp_resolver *resolver);

struct skp_lookup *start (struct skp_resolver *resolver, const char *host,
                          const char *service);
void await_readable (struct skp_lookup *lookup);

/* The answer to LOOKUP, once there is one; and the code of a whole one.  */
const struct skp_answer *finish (struct skp_lookup *lookup);
int code_of (struct skp_resolver *resolver, const char *host,
             const char *service);

#endif
