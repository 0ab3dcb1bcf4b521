/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What is known of a session and of who is at its other end.  */

#include "internal.h"

#include <string.h>

int
skp_tls_version (struct skp_tls *tls)
{
  pthread_mutex_lock (&tls->lock);
  int version
      = gnutls_protocol_get_version (tls->session) == GNUTLS_TLS1_3 ? 13 : 12;
  pthread_mutex_unlock (&tls->lock);
  return version;
}

const char *
skp_tls_cipher (struct skp_tls *tls)
{
  pthread_mutex_lock (&tls->lock);
  const char *name = gnutls_ciphersuite_get (tls->session);
  pthread_mutex_unlock (&tls->lock);
  return name;
}

const char *
skp_tls_protocol (struct skp_tls *tls, size_t *size)
{
  gnutls_datum_t protocol = { .size = 0 };
  pthread_mutex_lock (&tls->lock);
  int code = gnutls_alpn_get_selected_protocol (tls->session, &protocol);
  pthread_mutex_unlock (&tls->lock);
  if (code < 0)
    return NULL;
  *size = protocol.size;
  return (const char *)protocol.data;
}

const char *
skp_tls_name (struct skp_tls *tls)
{
  if (!tls->server)
    return tls->address_size == 0 ? tls->host : NULL;
  return tls->name[0] ? tls->name : NULL;
}

int
skp_tls_resumed (struct skp_tls *tls)
{
  pthread_mutex_lock (&tls->lock);
  int resumed = gnutls_session_is_resumed (tls->session) != 0;
  pthread_mutex_unlock (&tls->lock);
  return resumed;
}

size_t
skp_tls_certificate (struct skp_tls *tls, size_t index,
                     const unsigned char **der)
{
  unsigned count = 0;
  pthread_mutex_lock (&tls->lock);
  const gnutls_datum_t *peers
      = gnutls_certificate_get_peers (tls->session, &count);
  pthread_mutex_unlock (&tls->lock);
  if (!peers || index >= count)
    return 0;
  *der = peers[index].data;
  return peers[index].size;
}

unsigned
skp_tls_reasons (struct skp_tls *tls)
{
  return tls->reasons;
}

const char *
skp_tls_alert (struct skp_tls *tls)
{
  static const char prefix[] = "GNUTLS_A_";
  if (tls->alert < 0)
    return tls->below ? skp_tls_alert (tls->below) : NULL;
  const char *name
      = gnutls_alert_get_strname ((gnutls_alert_description_t)tls->alert);
  if (!name)
    return "UNKNOWN";
  return strncmp (name, prefix, sizeof prefix - 1) == 0
             ? name + sizeof prefix - 1
             : name;
}

/* Only these stand for several codes.  */
const char *
skp_tls_detail (struct skp_tls *tls)
{
  int error = tls->code < 0 ? skp__tls_error (tls->code) : 0;
  if (error == -SKP_TLS_PROTOCOL || error == -SKP_TLS_NO_CIPHER
      || error == -SKP_TLS_OTHER)
    return gnutls_strerror (tls->code);
  return tls->below ? skp_tls_detail (tls->below) : NULL;
}
