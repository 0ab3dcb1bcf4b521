/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* getaddrinfo and getnameinfo, and look-ups of any kind.  The primitives return
   the value when it can be had at once, else a lookup, which the Scheme layer
   waits for; the functions for C wait themselves.  */

#include "resolve.h"
#include "helper-path.h"
#include "port.h"
#include "primitive.h"
#include "value.h"
#include "wait.h"
#include "task/claim.h"
#include "task/notice.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sockport/bulk.h>
#include <sockport/guile.h>
#include <sockport/poller.h>

/* How many look-ups run at once.  */
#define LIMIT 32

/* How long a fork waits for those that run to end.  */
#define FORK_MS 20

static scm_t_bits lookup_type;
static struct skp_resolver *resolver;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
before_fork (void)
{
  skp_resolver_before_fork (resolver, FORK_MS);
}

static void
in_parent (void)
{
  skp_resolver_after_fork (resolver, 0);
}

static void
in_child (void)
{
  skp_resolver_after_fork (resolver, 1);
}

/* What an object of Scheme holds, until it has been dropped.  */
struct held
{
  struct skp_lookup *lookup;
  struct scm_skp__notice notice;
};

static void
let_go (struct held *held)
{
  skp_lookup_drop (held->lookup);
  scm_skp__notice_end (&held->notice);
  free (held);
}

static size_t
lookup_free (SCM lookup)
{
  struct held *held = (struct held *)SCM_SMOB_DATA (lookup);
  if (held)
    let_go (held);
  return 0;
}

static void
open_resolver (void)
{
  const char *helper = secure_getenv ("SOCKPORT_RESOLVE");
  lookup_type = scm_make_smob_type ("lookup", 0);
  scm_set_smob_free (lookup_type, lookup_free);
  if (skp_resolver_open (&resolver, LIMIT,
                         helper ? helper : scm_skp__resolve_helper)
      == 0)
    pthread_atfork (before_fork, in_parent, in_child);
}

const char *
scm_skp__resolve_text (SCM name, int pos, const char *who)
{
  size_t length;
  if (SCM_UNBNDP (name) || scm_is_false (name))
    return NULL;
  if (!scm_is_string (name))
    scm_wrong_type_arg_msg (who, pos, name, "string or #f");
  char *bytes = scm_to_utf8_stringn (name, &length);
  char *copy = scm_gc_malloc_pointerless (length + 1, "name");
  memcpy (copy, bytes, length);
  copy[length] = '\0';
  free (bytes);
  if (strlen (copy) < length)
    scm_wrong_type_arg_msg (who, pos, name, "string without NUL");
  return copy;
}

static SCM
entry_from (const struct skp_found *found)
{
  SCM vector = scm_c_make_vector (6, SCM_BOOL_F);
  SCM_SIMPLE_VECTOR_SET (vector, 0, scm_from_int (found->flags));
  SCM_SIMPLE_VECTOR_SET (vector, 1, scm_from_int (found->family));
  SCM_SIMPLE_VECTOR_SET (vector, 2, scm_from_int (found->type));
  SCM_SIMPLE_VECTOR_SET (vector, 3, scm_from_int (found->protocol));
  SCM_SIMPLE_VECTOR_SET (vector, 4, scm_skp__address_from (&found->address));
  return vector;
}

static SCM
text_from (const char *text)
{
  return scm_skp__name_from (text, strlen (text));
}

static SCM
addresses_from (const struct skp_answer *answer)
{
  SCM list = SCM_EOL;
  for (size_t i = answer->count; i-- > 0;)
    list = scm_cons (entry_from (&answer->found[i]), list);
  /* The canonical name is the first one's, as in the C library.  */
  if (*answer->host && answer->count > 0)
    SCM_SIMPLE_VECTOR_SET (SCM_CAR (list), 5, text_from (answer->host));
  return list;
}

/* What ANSWER to a query of KIND means to Scheme: for one that is no entry, the
   EAI_ number if it failed, and the errno of EAI_SYSTEM in errno.  */
static SCM
value_from (const struct skp_answer *answer, int kind, SCM what)
{
  if (kind >= SKP_QUERY_HOST_ENTRY)
    return scm_skp__entry_from (answer, kind, what);
  if (answer->code)
    {
      errno = answer->error;
      return SCM_I_MAKINUM (answer->code);
    }
  if (answer->count > 0)
    return addresses_from (answer);
  return scm_cons (text_from (answer->host), text_from (answer->service));
}

