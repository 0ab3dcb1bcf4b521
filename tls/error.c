/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What GnuTLS answers, as an error of ours; and the names of those.  */

#include "internal.h"

#include <errno.h>

static const struct
{
  const char *name, *text;
} errors[] = {
#define ROW(error) [SKP_TLS_##error - SKP_TLS_EXPIRED]
  ROW (EXPIRED) = { "expired", "the certificate has expired" },
  ROW (NOT_ACTIVE) = { "not-active", "the certificate is not valid yet" },
  ROW (WRONG_HOST) = { "wrong-host", "the certificate is not for this host" },
  ROW (REVOKED) = { "revoked", "the certificate was revoked" },
  ROW (UNKNOWN_ISSUER)
  = { "unknown-issuer",
      "the certificate's issuer is not among those that are trusted" },
  ROW (NOT_CA) = { "not-an-authority",
                   "the certificate's issuer may not issue certificates" },
  ROW (CONSTRAINT)
  = { "constraint",
      "the certificate is not among those that its issuer may issue" },
  ROW (PURPOSE) = { "purpose", "the certificate is for another purpose" },
  ROW (INSECURE)
  = { "insecure",
      "the certificate is signed in a way, or with a key, that is too weak" },
  ROW (SIGNATURE) = { "signature", "the certificate's signature is wrong" },
  ROW (NO_STAPLE)
  = { "no-staple",
      "the certificate demands word of its revocation, and there was none" },
  ROW (BAD_STAPLE)
  = { "bad-staple", "the word of the certificate's revocation is not valid" },
  ROW (STALE_LIST) = { "stale-list", "the list of revocations is out of date" },
  ROW (NO_CERTIFICATE)
  = { "no-certificate", "the peer has shown no certificate" },
  ROW (INVALID) = { "invalid", "the certificate is not valid" },
  ROW (TRUNCATED) = { "truncated", "the connection ended without a notice" },
  ROW (ALERT) = { "alert", "the peer has refused" },
  ROW (VERSION) = { "version", "the peer speaks no version that is allowed" },
  ROW (NO_CIPHER) = { "no-cipher", "no cipher is allowed on both sides" },
  ROW (NO_PROTOCOL)
  = { "no-protocol",
      "none of the application's protocols is known to both sides" },
  ROW (UNKNOWN_NAME)
  = { "unknown-name", "the client asks for a host that no certificate is for" },
  ROW (PROTOCOL)
  = { "protocol", "what the peer sends is not TLS, or breaks its rules" },
  ROW (RENEGOTIATION)
  = { "renegotiation", "the peer insists on renegotiation" },
  ROW (BAD_CERTIFICATE)
  = { "bad-certificate", "there is no certificate in it" },
  ROW (BAD_KEY) = { "bad-key", "there is no key in it that can be read, or it "
                               "is not the certificate's" },
  ROW (BAD_LIST) = { "bad-list", "there is no list of revocations in it" },
  ROW (BAD_STAPLE_DATA)
  = { "bad-response", "it is no OCSP response about the certificate" },
  ROW (BAD_PRIORITIES)
  = { "bad-priorities", "the priorities are not as GnuTLS wants them" },
  ROW (BAD_NAME) = { "bad-name", "it is no name of a host" },
  ROW (OTHER) = { "other", "TLS has failed" },
#undef ROW
};

