/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* See query.h.  Nothing here knows of threads.  */

#include "query.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The flags of idn2_to_ascii_8z: put the name into normal form, and let no
   character mean another one (IDNA 2008 without transition).  */
#define IDN_FLAGS (1 | 8)

static int
is_ascii (const char *text)
{
  while (*text && (unsigned char)*text < 128)
    text++;
  return !*text;
}

/* The ASCII form of the UTF-8 NAME into TO.  The library is loaded by name, as
   the C library does it, so that those who look up no such names need none.  */
static int
to_ascii (char *to, size_t size, const char *name)
{
  char *ascii = NULL;
  int (*convert) (const char *, char **, int);
  void *library = dlopen ("libidn2.so.0", RTLD_LAZY | RTLD_NODELETE);
  if (!library)
    return EAI_IDN_ENCODE;
  *(void **)&convert = dlsym (library, "idn2_to_ascii_8z");
  int failed = !convert || convert (name, &ascii, IDN_FLAGS) != 0
               || strlen (ascii) >= size;
  if (!failed)
    strcpy (to, ascii);
  free (ascii);
  dlclose (library);
  return failed ? EAI_IDN_ENCODE : 0;
}

static int
is_number (const char *text)
{
  return text[strspn (text, "0123456789")] == '\0';
}

/* The C library cuts a port to 16 bits, and takes blanks and a sign before it.
 */
static int
service_refused (const char *service)
{
  if (!is_number (service))
    return strchr (" \t\n\v\f\r+-", *service)
           && is_number (service + 1 + strspn (service + 1, " +-"));
  service += strspn (service, "0");
  return strlen (service) > 5 || atoi (service) > UINT16_MAX;
}

int
skp__copy_text (char *to, size_t size, const char *from)
{
  if (!from)
    return 0;
  size_t length = strlen (from);
  if (length >= size)
    return -ENAMETOOLONG;
  memcpy (to, from, length + 1);
  return 0;
}

static int
names_host (int kind)
{
  return kind == SKP_QUERY_ADDRESSES || kind == SKP_QUERY_HOST_ENTRY;
}

int
skp__query_copy (struct skp__query *to, const struct skp_query *from, int *code)
{
  /* The bytes between the fields count in comparisons.  */
  memset (to, 0, sizeof *to);
  *code = 0;
  if (from->kind < SKP_QUERY_ADDRESSES || from->kind > SKP_QUERY_SERVICE_ENTRY)
    return -EINVAL;
  to->kind = from->kind;
  to->flags = from->flags;
  to->number = from->number;
  if (from->kind == SKP_QUERY_NAMES)
    {
      to->address.length = from->address.length;
      memcpy (&to->address.storage, &from->address.storage,
              from->address.length);
      return 0;
    }
  to->family = from->family;
  to->type = from->type;
  to->protocol = from->protocol;
  /* An empty service is port 0 to the C library; here it would be none.  */
  int is_empty
      = from->kind == SKP_QUERY_ADDRESSES && from->service && !*from->service;
  int err = skp__copy_text (to->service, sizeof to->service,
                            is_empty ? "0" : from->service);
  /* The C library finds nothing for an empty name; here it would be none.  */
  if (from->host && !*from->host)
    *code = EAI_NONAME;
  else if (err == 0 && from->host && names_host (from->kind)
           && !is_ascii (from->host))
    *code = to_ascii (to->host, sizeof to->host, from->host);
  else if (err == 0)
    err = skp__copy_text (to->host, sizeof to->host, from->host);
  if (err == 0 && *code == 0 && to->kind == SKP_QUERY_ADDRESSES
      && service_refused (to->service))
    *code = EAI_SERVICE;
  return err;
}

/* FNV-1a; of what mostly differs.  */
static uint32_t
hash_text (uint32_t hash, const char *text)
{
  while (*text)
    hash = (hash ^ (unsigned char)*text++) * 16777619u;
  return hash;
}

uint32_t
skp__query_hash (const struct skp__query *query)
{
  uint32_t hash = 2166136261u ^ query->number ^ (uint32_t)query->family;
  return hash_text (hash_text (hash, query->host), query->service);
}

