/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Who the peer is: the host that it was asked to be, and why its certificate is
   refused.  */

#include "internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What GnuTLS finds wrong, and what to tell the peer about it.  */
static const struct
{
  unsigned status;
  int error;
} findings[] = {
  { GNUTLS_CERT_EXPIRED, -SKP_TLS_EXPIRED },
  { GNUTLS_CERT_NOT_ACTIVATED, -SKP_TLS_NOT_ACTIVE },
  { GNUTLS_CERT_UNEXPECTED_OWNER, -SKP_TLS_WRONG_HOST },
  { GNUTLS_CERT_REVOKED, -SKP_TLS_REVOKED },
  { GNUTLS_CERT_SIGNER_NOT_FOUND, -SKP_TLS_UNKNOWN_ISSUER },
  { GNUTLS_CERT_SIGNER_NOT_CA, -SKP_TLS_NOT_CA },
  { GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE, -SKP_TLS_CONSTRAINT },
  { GNUTLS_CERT_PURPOSE_MISMATCH, -SKP_TLS_PURPOSE },
  { GNUTLS_CERT_INSECURE_ALGORITHM, -SKP_TLS_INSECURE },
  { GNUTLS_CERT_SIGNATURE_FAILURE, -SKP_TLS_SIGNATURE },
  { GNUTLS_CERT_MISSING_OCSP_STATUS, -SKP_TLS_NO_STAPLE },
  { GNUTLS_CERT_INVALID_OCSP_STATUS, -SKP_TLS_BAD_STAPLE },
  { GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED, -SKP_TLS_STALE_LIST },
  { GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE, -SKP_TLS_STALE_LIST },
};

static const struct
{
  int error;
  gnutls_alert_description_t alert;
} alerts[] = {
  { -SKP_TLS_EXPIRED, GNUTLS_A_CERTIFICATE_EXPIRED },
  { -SKP_TLS_NOT_ACTIVE, GNUTLS_A_CERTIFICATE_EXPIRED },
  { -SKP_TLS_REVOKED, GNUTLS_A_CERTIFICATE_REVOKED },
  { -SKP_TLS_UNKNOWN_ISSUER, GNUTLS_A_UNKNOWN_CA },
  { -SKP_TLS_PURPOSE, GNUTLS_A_UNSUPPORTED_CERTIFICATE },
};

static unsigned
bit (int error)
{
  return 1U << (-error - SKP_TLS_EXPIRED);
}

/* The most telling of REASONS; 0 for none.  */
static int
first (unsigned reasons)
{
  for (int i = 0; i <= SKP_TLS_INVALID - SKP_TLS_EXPIRED; i++)
    if (reasons & (1U << i))
      return -(SKP_TLS_EXPIRED + i);
  return 0;
}

static unsigned
reasons_of (unsigned status)
{
  unsigned reasons = 0;
  for (size_t i = 0; i < sizeof findings / sizeof *findings; i++)
    if (status & findings[i].status)
      reasons |= bit (findings[i].error);
  if (status && !reasons)
    reasons = bit (-SKP_TLS_INVALID);
  return reasons;
}

/* Names in a certificate's subject, where they stood long ago, do not count. */
static int
named (const gnutls_datum_t *der)
{
  gnutls_x509_crt_t certificate;
  if (gnutls_x509_crt_init (&certificate) < 0)
    return 0;
  int found
      = gnutls_x509_crt_import (certificate, der, GNUTLS_X509_FMT_DER) >= 0
        && skp__tls_named (certificate);
  gnutls_x509_crt_deinit (certificate);
  return found;
}

static unsigned
examine (struct skp_tls *tls, const gnutls_datum_t *peer)
{
  static const char server[] = GNUTLS_KP_TLS_WWW_SERVER;
  static const char client[] = GNUTLS_KP_TLS_WWW_CLIENT;
  gnutls_typed_vdata_st wanted[2] = {
    { .type = GNUTLS_DT_KEY_PURPOSE_OID,
      .data = (unsigned char *)(uintptr_t)(tls->server ? client : server) },
    { .type = GNUTLS_DT_DNS_HOSTNAME, .data = (unsigned char *)tls->host },
  };
  unsigned status = 0, count = tls->server ? 1 : 2;
  if (!tls->server && tls->address_size > 0)
    wanted[1] = (gnutls_typed_vdata_st){ .type = GNUTLS_DT_IP_ADDRESS,
                                         .data = tls->address,
                                         .size = (unsigned)tls->address_size };
  if (gnutls_certificate_verify_peers (tls->session, wanted, count, &status)
      < 0)
    status |= GNUTLS_CERT_INVALID;
  unsigned reasons = reasons_of (status);
  if (!tls->server && tls->address_size == 0 && !named (peer))
    reasons = (reasons & ~bit (-SKP_TLS_INVALID)) | bit (-SKP_TLS_WRONG_HOST);
  return reasons;
}

int
skp__tls_verify (struct skp_tls *tls)
{
  const int *setting = tls->context->setting;
  unsigned count = 0;
  tls->verified = 1;
  if (!setting[SKP_TLS_VERIFY] || (tls->server && !setting[SKP_TLS_CLIENTS]))
    return 0;
  const gnutls_datum_t *peer
      = gnutls_certificate_get_peers (tls->session, &count);
  if (count > 0)
    tls->reasons = examine (tls, peer);
  else if (!tls->server || setting[SKP_TLS_CLIENTS] == SKP_TLS_CLIENTS_REQUIRE)
    tls->reasons = bit (-SKP_TLS_NO_CERTIFICATE);
  return first (tls->reasons);
}

static int
verify (gnutls_session_t session)
{
  return skp__tls_verify (gnutls_session_get_ptr (session)) < 0
             ? GNUTLS_E_CERTIFICATE_ERROR
             : 0;
}

void
skp__tls_verify_within (struct skp_tls_context *context)
{
  gnutls_certificate_set_verify_function (context->credentials, verify);
}

void
skp__tls_refuse (struct skp_tls *tls, int code, int error)
{
  for (size_t i = 0; i < sizeof alerts / sizeof *alerts; i++)
    if (alerts[i].error == error)
      {
        gnutls_alert_send (tls->session, GNUTLS_AL_FATAL, alerts[i].alert);
        return;
      }
  gnutls_alert_send_appropriate (tls->session, code);
}

/* The text of an IPv6 address may have a zone, which no certificate has.  */
static size_t
parse_address (const char *host, unsigned char *address)
{
  char text[INET6_ADDRSTRLEN + 1];
  size_t length = strcspn (host, "%");
  if (length >= sizeof text)
    return 0;
  memcpy (text, host, length);
  text[length] = '\0';
  if (inet_pton (AF_INET6, text, address) == 1)
    return 16;
  return host[length] == '\0' && inet_pton (AF_INET, text, address) == 1 ? 4
                                                                         : 0;
}

int
skp__tls_host (struct skp_tls *tls, const char *host)
{
  size_t length = strlen (host);
  gnutls_datum_t ascii;
  tls->address_size = parse_address (host, tls->address);
  if (length > 0 && host[length - 1] == '.')
    length--;
  if (length == 0 || length > 1024)
    return -SKP_TLS_BAD_NAME;
  int code = gnutls_idna_map (host, (unsigned)length, &ascii, 0);
  if (code < 0)
    return code == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -SKP_TLS_BAD_NAME;
  tls->host = strndup ((char *)ascii.data, ascii.size);
  gnutls_free (ascii.data);
  return tls->host ? 0 : -ENOMEM;
}