static void
drop (void *lookup)
{
  skp_lookup_drop (lookup);
}

static SCM
object_from (struct skp_lookup *lookup, SCM what, int kind, const char *who)
{
  struct held *held = calloc (1, sizeof *held);
  if (!held)
    {
      skp_lookup_drop (lookup);
      scm_skp__error (-ENOMEM, who);
    }
  held->lookup = lookup;
  return scm_new_double_smob (lookup_type, (scm_t_bits)held, SCM_UNPACK (what),
                              (scm_t_bits)kind);
}

SCM
scm_skp__resolve_begin (const struct skp_query *query, SCM what,
                        const char *who)
{
  struct skp_lookup *lookup;
  pthread_once (&once, open_resolver);
  int err = resolver ? skp_resolver_start (resolver, query, &lookup) : -ENOMEM;
  if (err == -ENAMETOOLONG)
    return value_from (&(struct skp_answer){ .code = EAI_NONAME }, query->kind,
                       what);
  if (err < 0)
    scm_skp__error (err, who);
  const struct skp_answer *answer = skp_lookup_take (lookup);
  if (!answer)
    return object_from (lookup, what, query->kind, who);
  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler (drop, lookup, SCM_F_WIND_EXPLICITLY);
  SCM value = value_from (answer, query->kind, what);
  scm_dynwind_end ();
  return value;
}

static SCM
resolve_addresses (SCM name, SCM service, SCM flags, SCM family, SCM type,
                   SCM protocol)
{
  static const char who[] = "getaddrinfo";
  struct skp_query query = { .kind = SKP_QUERY_ADDRESSES };
  query.host = scm_skp__resolve_text (name, 1, who);
  query.service = scm_skp__resolve_text (service, 2, who);
  query.flags = (int)scm_skp__integer (flags, INT32_MIN, INT32_MAX, 3, who);
  query.family = (int)scm_skp__integer (family, INT32_MIN, INT32_MAX, 4, who);
  query.type = (int)scm_skp__integer (type, INT32_MIN, INT32_MAX, 5, who);
  query.protocol
      = (int)scm_skp__integer (protocol, INT32_MIN, INT32_MAX, 6, who);
  return scm_skp__resolve_begin (&query, name, who);
}

static SCM
resolve_names (SCM address, SCM flags)
{
  static const char who[] = "getnameinfo";
  struct skp_query query = { .kind = SKP_QUERY_NAMES };
  scm_skp__address_to (&query.address, address, 1, who);
  query.flags = (int)scm_skp__integer (flags, 0, INT32_MAX, 2, who);
  return scm_skp__resolve_begin (&query, address, who);
}

static SCM
is_lookup (SCM object)
{
  return scm_from_bool (SCM_SMOB_PREDICATE (lookup_type, object));
}

/* A lookup that has been dropped is NULL.  */
static struct held *
held_by (SCM lookup)
{
  scm_assert_smob_type (lookup_type, lookup);
  struct held *held = (struct held *)SCM_SMOB_DATA (lookup);
  if (!held)
    scm_wrong_type_arg_msg ("getaddrinfo", 1, lookup, "lookup that was kept");
  return held;
}

/* A port that is readable when LOOKUP can be taken.  */
static SCM
lookup_port (SCM lookup)
{
  int fd = skp_lookup_descriptor (held_by (lookup)->lookup);
  if (fd >= 0)
    fd = skp_bulk_share (fd);
  if (fd < 0)
    scm_skp__error (fd, scm_skp__resolve_who ((int)SCM_SMOB_DATA_3 (lookup)));
  return scm_skp__port (fd);
}

/* WAITER, of a task, waits for LOOKUP until %lookup-tell-nobody; #t if its wait
   is over.  */
static SCM
lookup_tell (SCM lookup, SCM waiter)
{
  struct held *held = held_by (lookup);
  scm_skp__notice_begin (&held->notice, waiter);
  if (!skp_lookup_tell (held->lookup, scm_skp__notice_give,
                        scm_skp__notice_wake, &held->notice))
    return SCM_BOOL_F;
  scm_skp__claim (waiter, SCM_BOOL_F);
  return SCM_BOOL_T;
}

