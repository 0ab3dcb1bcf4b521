/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What is known of a session, as values.  */

#include "stream.h"

#include <errno.h>
#include <string.h>

/* Call USE with the session of PORT, its lock held; WHO's error if it is
   closed. What USE fills in is turned into values outside of the lock.  */
static void
with_session (SCM port, const char *who,
              void (*use) (struct skp_tls *tls, void *data), void *data)
{
  struct stream *s = scm_skp__tls_stream (port, 1, who);
  pthread_mutex_lock (&s->lock);
  int open = s->tls != NULL;
  if (open)
    use (s->tls, data);
  pthread_mutex_unlock (&s->lock);
  if (!open)
    scm_wrong_type_arg_msg (who, 1, port, "open port of TLS");
}

struct facts
{
  int version, resumed;
  const char *cipher;
  char protocol[256], name[256];
};

static void
copy (char *to, size_t room, const char *text, size_t size)
{
  size = size < room - 1 ? size : room - 1;
  if (size > 0)
    memcpy (to, text, size);
  to[size] = '\0';
}

static void
find_facts (struct skp_tls *tls, void *data)
{
  struct facts *facts = data;
  size_t size = 0;
  facts->version = skp_tls_version (tls);
  facts->resumed = skp_tls_resumed (tls);
  facts->cipher = skp_tls_cipher (tls);
  const char *protocol = skp_tls_protocol (tls, &size);
  copy (facts->protocol, sizeof facts->protocol, protocol, protocol ? size : 0);
  const char *name = skp_tls_name (tls);
  copy (facts->name, sizeof facts->name, name, name ? strlen (name) : 0);
}

static SCM
text_or_false (const char *text)
{
  return text && *text ? scm_from_latin1_string (text) : SCM_BOOL_F;
}

/* The vector #(version resumed? cipher protocol name), for WHO, a string.  */
static SCM
facts (SCM port, SCM who)
{
  struct facts found;
  char name[32] = "";
  scm_to_locale_stringbuf (who, name, sizeof name - 1);
  with_session (port, name, find_facts, &found);
  SCM result = scm_c_make_vector (5, SCM_BOOL_F);
  scm_c_vector_set_x (result, 0, scm_from_int (found.version));
  scm_c_vector_set_x (result, 1, scm_from_bool (found.resumed));
  scm_c_vector_set_x (result, 2, text_or_false (found.cipher));
  scm_c_vector_set_x (result, 3, text_or_false (found.protocol));
  scm_c_vector_set_x (result, 4, text_or_false (found.name));
  return result;
}

struct wanted
{
  size_t index, size, room;
  unsigned char *bytes;
};

static void
find_certificate (struct skp_tls *tls, void *data)
{
  struct wanted *wanted = data;
  const unsigned char *der = NULL;
  wanted->size = skp_tls_certificate (tls, wanted->index, &der);
  if (wanted->size > 0 && wanted->size <= wanted->room)
    memcpy (wanted->bytes, der, wanted->size);
}

/* The certificate at INDEX as a bytevector, or #f.  */
static SCM
certificate (SCM port, SCM index)
{
  static const char who[] = "tls-peer-certificates";
  struct wanted wanted = { .index = scm_to_size_t (index) };
  with_session (port, who, find_certificate, &wanted);
  if (wanted.size == 0)
    return SCM_BOOL_F;
  SCM der = scm_c_make_bytevector (wanted.size);
  wanted.room = wanted.size;
  wanted.bytes = (unsigned char *)SCM_BYTEVECTOR_CONTENTS (der);
  with_session (port, who, find_certificate, &wanted);
  return wanted.size == wanted.room ? der : SCM_BOOL_F;
}

static SCM
is_tls_port (SCM object)
{
  return scm_from_bool (SCM_PORTP (object)
                        && SCM_PORT_TYPE (object) == scm_skp__tls_type);
}

static SCM
socket_below (SCM port)
{
  return scm_skp__tls_stream (port, 1, "tls-socket")->sock;
}

void
scm_skp__tls_init_peer (void)
{
  scm_skp__tls_define ("%tls-facts", 2, facts);
  scm_skp__tls_define ("%tls-certificate", 2, certificate);
  scm_skp__tls_define ("tls-port?", 1, is_tls_port);
  scm_skp__tls_define ("tls-socket", 1, socket_below);
}
