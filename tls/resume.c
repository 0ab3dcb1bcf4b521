/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Sessions that clients can resume: under the context that has made them and
   the host that they were for, each once, as TLS 1.3 wants it.  */

#include "internal.h"

#include <stdlib.h>
#include <string.h>

#define STATUS_REQUEST 5 /* RFC 7633, RFC 6066 */

static void
release (struct skp__tls_saved *saved)
{
  free (saved->host);
  gnutls_memset (saved->data.data, 0, saved->data.size);
  gnutls_free (saved->data.data);
}

static void
remove_at (struct skp__tls_cache *cache, size_t at)
{
  cache->count--;
  memmove (&cache->saved[at], &cache->saved[at + 1],
           (cache->count - at) * sizeof cache->saved[0]);
}

void
skp__tls_cache_clear (struct skp__tls_cache *cache)
{
  for (size_t i = 0; i < cache->count; i++)
    release (&cache->saved[i]);
  cache->count = 0;
}

/* Does the peer's certificate demand word of its revocation?  There is none in
   a session that is resumed.  */
static int
demands_staple (struct skp_tls *tls)
{
  unsigned count = 0, critical, feature = 0;
  const gnutls_datum_t *peer
      = gnutls_certificate_get_peers (tls->session, &count);
  gnutls_x509_crt_t certificate;
  gnutls_x509_tlsfeatures_t features;
  if (count == 0 || gnutls_x509_crt_init (&certificate) < 0)
    return 1;
  int demands = 1;
  if (gnutls_x509_tlsfeatures_init (&features) >= 0)
    {
      demands = 0;
      if (gnutls_x509_crt_import (certificate, peer, GNUTLS_X509_FMT_DER) >= 0
          && gnutls_x509_crt_get_tlsfeatures (certificate, features, 0,
                                              &critical)
                 >= 0)
        for (unsigned i = 0;
             gnutls_x509_tlsfeatures_get (features, i, &feature) >= 0; i++)
          demands |= feature == STATUS_REQUEST;
      gnutls_x509_tlsfeatures_deinit (features);
    }
  gnutls_x509_crt_deinit (certificate);
  return demands;
}

static int
resumable (struct skp_tls *tls)
{
  if (tls->server || !tls->context->setting[SKP_TLS_RESUMPTION])
    return 0;
  /* Without a ticket GnuTLS would wait for one.  */
  return gnutls_protocol_get_version (tls->session) < GNUTLS_TLS1_3
         || gnutls_session_get_flags (tls->session)
                & GNUTLS_SFLAGS_SESSION_TICKET;
}

void
skp__tls_save (struct skp_tls *tls)
{
  struct skp__tls_saved new = { .host = NULL };
  if (!resumable (tls))
    return;
  tls->saved = 1;
  if (demands_staple (tls)
      || gnutls_session_get_data2 (tls->session, &new.data) < 0)
    return;
  new.host = strdup (tls->host);
  if (!new.host)
    {
      release (&new);
      return;
    }
  struct skp__tls_cache *cache = &tls->context->cache;
  pthread_mutex_lock (&cache->lock);
  if (cache->count == SKP__TLS_SAVED)
    {
      release (&cache->saved[0]);
      remove_at (cache, 0);
    }
  cache->saved[cache->count++] = new;
  pthread_mutex_unlock (&cache->lock);
}

void
skp__tls_resume (struct skp_tls *tls)
{
  struct skp__tls_cache *cache = &tls->context->cache;
  struct skp__tls_saved found = { .host = NULL };
  pthread_mutex_lock (&cache->lock);
  for (size_t i = cache->count; i-- > 0 && !found.host;)
    if (strcmp (cache->saved[i].host, tls->host) == 0)
      {
        found = cache->saved[i];
        remove_at (cache, i);
      }
  pthread_mutex_unlock (&cache->lock);
  if (!found.host)
    return;
  gnutls_session_set_data (tls->session, found.data.data, found.data.size);
  release (&found);
}