static const struct
{
  int code, error;
} translations[] = {
  { GNUTLS_E_MEMORY_ERROR, -ENOMEM },
  { GNUTLS_E_PREMATURE_TERMINATION, -SKP_TLS_TRUNCATED },
  { GNUTLS_E_FATAL_ALERT_RECEIVED, -SKP_TLS_ALERT },
  { GNUTLS_E_UNSUPPORTED_VERSION_PACKET, -SKP_TLS_VERSION },
  { GNUTLS_E_NO_CIPHER_SUITES, -SKP_TLS_NO_CIPHER },
  { GNUTLS_E_INSUFFICIENT_CREDENTIALS, -SKP_TLS_NO_CIPHER },
  { GNUTLS_E_NO_COMMON_KEY_SHARE, -SKP_TLS_NO_CIPHER },
  { GNUTLS_E_UNKNOWN_CIPHER_SUITE, -SKP_TLS_NO_CIPHER },
  { GNUTLS_E_NO_APPLICATION_PROTOCOL, -SKP_TLS_NO_PROTOCOL },
  { GNUTLS_E_UNRECOGNIZED_NAME, -SKP_TLS_UNKNOWN_NAME },
  { GNUTLS_E_NO_CERTIFICATE_FOUND, -SKP_TLS_NO_CERTIFICATE },
  { GNUTLS_E_CERTIFICATE_REQUIRED, -SKP_TLS_NO_CERTIFICATE },
  { GNUTLS_E_CERTIFICATE_ERROR, -SKP_TLS_INVALID },
  { GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR, -SKP_TLS_INVALID },
  { GNUTLS_E_REHANDSHAKE, -SKP_TLS_RENEGOTIATION },
  { GNUTLS_E_UNEXPECTED_PACKET, -SKP_TLS_PROTOCOL },
  { GNUTLS_E_UNEXPECTED_PACKET_LENGTH, -SKP_TLS_PROTOCOL },
  { GNUTLS_E_UNEXPECTED_HANDSHAKE_PACKET, -SKP_TLS_PROTOCOL },
  { GNUTLS_E_UNEXPECTED_EXTENSIONS_LENGTH, -SKP_TLS_PROTOCOL },
  { GNUTLS_E_RECEIVED_ILLEGAL_PARAMETER, -SKP_TLS_PROTOCOL },
  { GNUTLS_E_RECEIVED_ILLEGAL_EXTENSION, -SKP_TLS_PROTOCOL },
  { GNUTLS_E_RECEIVED_DISALLOWED_NAME, -SKP_TLS_PROTOCOL },
  { GNUTLS_E_RECORD_LIMIT_REACHED, -SKP_TLS_PROTOCOL },
  { GNUTLS_E_RECORD_OVERFLOW, -SKP_TLS_PROTOCOL },
  { GNUTLS_E_TOO_MANY_EMPTY_PACKETS, -SKP_TLS_PROTOCOL },
  { GNUTLS_E_TOO_MANY_HANDSHAKE_PACKETS, -SKP_TLS_PROTOCOL },
  { GNUTLS_E_HANDSHAKE_TOO_LARGE, -SKP_TLS_PROTOCOL },
  { GNUTLS_E_DECRYPTION_FAILED, -SKP_TLS_PROTOCOL },
  { GNUTLS_E_ERROR_IN_FINISHED_PACKET, -SKP_TLS_PROTOCOL },
  { GNUTLS_E_INAPPROPRIATE_FALLBACK, -SKP_TLS_PROTOCOL },
  { GNUTLS_E_MISSING_EXTENSION, -SKP_TLS_PROTOCOL },
  { GNUTLS_E_BASE64_DECODING_ERROR, -SKP_TLS_BAD_CERTIFICATE },
  { GNUTLS_E_BASE64_UNEXPECTED_HEADER_ERROR, -SKP_TLS_BAD_CERTIFICATE },
  { GNUTLS_E_PARSING_ERROR, -SKP_TLS_BAD_KEY },
  { GNUTLS_E_CERTIFICATE_KEY_MISMATCH, -SKP_TLS_BAD_KEY },
  { GNUTLS_E_INVALID_REQUEST, -SKP_TLS_OTHER },
};

int
skp__tls_error (int code)
{
  for (size_t i = 0; i < sizeof translations / sizeof *translations; i++)
    if (translations[i].code == code)
      return translations[i].error;
  return -SKP_TLS_OTHER;
}

static int
index_of (int error)
{
  return error <= -SKP_TLS_EXPIRED && error > -SKP_TLS_ERROR_END
             ? -error - SKP_TLS_EXPIRED
             : -1;
}

const char *
skp_tls_error_name (int error)
{
  int index = index_of (error);
  return index < 0 ? NULL : errors[index].name;
}

const char *
skp_tls_error_text (int error)
{
  int index = index_of (error);
  return index < 0 ? NULL : errors[index].text;
}
