/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What is written in a certificate.  */

#include "internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct skp_tls_description
{
  gnutls_x509_crt_t certificate;
};

int
skp_tls_describe (struct skp_tls_description **description, const void *der,
                  size_t size)
{
  gnutls_datum_t bytes
      = { .data = (unsigned char *)(uintptr_t)der, .size = (unsigned)size };
  struct skp_tls_description *new = calloc (1, sizeof *new);
  if (!new || gnutls_x509_crt_init (&new->certificate) < 0)
    {
      free (new);
      return -ENOMEM;
    }
  if (gnutls_x509_crt_import (new->certificate, &bytes, GNUTLS_X509_FMT_DER)
      < 0)
    {
      skp_tls_description_free (new);
      return -SKP_TLS_BAD_CERTIFICATE;
    }
  *description = new;
  return 0;
}

void
skp_tls_description_free (struct skp_tls_description *description)
{
  if (!description)
    return;
  gnutls_x509_crt_deinit (description->certificate);
  free (description);
}

/* Texts of X.509 may hold anything, a NUL among it.  */
static ssize_t
text (int code, char *buffer, size_t size)
{
  if (code == GNUTLS_E_SHORT_MEMORY_BUFFER)
    return -ENOSPC;
  return code < 0 ? 0 : (ssize_t)strnlen (buffer, size);
}

ssize_t
skp_tls_description_text (const struct skp_tls_description *description,
                          enum skp_tls_text which, char *buffer, size_t size)
{
  size_t length = size;
  int issuer = which == SKP_TLS_ISSUER;
  return text ((issuer ? gnutls_x509_crt_get_issuer_dn
                       : gnutls_x509_crt_get_dn) (description->certificate,
                                                  buffer, &length),
               buffer, size);
}

ssize_t
skp_tls_description_bytes (const struct skp_tls_description *description,
                           enum skp_tls_bytes which, void *buffer, size_t size)
{
  size_t length = size;
  int code = which == SKP_TLS_SERIAL
                 ? gnutls_x509_crt_get_serial (description->certificate, buffer,
                                               &length)
                 : gnutls_x509_crt_get_fingerprint (description->certificate,
                                                    GNUTLS_DIG_SHA256, buffer,
                                                    &length);
  if (code == GNUTLS_E_SHORT_MEMORY_BUFFER)
    return -ENOSPC;
  return code < 0 ? 0 : (ssize_t)length;
}

int64_t
skp_tls_description_time (const struct skp_tls_description *description,
                          enum skp_tls_time which)
{
  return which == SKP_TLS_BEGINS
             ? gnutls_x509_crt_get_activation_time (description->certificate)
             : gnutls_x509_crt_get_expiration_time (description->certificate);
}

static const struct
{
  int type;
  enum skp_tls_name_kind kind;
} kinds[] = {
  { GNUTLS_SAN_DNSNAME, SKP_TLS_NAME_HOST },
  { GNUTLS_SAN_IPADDRESS, SKP_TLS_NAME_ADDRESS },
  { GNUTLS_SAN_RFC822NAME, SKP_TLS_NAME_MAIL },
  { GNUTLS_SAN_URI, SKP_TLS_NAME_URI },
};

static ssize_t
address_text (const unsigned char *address, size_t length, char *buffer,
              size_t size)
{
  int family = length == 4 ? AF_INET : AF_INET6;
  if ((length != 4 && length != 16)
      || !inet_ntop (family, address, buffer, (socklen_t)size))
    return 0;
  return (ssize_t)strlen (buffer);
}

ssize_t
skp_tls_description_name (const struct skp_tls_description *description,
                          unsigned index, enum skp_tls_name_kind *kind,
                          char *buffer, size_t size)
{
  char name[1024];
  size_t length = sizeof name;
  int type = gnutls_x509_crt_get_subject_alt_name (description->certificate,
                                                   index, name, &length, NULL);
  if (type == GNUTLS_E_SHORT_MEMORY_BUFFER)
    return 0;
  if (type < 0)
    return -ENOENT;
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (kinds[i].type == type)
      {
        *kind = kinds[i].kind;
        if (type == GNUTLS_SAN_IPADDRESS)
          return address_text ((unsigned char *)name, length, buffer, size);
        /* One with a NUL is not what it seems to be.  */
        if (length > size || memchr (name, '\0', length))
          return 0;
        memcpy (buffer, name, length);
        return (ssize_t)length;
      }
  return 0;
}
