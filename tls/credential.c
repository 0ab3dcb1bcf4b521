/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Whom a context trusts, and the certificates that it shows.  Which of those is
   chosen here rather than by GnuTLS, which knows no wildcards in this place. */

#include "internal.h"

#include <gnutls/ocsp.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static gnutls_datum_t
datum (const void *bytes, size_t size)
{
  return (gnutls_datum_t){ .data = (unsigned char *)(uintptr_t)bytes,
                           .size = (unsigned)size };
}

int
skp_tls_context_trust_system (struct skp_tls_context *context)
{
  int count = skp__tls_context_open (context);
  if (count < 0)
    return count;
  count = gnutls_certificate_set_x509_system_trust (context->credentials);
  return count < 0 ? skp__tls_error (count) : count;
}

/* Have SET take all that is in PEM: how many there are, or REASON if none is.
 */
static int
take_pem (struct skp_tls_context *context,
          int (*set) (gnutls_certificate_credentials_t, const gnutls_datum_t *,
                      gnutls_x509_crt_fmt_t),
          const void *pem, size_t size, int reason)
{
  gnutls_datum_t text = datum (pem, size);
  int count = skp__tls_context_open (context);
  if (count < 0)
    return count;
  count = set (context->credentials, &text, GNUTLS_X509_FMT_PEM);
  if (count == GNUTLS_E_MEMORY_ERROR)
    return -ENOMEM;
  return count <= 0 ? -reason : count;
}

int
skp_tls_context_trust (struct skp_tls_context *context, const void *pem,
                       size_t size)
{
  return take_pem (context, gnutls_certificate_set_x509_trust_mem, pem, size,
                   SKP_TLS_BAD_CERTIFICATE);
}

int
skp_tls_context_revoke (struct skp_tls_context *context, const void *pem,
                        size_t size)
{
  return take_pem (context, gnutls_certificate_set_x509_crl_mem, pem, size,
                   SKP_TLS_BAD_LIST);
}

void
skp__tls_own_free (struct skp__tls_own *own)
{
  while (own)
    {
      struct skp__tls_own *next = own->next;
      for (unsigned i = 0; i < own->chain_length; i++)
        gnutls_pcert_deinit (&own->chain[i]);
      gnutls_free (own->chain);
      if (own->certificate)
        gnutls_x509_crt_deinit (own->certificate);
      if (own->key)
        gnutls_privkey_deinit (own->key);
      free (own->staple.response.data);
      free (own);
      own = next;
    }
}

static int
import_chain (struct skp__tls_own *own, const gnutls_datum_t *text)
{
  gnutls_x509_crt_t *list;
  unsigned count;
  int code = gnutls_x509_crt_list_import2 (&list, &count, text,
                                           GNUTLS_X509_FMT_PEM, 0);
  if (code < 0)
    return code == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -SKP_TLS_BAD_CERTIFICATE;
  own->chain = gnutls_calloc (count, sizeof *own->chain);
  for (unsigned i = 0; i < count; i++)
    {
      if (own->chain && code >= 0)
        code = gnutls_pcert_import_x509 (&own->chain[i], list[i], 0);
      if (own->chain && code >= 0)
        own->chain_length = i + 1;
      if (i > 0)
        gnutls_x509_crt_deinit (list[i]);
    }
  own->certificate = list[0];
  gnutls_free (list);
  return own->chain && code >= 0 ? 0 : -ENOMEM;
}

static int
is_key_of (gnutls_privkey_t key, gnutls_x509_crt_t certificate)
{
  unsigned char ours[64], theirs[64];
  size_t ours_size = sizeof ours, theirs_size = sizeof theirs;
  gnutls_pubkey_t public;
  if (gnutls_pubkey_init (&public) < 0)
    return 0;
  int same
      = gnutls_pubkey_import_privkey (public, key, 0, 0) >= 0
        && gnutls_pubkey_get_key_id (public, 0, ours, &ours_size) >= 0
        && gnutls_x509_crt_get_key_id (certificate, 0, theirs, &theirs_size)
               >= 0
        && ours_size == theirs_size && memcmp (ours, theirs, ours_size) == 0;
  gnutls_pubkey_deinit (public);
  return same;
}

static int
import_own (struct skp__tls_own *own, const gnutls_datum_t *chain,
            const gnutls_datum_t *key)
{
  int error = import_chain (own, chain);
  if (error < 0)
    return error;
  if (gnutls_privkey_init (&own->key) < 0)
    return -ENOMEM;
  if (gnutls_privkey_import_x509_raw (own->key, key, GNUTLS_X509_FMT_PEM, NULL,
                                      0)
          < 0
      || !is_key_of (own->key, own->certificate))
    return -SKP_TLS_BAD_KEY;
  return 0;
}

