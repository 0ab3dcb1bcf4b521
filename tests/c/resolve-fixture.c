/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* See resolve-fixture.h.  */

#include "resolve-fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int __real_getaddrinfo (const char *host, const char *service,
                        const struct addrinfo *hints, struct addrinfo **list);

struct gate gate = { .lock = PTHREAD_MUTEX_INITIALIZER,
                     .changed = PTHREAD_COND_INITIALIZER };

/* Each thread counts itself as it looks up first, and as it ends.  */
static pthread_key_t thread_key;

static void
count_ended (void *value)
{
  (void)value;
  pthread_mutex_lock (&gate.lock);
  gate.threads_ended++;
  pthread_cond_broadcast (&gate.changed);
  pthread_mutex_unlock (&gate.lock);
}

static void
make_key (void)
{
  pthread_key_create (&thread_key, count_ended);
}

static void
count_thread (void)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once (&once, make_key);
  if (pthread_getspecific (thread_key))
    return;
  pthread_setspecific (thread_key, &gate.threads);
  gate.threads++;
}

ino_t
own_network (void)
{
  struct stat status;
  return stat ("/proc/thread-self/ns/net", &status) == 0 ? status.st_ino : 0;
}

int
__wrap_getaddrinfo (const char *host, const char *service,
                    const struct addrinfo *hints, struct addrinfo **list)
{
  const char *dot = host ? strrchr (host, '.') : NULL;
  if (!dot || strcmp (dot, ".gate") != 0 || hints->ai_flags & AI_NUMERICHOST)
    return __real_getaddrinfo (host, service, hints, list);
  pthread_mutex_lock (&gate.lock);
  gate.calls++;
  count_thread ();
  gate.network = own_network ();
  gate.inside_most
      = ++gate.inside > gate.inside_most ? gate.inside : gate.inside_most;
  pthread_cond_broadcast (&gate.changed);
  while (!gate.open)
    pthread_cond_wait (&gate.changed, &gate.lock);
  gate.inside--;
  pthread_cond_broadcast (&gate.changed);
  pthread_mutex_unlock (&gate.lock);
  if (strncmp (host, "missing", 7) == 0)
    return EAI_NONAME;
  errno = 0;
  if (strncmp (host, "broken", 6) == 0)
    return EAI_SYSTEM;
  return __real_getaddrinfo ("192.0.2.7", service, hints, list);
}

void
set_gate (int open)
{
  pthread_mutex_lock (&gate.lock);
  gate.open = open;
  pthread_cond_broadcast (&gate.changed);
  pthread_mutex_unlock (&gate.lock);
}

void
wait_inside (int count)
{
  pthread_mutex_lock (&gate.lock);
  while (gate.inside != count)
    pthread_cond_wait (&gate.changed, &gate.lock);
  pthread_mutex_unlock (&gate.lock);
}

/* Until all threads that were made have ended.  */
void
wait_ended (void)
{
  pthread_mutex_lock (&gate.lock);
  while (gate.threads_ended != gate.threads)
    pthread_cond_wait (&gate.changed, &gate.lock);
  pthread_mutex_unlock (&gate.lock);
}

struct skp_resolver *
resolver_new (int limit)
{
  struct skp_resolver *resolver;
  gate.open = gate.inside_most = gate.calls = gate.threads = gate.threads_ended
      = 0;
  assert_int_equal (
      skp_resolver_open (&resolver, limit, getenv ("SOCKPORT_RESOLVE")), 0);
  return resolver;
}

void
resolver_end (struct skp_resolver *resolver)
{
  skp_resolver_close (resolver);
  wait_ended ();
}

struct skp_lookup *
start (struct skp_resolver *resolver, const char *host, const char *service)
{
  struct skp_query query = { .kind = SKP_QUERY_ADDRESSES,
                             .type = SOCK_STREAM,
                             .host = host,
                             .service = service };
  struct skp_lookup *lookup = NULL;
  assert_int_equal (skp_resolver_start (resolver, &query, &lookup), 0);
  return lookup;
}

void
await_readable (struct skp_lookup *lookup)
{
  struct pollfd ready
      = { .fd = skp_lookup_descriptor (lookup), .events = POLLIN };
  assert_int_equal (poll (&ready, 1, 20000), 1);
}

const struct skp_answer *
finish (struct skp_lookup *lookup)
{
  const struct skp_answer *answer;
  while (!(answer = skp_lookup_take (lookup)))
    await_readable (lookup);
  return answer;
}

int
code_of (struct skp_resolver *resolver, const char *host, const char *service)
{
  struct skp_lookup *lookup = start (resolver, host, service);
  int code = finish (lookup)->code;
  skp_lookup_drop (lookup);
  return code;
}