struct skp_answer *
skp__answer_code (int code, int error)
{
  struct skp_answer *answer = calloc (1, sizeof *answer);
  if (answer)
    {
      answer->code = code;
      answer->error = error;
    }
  return answer;
}

size_t
skp__answer_size (const struct skp_answer *answer)
{
  return sizeof *answer + answer->count * sizeof answer->found[0]
         + answer->alias_bytes;
}

const char *
skp_answer_aliases (const struct skp_answer *answer)
{
  return (const char *)&answer->found[answer->count];
}

/* An answer to a failed call.  The C library says EAI_SYSTEM with no errno when
   it has run out of descriptors.  */
static struct skp_answer *
failed (int code)
{
  int error = code == EAI_SYSTEM ? errno : 0;
  return skp__answer_code (code, code == EAI_SYSTEM && !error ? EMFILE : error);
}

static void
found_from (struct skp_found *found, const struct addrinfo *info, int flags)
{
  found->flags = flags;
  found->family = info->ai_family;
  found->type = info->ai_socktype;
  found->protocol = info->ai_protocol;
  found->address.length = info->ai_addrlen;
  memcpy (&found->address.storage, info->ai_addr, info->ai_addrlen);
}

static struct skp_answer *
answer_from (const struct addrinfo *list, int flags)
{
  size_t count = 0;
  for (const struct addrinfo *info = list; info; info = info->ai_next)
    count++;
  struct skp_answer *answer
      = calloc (1, sizeof *answer + count * sizeof answer->found[0]);
  if (!answer)
    return NULL;
  if (list->ai_canonname)
    skp__copy_text (answer->host, sizeof answer->host, list->ai_canonname);
  for (; list; list = list->ai_next)
    found_from (&answer->found[answer->count++], list, flags);
  return answer;
}

static struct skp_answer *
run_addresses (const struct skp__query *query, int more_flags)
{
  struct addrinfo hints = { .ai_flags = query->flags | more_flags,
                            .ai_family = query->family,
                            .ai_socktype = query->type,
                            .ai_protocol = query->protocol };
  struct addrinfo *list;
  errno = 0;
  int code
      = getaddrinfo (*query->host ? query->host : NULL,
                     *query->service ? query->service : NULL, &hints, &list);
  if (code)
    return failed (code);
  struct skp_answer *answer = answer_from (list, query->flags);
  freeaddrinfo (list);
  return answer;
}

static struct skp_answer *
run_names (const struct skp__query *query)
{
  struct skp_answer *answer = skp__answer_code (0, 0);
  if (!answer)
    return NULL;
  errno = 0;
  int code
      = getnameinfo ((const struct sockaddr *)&query->address.storage,
                     query->address.length, answer->host, sizeof answer->host,
                     answer->service, sizeof answer->service, query->flags);
  if (!code)
    return answer;
  free (answer);
  return failed (code);
}

struct skp_answer *
skp__query_run (const struct skp__query *query)
{
  switch (query->kind)
    {
    case SKP_QUERY_ADDRESSES:
      return run_addresses (query, 0);
    case SKP_QUERY_NAMES:
      return run_names (query);
    default:
      return skp__query_run_entry (query);
    }
}

struct skp_answer *
skp__query_run_now (const struct skp__query *query)
{
  int numeric = NI_NUMERICHOST | NI_NUMERICSERV;
  if (query->kind == SKP_QUERY_NAMES)
    return (query->flags & numeric) == numeric ? run_names (query) : NULL;
  if (query->kind != SKP_QUERY_ADDRESSES)
    return skp__query_is_numeric_host (query) ? skp__query_run_entry (query)
                                              : NULL;
  if (!is_number (query->service))
    return NULL;
  struct skp_answer *answer = run_addresses (query, AI_NUMERICHOST);
  if (!answer || answer->code != EAI_NONAME || !*query->host
      || (query->flags & AI_NUMERICHOST))
    return answer;
  free (answer);
  return NULL;
}