int
skp_tls_context_certify (struct skp_tls_context *context, const void *chain,
                         size_t chain_size, const void *key, size_t key_size)
{
  gnutls_datum_t chain_text = datum (chain, chain_size);
  gnutls_datum_t key_text = datum (key, key_size);
  int error = skp__tls_context_open (context);
  if (error < 0)
    return error;
  struct skp__tls_own *own = calloc (1, sizeof *own);
  if (!own)
    return -ENOMEM;
  error = import_own (own, &chain_text, &key_text);
  if (error < 0)
    {
      skp__tls_own_free (own);
      return error;
    }
  int index = 0;
  struct skp__tls_own **end = &context->own;
  for (; *end; end = &(*end)->next)
    index++;
  *end = own;
  return index;
}

static int
is_response_about (const gnutls_datum_t *response,
                   gnutls_x509_crt_t certificate)
{
  gnutls_ocsp_resp_t parsed;
  if (gnutls_ocsp_resp_init (&parsed) < 0)
    return 0;
  int about = gnutls_ocsp_resp_import (parsed, response) >= 0
              && gnutls_ocsp_resp_check_crt (parsed, 0, certificate) >= 0;
  gnutls_ocsp_resp_deinit (parsed);
  return about;
}

int
skp_tls_context_staple (struct skp_tls_context *context, int index,
                        const void *response, size_t size)
{
  gnutls_datum_t given = datum (response, size);
  int error = skp__tls_context_open (context);
  if (error < 0)
    return error;
  struct skp__tls_own *own = context->own;
  for (; own && index > 0; index--)
    own = own->next;
  if (!own || index < 0)
    return -EINVAL;
  if (!is_response_about (&given, own->certificate))
    return -SKP_TLS_BAD_STAPLE_DATA;
  unsigned char *copy = malloc (size);
  if (!copy)
    return -ENOMEM;
  memcpy (copy, response, size);
  free (own->staple.response.data);
  own->staple.response = datum (copy, size);
  return 0;
}

/* Choosing.  */

int
skp__tls_named (gnutls_x509_crt_t certificate)
{
  for (unsigned i = 0;; i++)
    {
      char name[256];
      size_t size = sizeof name;
      int type = gnutls_x509_crt_get_subject_alt_name (certificate, i, name,
                                                       &size, NULL);
      if (type == GNUTLS_SAN_DNSNAME)
        return 1;
      if (type < 0 && type != GNUTLS_E_SHORT_MEMORY_BUFFER)
        return 0;
    }
}

static int
is_for (const struct skp__tls_own *own, const char *host)
{
  return skp__tls_named (own->certificate)
         && gnutls_x509_crt_check_hostname2 (
             own->certificate, host, GNUTLS_VERIFY_DO_NOT_ALLOW_IP_MATCHES);
}

int
skp__tls_has_name (struct skp_tls_context *context, const char *host)
{
  for (struct skp__tls_own *own = context->own; own; own = own->next)
    if (is_for (own, host))
      return 1;
  return 0;
}

static int
has_algorithm (const struct skp__tls_own *own,
               const struct gnutls_cert_retr_st *info)
{
  int algorithm = gnutls_privkey_get_pk_algorithm (own->key, NULL);
  for (unsigned i = 0; i < info->pk_algos_length; i++)
    if ((int)info->pk_algos[i] == algorithm)
      return 1;
  return info->pk_algos_length == 0;
}

static int
choose (gnutls_session_t session, const struct gnutls_cert_retr_st *info,
        gnutls_pcert_st **chain, unsigned *chain_length,
        gnutls_ocsp_data_st **staple, unsigned *staple_length,
        gnutls_privkey_t *key, unsigned *flags)
{
  struct skp_tls *tls = gnutls_session_get_ptr (session);
  /* One is shown to everybody, and its names are not looked at. */
  int asked = tls->server && tls->context->own && tls->context->own->next
              && skp__tls_asked_name (tls);
  struct skp__tls_own *best = NULL;
  int best_rank = -1;
  for (struct skp__tls_own *own = tls->context->own; own; own = own->next)
    {
      int rank = asked && is_for (own, tls->name);
      if (has_algorithm (own, info) && rank > best_rank)
        {
          best = own;
          best_rank = rank;
        }
    }
  *chain = best ? best->chain : NULL;
  *chain_length = best ? best->chain_length : 0;
  *key = best ? best->key : NULL;
  *staple = best && best->staple.response.size > 0 ? &best->staple : NULL;
  *staple_length = *staple ? 1 : 0;
  *flags = 0;
  return best || !tls->server ? 0 : -1;
}

void
skp__tls_choose_within (struct skp_tls_context *context)
{
  if (context->own)
    gnutls_certificate_set_retrieve_function3 (context->credentials, choose);
}
