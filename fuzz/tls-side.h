/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Sessions of TLS for the targets that fuzz them: contexts that are made once,
   one side with the other end of its socket, and what steps may answer.  */

#ifndef SKP_FUZZ_TLS_SIDE_H
#define SKP_FUZZ_TLS_SIDE_H

#include "fuzz.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "internal.h"

/* Clients of TLS 1.2 and 1.3, and what each resumes.  */
static struct skp_tls_context *server_context, *client_context[2];
static gnutls_datum_t saved[2];
static unsigned resumed[2];
static unsigned long sessions;

static inline void
make_contexts (void)
{
  gnutls_x509_privkey_t key;
  gnutls_x509_crt_t certificate;
  gnutls_datum_t key_pem, pem;
  if (server_context)
    return;
  gnutls_x509_privkey_init (&key);
  gnutls_x509_privkey_generate (
      key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1),
      0);
  gnutls_x509_crt_init (&certificate);
  gnutls_x509_crt_set_version (certificate, 3);
  gnutls_x509_crt_set_serial (certificate, "\1", 1);
  gnutls_x509_crt_set_activation_time (certificate, time (NULL) - 1000);
  gnutls_x509_crt_set_expiration_time (certificate, time (NULL) + 1000000);
  gnutls_x509_crt_set_subject_alt_name (certificate, GNUTLS_SAN_DNSNAME,
                                        "localhost", 9, GNUTLS_FSAN_SET);
  gnutls_x509_crt_set_key (certificate, key);
  require (gnutls_x509_crt_sign2 (certificate, certificate, key,
                                  GNUTLS_DIG_SHA256, 0)
           == 0);
  gnutls_x509_crt_export2 (certificate, GNUTLS_X509_FMT_PEM, &pem);
  gnutls_x509_privkey_export2 (key, GNUTLS_X509_FMT_PEM, &key_pem);
  require (skp_tls_context_new (&server_context) == 0);
  require (skp_tls_context_certify (server_context, pem.data, pem.size,
                                    key_pem.data, key_pem.size)
           == 0);
  for (int i = 0; i < 2; i++)
    {
      require (skp_tls_context_new (&client_context[i]) == 0);
      require (skp_tls_context_trust (client_context[i], pem.data, pem.size)
               == 1);
    }
  require (skp_tls_context_priorities (client_context[0],
                                       "NORMAL:-VERS-TLS1.3:%PROFILE_MEDIUM")
           == 0);
  gnutls_free (pem.data);
  gnutls_free (key_pem.data);
  gnutls_x509_crt_deinit (certificate);
  gnutls_x509_privkey_deinit (key);
}

/* A session, and the other end of its socket.  */
struct side
{
  struct skp_tls *tls;
  int fd[2], state, kind;
  size_t sent, received;
};

enum kind
{
  TLS_1_2,
  TLS_1_3
};

static inline void
side_open (struct side *side, enum kind kind, int server)
{
  *side = (struct side){ .state = -EAGAIN, .kind = kind };
  sessions++;
  require (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, side->fd) == 0);
  if (server)
    require (skp_tls_server (&side->tls, server_context, side->fd[0]) == 0);
  else
    {
      skp__tls_cache_clear (&client_context[kind]->cache);
      require (skp_tls_client (&side->tls, client_context[kind], side->fd[0],
                               "localhost")
               == 0);
    }
}

static inline void
side_close (struct side *side)
{
  skp_tls_free (side->tls);
  close (side->fd[0]);
  close (side->fd[1]);
}

/* What a step may answer.  */
static inline ssize_t
allowed (ssize_t n)
{
  require (n >= 0 || n > -4096 || skp_tls_error_name ((int)n));
  return n;
}

static inline void
feed (struct side *to, const unsigned char *bytes, size_t size)
{
  require (skp_tls_feed (to->tls, bytes, size) == 0);
}

static inline void
resume (struct side *client, enum kind kind)
{
  require (gnutls_session_set_data (client->tls->session, saved[kind].data,
                                    saved[kind].size)
           == 0);
}

#endif /* SKP_FUZZ_TLS_SIDE_H */
