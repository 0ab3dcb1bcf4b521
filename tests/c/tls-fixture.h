/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Two sessions that talk to each other, certificates for them, and what their
   system calls are made to do.  */

#ifndef TLS_FIXTURE_H
#define TLS_FIXTURE_H

#include "test.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <sockport/tls.h>

/* A certificate and its key, in PEM.  */
struct identity
{
  gnutls_x509_crt_t certificate;
  gnutls_x509_privkey_t key;
  gnutls_datum_t certificate_pem, key_pem;
};

/* What is in a certificate: HOST may be NULL; days from now.  */
struct description
{
  const char *host;
  int begins, ends;
  const char *purpose; /* NULL: that of a server */
};

/* An authority has no HOST, and is its own ISSUER if that is NULL.  */
void identity_make (struct identity *identity, const struct identity *issuer,
                    const struct description *description);
void identity_free (struct identity *identity);

/* Both are made before the tests and freed after.  */
extern struct identity authority, localhost;

struct skp_tls_context *server_context (const struct identity *identity);
struct skp_tls_context *client_context (void);

/* The ends of a pair of sockets.  */
struct link
{
  int fd[2];
  struct skp_tls *client, *server;
  int client_result, server_result;
};

void link_open (struct link *link, struct skp_tls_context *client,
                struct skp_tls_context *server, const char *host);
void link_close (struct link *link);

/* Step both until neither can go on; RESULT is how each has ended.  */
void link_shake (struct link *link);

/* The same, with a handshake that must succeed.  */
void link_ready (struct link *link, const char *host);

/* TEXT goes from one to the other.  */
void passes (struct skp_tls *from, struct skp_tls *to, const char *text);

/* SIZE bytes do, whatever the calls of the system do meanwhile.  */
void passes_all (struct skp_tls *from, struct skp_tls *to, const char *sent,
                 size_t size);

/* What the next system calls do.  */
struct forced
{
  size_t most;      /* bytes that one call moves, if not 0 */
  int every;        /* of so many calls of a socket one would block, if not 0 */
  int calls;        /* made since */
  int calls_of[64]; /* with each socket */
  int fail_at;      /* this one, from 1, fails; 0: none */
  int fail_with;    /* its errno */
};
extern struct forced forced;

#endif /* TLS_FIXTURE_H */