static SCM
lookup_tell_nobody (SCM lookup)
{
  struct held *held = held_by (lookup);
  skp_lookup_tell (held->lookup, NULL, NULL, NULL);
  scm_skp__notice_end (&held->notice);
  return SCM_UNSPECIFIED;
}

/* A port that is readable when one of those added to it is readable, or
   writable if it was added for that.  */
static SCM
port_set (void)
{
  int fd = skp_poller_set_open ();
  if (fd < 0)
    scm_skp__error (fd, "connect-to");
  return scm_skp__port (fd);
}

static SCM
port_set_add (SCM set, SCM port, SCM writable)
{
  static const char who[] = "connect-to";
  int err = skp_poller_set_add (
      scm_skp__fd (set, 1, who), scm_skp__fd (port, 2, who),
      scm_is_true (writable) ? SKP_POLLER_WRITE : SKP_POLLER_READ);
  if (err < 0)
    scm_skp__error (err, who);
  return SCM_UNSPECIFIED;
}

/* Its value, or #f if there is none yet.  */
static SCM
lookup_take (SCM lookup)
{
  const struct skp_answer *answer = skp_lookup_take (held_by (lookup)->lookup);
  SCM value = answer ? value_from (answer, (int)SCM_SMOB_DATA_3 (lookup),
                                   SCM_SMOB_OBJECT_2 (lookup))
                     : SCM_BOOL_F;
  scm_remember_upto_here_1 (lookup);
  return value;
}

static SCM
lookup_drop (SCM lookup)
{
  struct held *held = held_by (lookup);
  SCM_SET_SMOB_DATA (lookup, 0);
  let_go (held);
  return SCM_UNSPECIFIED;
}

static void
forget (SCM lookup)
{
  lookup_drop (lookup);
}

static void
forget_port (SCM port)
{
  scm_skp_close_port (port);
}

static SCM
value_or_throw (SCM value)
{
  if (SCM_I_INUMP (value))
    scm_throw (scm_from_utf8_symbol ("getaddrinfo-error"), scm_list_1 (value));
  return value;
}

SCM
scm_skp__resolve_finish (SCM begun, const char *who)
{
  SCM value;
  if (!SCM_SMOB_PREDICATE (lookup_type, begun))
    return value_or_throw (begun);
  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler_with_scm (forget, begun, SCM_F_WIND_EXPLICITLY);
  SCM port = lookup_port (begun);
  scm_dynwind_unwind_handler_with_scm (forget_port, port,
                                       SCM_F_WIND_EXPLICITLY);
  while (scm_is_false (value = lookup_take (begun)))
    scm_skp__wait (port, POLLIN, -1, who);
  scm_dynwind_end ();
  return value_or_throw (value);
}

static SCM
number_or (SCM value)
{
  return SCM_UNBNDP (value) || scm_is_false (value) ? SCM_INUM0 : value;
}

SCM
scm_skp_getaddrinfo (SCM name, SCM service, SCM flags, SCM family, SCM type,
                     SCM protocol)
{
  return scm_skp__resolve_finish (
      resolve_addresses (name, service, number_or (flags), number_or (family),
                         number_or (type), number_or (protocol)),
      "getaddrinfo");
}

SCM
scm_skp_getnameinfo (SCM address, SCM flags)
{
  return scm_skp__resolve_finish (resolve_names (address, number_or (flags)),
                                  "getnameinfo");
}

void
scm_skp__init_resolve (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%resolve-addresses", 6, 0, 0, resolve_addresses },
    { "%resolve-names", 2, 0, 0, resolve_names },
    { "%lookup?", 1, 0, 0, is_lookup },
    { "%port-set", 0, 0, 0, port_set },
    { "%port-set-add!", 3, 0, 0, port_set_add },
    { "%lookup-port", 1, 0, 0, lookup_port },
    { "%lookup-tell", 2, 0, 0, lookup_tell },
    { "%lookup-tell-nobody", 1, 0, 0, lookup_tell_nobody },
    { "%lookup-take", 1, 0, 0, lookup_take },
    { "%lookup-drop", 1, 0, 0, lookup_drop },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
