/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Looking names up without waiting: getaddrinfo(3), getnameinfo(3) and the
   databases of hosts, networks, protocols and services of the C library, in
   threads of the resolver's own.

   A query is started; a descriptor becomes readable, or a function is called,
   when the answer can be taken.  Whoever has lost interest drops the lookup at
   any time; the thread goes on by itself until the C library returns.  Queries
   that need no look-up, such as numeric ones, are answered at once without a
   thread.

   A thread is kept for a second after its last look-up and is given further
   ones that are asked for in the network and mount namespaces in which it was
   born; it has all signals blocked.  */

#ifndef SKP_RESOLVE_H
#define SKP_RESOLVE_H

#include <netdb.h>
#include <stdint.h>
#include <sockport/address.h>

SKP_BEGIN_DECLS

/* Runs at most LIMIT look-ups at once; the others wait in their order.  Equal
   queries at the same time share one.  For use by any number of threads.  */
struct skp_resolver;

/* HELPER is the path of the program sockport-resolve, for children of fork (see
   below), or NULL; it must stay.  0, -ENOMEM, -EINVAL (LIMIT below 1).  */
SKP_API int skp_resolver_open (struct skp_resolver **resolver, int limit,
                               const char *helper);

/* Memory is freed when the last lookup is dropped and the last thread ends.  */
SKP_API void skp_resolver_close (struct skp_resolver *resolver);

enum skp_query_kind
{
  SKP_QUERY_ADDRESSES, /* HOST or SERVICE, or both, to addresses */
  SKP_QUERY_NAMES,     /* ADDRESS to the names of its host and service */
  /* Entries by HOST, their name, or if that is NULL by NUMBER.  */
  SKP_QUERY_HOST_ENTRY,     /* NUMBER: an IPv4 address */
  SKP_QUERY_NET_ENTRY,      /* NUMBER: an IPv4 network */
  SKP_QUERY_PROTOCOL_ENTRY, /* NUMBER: the protocol's */
  SKP_QUERY_SERVICE_ENTRY   /* NUMBER: the port; SERVICE: the protocol's name,
                               or NULL for any */
};

/* The longest host and service, their NULs included.  */
#define SKP_QUERY_HOST 1025
#define SKP_QUERY_SERVICE 256

/* FLAGS are those of AI_ or NI_ constants.  HOST and SERVICE end with a NUL and
   may be NULL; a HOST that is not ASCII is UTF-8 and is converted (IDNA 2008).
 */
struct skp_query
{
  int kind, flags, family, type, protocol;
  uint32_t number;
  const char *host, *service;
  struct skp_address address;
};

/* One of the addresses that a query found.  */
struct skp_found
{
  int flags, family, type, protocol;
  struct skp_address address;
};

/* CODE is 0 or an EAI_ number; with EAI_SYSTEM, ERROR is the errno.  HOST is
   the canonical name if it was asked for, or the name of an address's host;
   SERVICE that of its service.  Either may be empty.

   Of an entry, HOST is its official name, NUMBER that of the network, of the
   protocol, or the port, SERVICE the name of a service's protocol, and FOUND
   has the IPv4 addresses of a host.  */
struct skp_answer
{
  int code, error;
  char host[SKP_QUERY_HOST], service[SKP_QUERY_SERVICE];
  uint32_t number;
  size_t alias_bytes, count;
  struct skp_found found[];
};

/* The other names of an entry, each with its NUL, one after the other in
   alias_bytes bytes.  */
SKP_API const char *skp_answer_aliases (const struct skp_answer *answer);

struct skp_lookup;

/* Start to look QUERY up, and store the lookup.  0, -ENOMEM, -EINVAL (kind),
   -ENAMETOOLONG.  */
SKP_API int skp_resolver_start (struct skp_resolver *resolver,
                                const struct skp_query *query,
                                struct skp_lookup **lookup);

/* A descriptor that is readable when skp_lookup_take should be called; it is
   made when it is asked for first, and belongs to LOOKUP.  -1 if the answer was
   known without a look-up, -EMFILE, -ENFILE, -ENOMEM.  */
SKP_API int skp_lookup_descriptor (struct skp_lookup *lookup);

/* Have TELL called with DATA when skp_lookup_take should be called, in any
   thread, once or more, under a lock of the resolver's.  Unless it returns
   NULL, WAKE is called with what it returns soon after, whether LOOKUP has been
   dropped or not: once the lock is free, so that whoever is woken does not meet
   it, but if several are told at once, for the last of them alone.  Neither may
   call anything of the resolver's.  1, and nothing is called, if LOOKUP can be
   taken already, else 0.  A TELL of NULL: no more.  */
SKP_API int skp_lookup_tell (struct skp_lookup *lookup, void *(*tell) (void *),
                             void (*wake) (void *), void *data);

/* The answer, which stays as long as LOOKUP does; NULL if there is none yet.
   A lookup that had to wait for others is begun here if no thread is idle, in
   the namespaces of the calling thread.  */
SKP_API const struct skp_answer *skp_lookup_take (struct skp_lookup *lookup);

/* Let go of LOOKUP, whether it has been answered or not.  */
SKP_API void skp_lookup_drop (struct skp_lookup *lookup);

/* Around fork(2), for pthread_atfork(3): look-ups that run get MILLISECONDS to
   end.  If one has not, the C library's locks may be held for ever in the
   child: there, look-ups are made by the resolver's helper, a program; without
   one they end with EAI_AGAIN, as do those that the parent had begun.  */
SKP_API void skp_resolver_before_fork (struct skp_resolver *resolver,
                                       int milliseconds);
SKP_API void skp_resolver_after_fork (struct skp_resolver *resolver, int child);

SKP_END_DECLS

#endif /* SKP_RESOLVE_H */
