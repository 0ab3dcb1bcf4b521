/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Entries of the databases of hosts, networks, protocols and services, in the
   vectors and with the errors of Guile's own procedures.  */

#include "primitive.h"
#include "resolve.h"
#include "value.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sockport/guile.h>

/* A kind of entry: its procedure, what NUMBER is at most, and what errors call
   it; NULL for hosts, which have keys of their own.  */
static const struct database
{
  const char *who, *noun;
  int64_t most;
} databases[] = {
  { "gethost", NULL, UINT32_MAX },
  { "getnet", "network", UINT32_MAX },
  { "getproto", "protocol", INT32_MAX },
  { "getserv", "service", UINT16_MAX },
};

static const struct database *
database_of (int kind)
{
  return &databases[kind - SKP_QUERY_HOST_ENTRY];
}

const char *
scm_skp__resolve_who (int kind)
{
  return kind == SKP_QUERY_ADDRESSES ? "getaddrinfo"
         : kind == SKP_QUERY_NAMES   ? "getnameinfo"
                                     : database_of (kind)->who;
}

static SCM
text_from (const char *text)
{
  return scm_skp__name_from (text, strlen (text));
}

static SCM
aliases_from (const struct skp_answer *answer)
{
  SCM list = SCM_EOL;
  const char *alias = skp_answer_aliases (answer);
  for (size_t at = 0; at < answer->alias_bytes; at += strlen (alias + at) + 1)
    list = scm_cons (text_from (alias + at), list);
  return scm_reverse_x (list, SCM_EOL);
}

static SCM
addresses_from (const struct skp_answer *answer)
{
  SCM list = SCM_EOL;
  for (size_t i = answer->count; i-- > 0;)
    {
      const struct sockaddr_in *in
          = (const struct sockaddr_in *)&answer->found[i].address.storage;
      list = scm_cons (scm_from_uint32 (ntohl (in->sin_addr.s_addr)), list);
    }
  return list;
}

static SCM
value_from (const struct skp_answer *answer, int kind)
{
  SCM number = scm_from_uint32 (answer->number),
      family = scm_from_int (AF_INET);
  SCM parts = SCM_EOL;
  switch (kind)
    {
    case SKP_QUERY_HOST_ENTRY:
      parts = scm_list_3 (family, scm_from_int (sizeof (struct in_addr)),
                          addresses_from (answer));
      break;
    case SKP_QUERY_NET_ENTRY:
      parts = scm_list_2 (family, number);
      break;
    case SKP_QUERY_PROTOCOL_ENTRY:
      parts = scm_list_1 (number);
      break;
    default:
      parts = scm_list_2 (number, text_from (answer->service));
    }
  return scm_vector (
      scm_cons2 (text_from (answer->host), aliases_from (answer), parts));
}

/* A host's errors have a key each.  */
static void
raise_host (const struct skp_answer *answer, SCM what, const char *who)
{
  static const struct
  {
    int code;
    const char *key, *words;
  } errors[] = {
    { EAI_AGAIN, "try-again", "No answer about the host ~S, try again" },
    { EAI_FAIL, "no-recovery", "Name server failed on the host ~S" },
    { EAI_NODATA, "no-data", "No address of the host ~S" },
    { 0, "host-not-found", "Unknown host ~S" },
  };
  size_t i = 0;
  while (errors[i].code && errors[i].code != answer->code)
    i++;
  scm_error (scm_from_utf8_symbol (errors[i].key), who, errors[i].words,
             scm_list_1 (what), SCM_EOL);
}

static int
errno_of (const struct skp_answer *answer)
{
  return answer->code == EAI_SYSTEM   ? answer->error
         : answer->code == EAI_MEMORY ? ENOMEM
         : answer->code == EAI_AGAIN  ? EAGAIN
                                      : ENOENT;
}

static void
raise_other (int error, const char *noun, SCM what, const char *who)
{
  scm_syserror_msg (who, error == ENOENT ? "no such ~A ~S" : "~A ~S: ~A",
                    scm_cons2 (scm_from_utf8_string (noun), what,
                               error == ENOENT ? SCM_EOL
                                               : scm_list_1 (scm_strerror (
                                                   scm_from_int (error)))),
                    error);
}

SCM
scm_skp__entry_from (const struct skp_answer *answer, int kind, SCM what)
{
  const struct database *database = database_of (kind);
  if (answer->code == 0)
    return value_from (answer, kind);
  int error = errno_of (answer);
  if (database->noun)
    raise_other (error, database->noun, what, database->who);
  if (answer->code == EAI_SYSTEM || answer->code == EAI_MEMORY)
    scm_skp__error (-error, database->who);
  raise_host (answer, what, database->who);
  return SCM_UNDEFINED;
}

/* The value, or a lookup, of what KEY, a name or a number, is called.  */
static SCM
begin (int kind, SCM key, const char *protocol)
{
  const struct database *database = database_of (kind);
  struct skp_query query = { .kind = kind, .service = protocol };
  if (scm_is_string (key))
    query.host = scm_skp__resolve_text (key, 1, database->who);
  else if (scm_is_exact_integer (key))
    query.number
        = (uint32_t)scm_skp__integer (key, 0, database->most, 1, database->who);
  else
    scm_wrong_type_arg_msg (database->who, 1, key, "string or exact integer");
  return scm_skp__resolve_begin (&query, key, database->who);
}

static SCM
resolve_host (SCM host)
{
  return begin (SKP_QUERY_HOST_ENTRY, host, NULL);
}

static SCM
resolve_net (SCM net)
{
  return begin (SKP_QUERY_NET_ENTRY, net, NULL);
}

static SCM
resolve_protocol (SCM protocol)
{
  return begin (SKP_QUERY_PROTOCOL_ENTRY, protocol, NULL);
}

static SCM
resolve_service (SCM name, SCM protocol)
{
  return begin (SKP_QUERY_SERVICE_ENTRY, name,
                scm_skp__resolve_text (protocol, 2, "getserv"));
}

/* Without an argument, the next entry of the file: Guile's own.  */
SCM
scm_skp_gethost (SCM host)
{
  return SCM_UNBNDP (host)
             ? scm_gethost (host)
             : scm_skp__resolve_finish (resolve_host (host), "gethost");
}

SCM
scm_skp_getnet (SCM net)
{
  return SCM_UNBNDP (net)
             ? scm_getnet (net)
             : scm_skp__resolve_finish (resolve_net (net), "getnet");
}

SCM
scm_skp_getproto (SCM protocol)
{
  return SCM_UNBNDP (protocol) ? scm_getproto (protocol)
                               : scm_skp__resolve_finish (
                                   resolve_protocol (protocol), "getproto");
}

SCM
scm_skp_getserv (SCM name, SCM protocol)
{
  return SCM_UNBNDP (name) ? scm_getserv (name, protocol)
                           : scm_skp__resolve_finish (
                               resolve_service (name, protocol), "getserv");
}

void
scm_skp__init_resolve_entry (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%resolve-host", 1, 0, 0, resolve_host },
    { "%resolve-net", 1, 0, 0, resolve_net },
    { "%resolve-protocol", 1, 0, 0, resolve_protocol },
    { "%resolve-service", 2, 0, 0, resolve_service },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
