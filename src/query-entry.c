/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Entries of the C library's databases of hosts, networks, protocols and
   services: gethostbyname(3), getnetent(3), getprotoent(3), getservent(3).  The
   reentrant functions only, because several threads ask.  */

#include "query.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An entry larger than this is none.  */
#define MOST_BYTES (1024 * 1024)

struct call
{
  const struct skp__query *query;
  char *buffer;
  size_t size;
  int host_error;
  union
  {
    struct hostent host;
    struct netent net;
    struct protoent protocol;
    struct servent service;
  } entry;
};

/* What the functions that ask return: NULL and an errno when there is no such
   entry, or an error.  */
static void *
ask_host (struct call *call, int *error)
{
  const struct skp__query *query = call->query;
  struct in_addr address = { htonl (query->number) };
  struct hostent *found = NULL;
  *error = *query->host
               ? gethostbyname_r (query->host, &call->entry.host, call->buffer,
                                  call->size, &found, &call->host_error)
               : gethostbyaddr_r (&address, sizeof address, AF_INET,
                                  &call->entry.host, call->buffer, call->size,
                                  &found, &call->host_error);
  return found;
}

static void *
ask_net (struct call *call, int *error)
{
  const struct skp__query *query = call->query;
  struct netent *found = NULL;
  *error = *query->host
               ? getnetbyname_r (query->host, &call->entry.net, call->buffer,
                                 call->size, &found, &call->host_error)
               : getnetbyaddr_r (query->number, AF_INET, &call->entry.net,
                                 call->buffer, call->size, &found,
                                 &call->host_error);
  return found;
}

static void *
ask_protocol (struct call *call, int *error)
{
  const struct skp__query *query = call->query;
  struct protoent *found = NULL;
  *error = *query->host
               ? getprotobyname_r (query->host, &call->entry.protocol,
                                   call->buffer, call->size, &found)
               : getprotobynumber_r ((int)query->number, &call->entry.protocol,
                                     call->buffer, call->size, &found);
  return found;
}

static void *
ask_service (struct call *call, int *error)
{
  const struct skp__query *query = call->query;
  const char *protocol = *query->service ? query->service : NULL;
  struct servent *found = NULL;
  *error = *query->host
               ? getservbyname_r (query->host, protocol, &call->entry.service,
                                  call->buffer, call->size, &found)
               : getservbyport_r (htons ((uint16_t)query->number), protocol,
                                  &call->entry.service, call->buffer,
                                  call->size, &found);
  return found;
}

static void
host_from (struct skp_answer *answer, const struct call *call)
{
  const struct hostent *host = &call->entry.host;
  for (size_t i = 0; i < answer->count; i++)
    {
      struct skp_found *found = &answer->found[i];
      struct sockaddr_in *in = (struct sockaddr_in *)&found->address.storage;
      found->family = host->h_addrtype;
      found->address.length = sizeof *in;
      in->sin_family = AF_INET;
      memcpy (&in->sin_addr, host->h_addr_list[i], sizeof in->sin_addr);
    }
}

static void
net_from (struct skp_answer *answer, const struct call *call)
{
  answer->number = call->entry.net.n_net;
}

static void
protocol_from (struct skp_answer *answer, const struct call *call)
{
  answer->number = (uint32_t)call->entry.protocol.p_proto;
}

static void
service_from (struct skp_answer *answer, const struct call *call)
{
  const struct servent *service = &call->entry.service;
  answer->number = ntohs ((uint16_t)service->s_port);
  skp__copy_text (answer->service, sizeof answer->service, service->s_proto);
}

static size_t
count_addresses (const struct call *call)
{
  const struct hostent *host = &call->entry.host;
  size_t count = 0;
  if (host->h_length == sizeof (struct in_addr))
    while (host->h_addr_list[count])
      count++;
  return count;
}

static char **
host_aliases (const struct call *call)
{
  return call->entry.host.h_aliases;
}

static char **
net_aliases (const struct call *call)
{
  return call->entry.net.n_aliases;
}

static char **
protocol_aliases (const struct call *call)
{
  return call->entry.protocol.p_aliases;
}

static char **
service_aliases (const struct call *call)
{
  return call->entry.service.s_aliases;
}

/* All four begin with the name.  */
static const struct database
{
  void *(*ask) (struct call *call, int *error);
  char **(*aliases) (const struct call *call);
  size_t (*count) (const struct call *call); /* of addresses; NULL: none */
  void (*fill) (struct skp_answer *answer, const struct call *call);
} databases[] = {
  { ask_host, host_aliases, count_addresses, host_from },
  { ask_net, net_aliases, NULL, net_from },
  { ask_protocol, protocol_aliases, NULL, protocol_from },
  { ask_service, service_aliases, NULL, service_from },
};

static struct skp_answer *
answer_from (const struct database *database, const struct call *call,
             const char *name)
{
  char **aliases = database->aliases (call);
  size_t count = database->count ? database->count (call) : 0, bytes = 0;
  for (char **alias = aliases; *alias; alias++)
    bytes += strlen (*alias) + 1;
  struct skp_answer *answer
      = calloc (1, sizeof *answer + count * sizeof answer->found[0] + bytes);
  if (!answer)
    return NULL;
  answer->count = count;
  answer->alias_bytes = bytes;
  skp__copy_text (answer->host, sizeof answer->host, name);
  database->fill (answer, call);
  char *at = (char *)skp_answer_aliases (answer);
  for (char **alias = aliases; *alias; alias++)
    at = stpcpy (at, *alias) + 1;
  return answer;
}

/* Databases in files know no host_error.  */
static struct skp_answer *
failed (const struct call *call, int error)
{
  static const struct
  {
    int host_error, code;
  } codes[] = { { HOST_NOT_FOUND, EAI_NONAME },
                { TRY_AGAIN, EAI_AGAIN },
                { NO_RECOVERY, EAI_FAIL },
                { NO_DATA, EAI_NODATA } };
  if (error == 0 || error == ENOENT)
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
      if (codes[i].host_error == call->host_error)
        return skp__answer_code (codes[i].code, 0);
  if (call->host_error == TRY_AGAIN)
    return skp__answer_code (EAI_AGAIN, 0);
  return skp__answer_code (EAI_SYSTEM, error ? error : EIO);
}

static struct skp_answer *
ask (const struct database *database, struct call *call)
{
  int error;
  const char *const *name = database->ask (call, &error);
  if (name)
    return answer_from (database, call, *name);
  return error == ERANGE && call->size < MOST_BYTES ? NULL
                                                    : failed (call, error);
}

struct skp_answer *
skp__query_run_entry (const struct skp__query *query)
{
  const struct database *database
      = &databases[query->kind - SKP_QUERY_HOST_ENTRY];
  struct skp_answer *answer = NULL;
  for (size_t size = 1024; !answer; size *= 2)
    {
      struct call call = { .query = query,
                           .buffer = malloc (size),
                           .size = size,
                           .host_error = HOST_NOT_FOUND };
      if (!call.buffer)
        return NULL;
      answer = ask (database, &call);
      free (call.buffer);
    }
  return answer;
}

int
skp__query_is_numeric_host (const struct skp__query *query)
{
  struct in_addr address;
  return query->kind == SKP_QUERY_HOST_ENTRY && *query->host
         && inet_aton (query->host, &address);
}
