/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the files of libsockport-tls share.  Nothing here is for others.  */

#ifndef SKP_TLS_INTERNAL_H
#define SKP_TLS_INTERNAL_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sockport/tls.h>

/* A certificate of this side, CHAIN with those of its issuers.  */
struct skp__tls_own
{
  struct skp__tls_own *next;
  gnutls_x509_crt_t certificate;
  gnutls_privkey_t key;
  gnutls_pcert_st *chain;
  unsigned chain_length;
  gnutls_ocsp_data_st staple;
};

/* A session that a client can resume, under the name that it was for.  */
struct skp__tls_saved
{
  char *host;
  gnutls_datum_t data;
};

#define SKP__TLS_SAVED 256

struct skp__tls_cache
{
  pthread_mutex_t lock;
  struct skp__tls_saved saved[SKP__TLS_SAVED];
  size_t count; /* the oldest first */
};

#define SKP__TLS_SETTINGS (SKP_TLS_STRICT_NAMES + 1)

struct skp_tls_context
{
  atomic_int references, used;
  pthread_mutex_t lock; /* while it is made ready */
  gnutls_certificate_credentials_t credentials;
  gnutls_priority_t priorities;
  char *priority_text;
  gnutls_datum_t ticket_key, *protocols;
  size_t protocols_count;
  struct skp__tls_own *own;
  struct skp__tls_cache cache;
  int setting[SKP__TLS_SETTINGS];
};

/* PENDING: GnuTLS has taken a record that the socket has not.  FAILED,
   READ_FAILED and WRITE_FAILED are what every step, every read and every write
   answers from then on.  */
struct skp_tls
{
  pthread_mutex_t lock;
  struct skp_tls_context *context;
  gnutls_session_t session;
  struct skp_tls *below; /* what this goes through, if not its socket */
  int awaited;           /* what BELOW has to be polled for */
  unsigned char *kept;   /* what pending has found */
  size_t kept_at, kept_end;
  int fd, server, established, verified;
  int shaken;                 /* all but what the other has to be sent */
  int pending, ending, ended; /* ENDED: the peer has said so */
  int failed, read_failed, write_failed, socket_error;
  int code; /* GnuTLS's, for the last of them */
  unsigned reasons, refusals;
  int alert;   /* -1: none */
  int blocked; /* the socket, in the call that goes on */
  int cut;     /* the socket has ended */
  int saved;   /* what can be resumed */
  char *host;
  unsigned char address[16];
  size_t address_size;
  char name[256];
  /* What was received and not asked for yet.  */
  unsigned char *ahead;
  size_t ahead_at, ahead_end, ahead_size;
  /* What the handshake sends.  */
  unsigned char *flight;
  size_t flight_at, flight_end, flight_size;
};

/* The error for CODE, which GnuTLS has answered.  */
int skp__tls_error (int code);

/* Have the session receive from and send to its socket.  */
void skp__tls_transport (struct skp_tls *tls);

/* Send what the handshake has to say: 0, -EAGAIN or another error.  */
int skp__tls_deliver (struct skp_tls *tls);

/* Let go of memory that an idle session does not need.  */
void skp__tls_rest (struct skp_tls *tls);

/* Have what is used read-only from now on: 0 or an error.  */
int skp__tls_context_use (struct skp_tls_context *context);

/* 0 as long as CONTEXT may be filled, else -EBUSY.  */
int skp__tls_context_open (struct skp_tls_context *context);

/* Have a handshake choose among the certificates of this side.  */
void skp__tls_choose_within (struct skp_tls_context *context);
void skp__tls_own_free (struct skp__tls_own *own);

/* Is there one for the HOST that a client asks for?  */
int skp__tls_has_name (struct skp_tls_context *context, const char *host);

/* The host that the peer, a client, asks for, in TLS->name; 0 if it does not.
 */
int skp__tls_asked_name (struct skp_tls *tls);

/* Verify the peer's certificate: 0, or its first reason.  */
int skp__tls_verify (struct skp_tls *tls);

/* Have verification take place within a handshake.  */
void skp__tls_verify_within (struct skp_tls_context *context);

/* Send the alert that goes with ERROR, once, if there is room for it.  */
void skp__tls_refuse (struct skp_tls *tls, int code, int error);

/* Keep what the client TLS can resume; and use it.  */
void skp__tls_save (struct skp_tls *tls);
void skp__tls_resume (struct skp_tls *tls);
void skp__tls_cache_clear (struct skp__tls_cache *cache);

/* A host as certificates and servers know it: a name in ASCII without a dot at
   its end in *HOST, or the bytes of an address.  */
int skp__tls_host (struct skp_tls *tls, const char *host);

/* Does CERTIFICATE have a name other than its subject's?  */
int skp__tls_named (gnutls_x509_crt_t certificate);

#endif /* SKP_TLS_INTERNAL_H */
