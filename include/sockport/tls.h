/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* TLS 1.2 and 1.3 over a connected socket, in a library of its own,
   libsockport-tls, which is made of GnuTLS.

   A context has what many connections share: whom to trust, certificates and
   keys, settings, sessions that can be resumed.  It is filled first and not
   changed once it is in use.  A session is one connection; it uses the socket's
   descriptor and does not close it.  Threads may share both.

   No call waits.  The steps of a session return -EAGAIN when they would have
   to, and store in *EVENTS what the socket has to be polled for: POLLIN or
   POLLOUT.  Another failure is -errno when the socket or the memory has failed,
   and one of enum skp_tls_error when TLS has; it is the same from then on.  */

#ifndef SKP_TLS_H
#define SKP_TLS_H

#include <stdint.h>
#include <sys/types.h>
#include <sockport/api.h>

SKP_BEGIN_DECLS

/* Functions return these as negative numbers, -SKP_TLS_EXPIRED for example; no
   errno is as large.  The first are why a certificate is refused, of which
   there may be several reasons; skp_tls_error_text has their meanings.  */
enum skp_tls_error
{
  SKP_TLS_EXPIRED = 10000,
  SKP_TLS_NOT_ACTIVE,
  SKP_TLS_WRONG_HOST,
  SKP_TLS_REVOKED,
  SKP_TLS_UNKNOWN_ISSUER,
  SKP_TLS_NOT_CA,
  SKP_TLS_CONSTRAINT,
  SKP_TLS_PURPOSE,
  SKP_TLS_INSECURE,
  SKP_TLS_SIGNATURE,
  SKP_TLS_NO_STAPLE,
  SKP_TLS_BAD_STAPLE,
  SKP_TLS_STALE_LIST,
  SKP_TLS_NO_CERTIFICATE,
  SKP_TLS_INVALID,

  SKP_TLS_TRUNCATED,
  SKP_TLS_ALERT,
  SKP_TLS_VERSION,
  SKP_TLS_NO_CIPHER,
  SKP_TLS_NO_PROTOCOL,
  SKP_TLS_UNKNOWN_NAME,
  SKP_TLS_PROTOCOL,
  SKP_TLS_RENEGOTIATION,
  SKP_TLS_BAD_CERTIFICATE,
  SKP_TLS_BAD_KEY,
  SKP_TLS_BAD_LIST,
  SKP_TLS_BAD_STAPLE_DATA,
  SKP_TLS_BAD_PRIORITIES,
  SKP_TLS_BAD_NAME,
  SKP_TLS_OTHER,
  SKP_TLS_ERROR_END
};

/* The name of ERROR, a negative number of the above, and its meaning in words;
   NULL for any other.  */
SKP_API const char *skp_tls_error_name (int error);
SKP_API const char *skp_tls_error_text (int error);

/* Contexts.  The functions that fill one return -EBUSY once it has been used.
   What they are given is copied; certificates, keys and lists are PEM, as many
   as there are.  */
struct skp_tls_context;

SKP_API int skp_tls_context_new (struct skp_tls_context **context);
/* Whoever keeps CONTEXT counts as one; sessions do by themselves.  */
SKP_API struct skp_tls_context *
skp_tls_context_ref (struct skp_tls_context *context);
SKP_API void skp_tls_context_unref (struct skp_tls_context *context);

/* Trust what the system does, or the certificates in PEM: how many.  */
SKP_API int skp_tls_context_trust_system (struct skp_tls_context *context);
SKP_API int skp_tls_context_trust (struct skp_tls_context *context,
                                   const void *pem, size_t size);

/* Refuse what the lists in PEM have revoked: how many lists.  */
SKP_API int skp_tls_context_revoke (struct skp_tls_context *context,
                                    const void *pem, size_t size);

/* Show the certificate in CHAIN, followed by those of its issuers, whose key is
   KEY: its index.  With more than one the name that a client asks for decides;
   the first is for the others.  */
SKP_API int skp_tls_context_certify (struct skp_tls_context *context,
                                     const void *chain, size_t chain_size,
                                     const void *key, size_t key_size);

/* Staple RESPONSE, an OCSP response in DER, to the certificate at INDEX.  */
SKP_API int skp_tls_context_staple (struct skp_tls_context *context, int index,
                                    const void *response, size_t size);

/* Allow the ciphers and so on that TEXT says, in the language of GnuTLS; NULL
   for what is good today.  The setting of the version counts besides.  */
SKP_API int skp_tls_context_priorities (struct skp_tls_context *context,
                                        const char *text);

/* Speak the application's protocols (ALPN) with these NAMES, of 1 to 255
   bytes, the best first.  */
SKP_API int skp_tls_context_protocols (struct skp_tls_context *context,
                                       const char *const *names, size_t count);

enum skp_tls_setting
{
  SKP_TLS_VERIFY,       /* 1: refuse peers that cannot prove who they are */
  SKP_TLS_CLIENTS,      /* ask for certificates: enum skp_tls_clients */
  SKP_TLS_MINIMUM,      /* 12 or 13 */
  SKP_TLS_RESUMPTION,   /* 1: keep sessions and resume them */
  SKP_TLS_STRICT_NAMES, /* 0: a name without a certificate gets the first */
};

enum skp_tls_clients
{
  SKP_TLS_CLIENTS_NONE,
  SKP_TLS_CLIENTS_ASK, /* those that show none may go on */
  SKP_TLS_CLIENTS_REQUIRE
};

/* -EINVAL for a value that the setting does not have.  */
SKP_API int skp_tls_context_set (struct skp_tls_context *context,
                                 enum skp_tls_setting setting, int value);

/* Have CONTEXT, which takes the place of OLDER, resume what OLDER has begun. */
SKP_API int skp_tls_context_inherit (struct skp_tls_context *context,
                                     struct skp_tls_context *older);

/* Sessions.  */
struct skp_tls;

/* A session on FD, a connected socket.  HOST is whom a client wants to talk to,
   a name or a numeric address; a server passes NULL.  */
SKP_API int skp_tls_client (struct skp_tls **tls,
                            struct skp_tls_context *context, int fd,
                            const char *host);
SKP_API int skp_tls_server (struct skp_tls **tls,
                            struct skp_tls_context *context, int fd);
SKP_API void skp_tls_free (struct skp_tls *tls);

/* Have TLS, before its first step, go through BELOW and not through a socket:
   TLS within TLS, as with a proxy that is itself reached by TLS.  -ENOTCONN
   unless the handshake of BELOW is done.  BELOW is then a part of TLS, is used
   by it alone, and is freed with it.  */
SKP_API int skp_tls_over (struct skp_tls *tls, struct skp_tls *below);

/* The socket of TLS has the descriptor FD from now on.  */
SKP_API void skp_tls_move (struct skp_tls *tls, int fd);

/* What TLS goes through, or NULL: to say the end there too, by skp_tls_end,
   when both are to end.  */
SKP_API struct skp_tls *skp_tls_below (struct skp_tls *tls);

/* Take the SIZE BYTES as received before anything that the socket has.  */
SKP_API int skp_tls_feed (struct skp_tls *tls, const void *bytes, size_t size);

/* 0 when the peer is known and what both send is safe.  The other steps are
   -ENOTCONN before.  */
SKP_API int skp_tls_handshake (struct skp_tls *tls, int *events);

/* Up to SIZE bytes; 0 when the peer has declared that no more will come.  */
SKP_API ssize_t skp_tls_read (struct skp_tls *tls, void *buffer, size_t size,
                              int *events);

/* Some of SIZE bytes, at most 16 KiB.  They will go, but may not have gone yet:
   skp_tls_flush.  What an earlier write has left goes first, so -EAGAIN means
   that nothing of this one was taken.  */
SKP_API ssize_t skp_tls_write (struct skp_tls *tls, const void *buffer,
                               size_t size, int *events);

/* 0 when all that was written has gone.  */
SKP_API int skp_tls_flush (struct skp_tls *tls, int *events);

/* Inform the peer that no more will be written: 0 when that has gone.  */
SKP_API int skp_tls_end (struct skp_tls *tls, int *events);

/* How many bytes skp_tls_read can give at once, 1 if it would report an end or
   an error, or -EAGAIN.  */
SKP_API ssize_t skp_tls_pending (struct skp_tls *tls, int *events);

/* Once the handshake is done.  Texts belong to the library or to the session.
   The protocol is that of the application, NULL for none; the name is the one
   that the client asks for, NULL if it does not.  */
SKP_API int skp_tls_version (struct skp_tls *tls); /* 12 or 13 */
SKP_API const char *skp_tls_cipher (struct skp_tls *tls);
SKP_API const char *skp_tls_protocol (struct skp_tls *tls, size_t *size);
SKP_API const char *skp_tls_name (struct skp_tls *tls);
SKP_API int skp_tls_resumed (struct skp_tls *tls);

/* The certificate at INDEX of those that the peer has shown, in DER, its own
   being the first: its size, 0 if there is none.  */
SKP_API size_t skp_tls_certificate (struct skp_tls *tls, size_t index,
                                    const unsigned char **der);

/* What is written in the certificate of SIZE bytes at DER.  Free it with
   skp_tls_description_free.  */
struct skp_tls_description;

SKP_API int skp_tls_describe (struct skp_tls_description **description,
                              const void *der, size_t size);
SKP_API void skp_tls_description_free (struct skp_tls_description *description);

enum skp_tls_text
{
  SKP_TLS_SUBJECT, /* as RFC 4514 has them */
  SKP_TLS_ISSUER
};

enum skp_tls_bytes
{
  SKP_TLS_SERIAL,
  SKP_TLS_FINGERPRINT /* SHA-256 of the certificate */
};

enum skp_tls_time
{
  SKP_TLS_BEGINS,
  SKP_TLS_ENDS
};

enum skp_tls_name_kind
{
  SKP_TLS_NAME_HOST,
  SKP_TLS_NAME_ADDRESS, /* as a text */
  SKP_TLS_NAME_MAIL,
  SKP_TLS_NAME_URI
};

/* These write up to SIZE bytes to BUFFER and return how many, 0 for what is not
   there; -ENOSPC if that is not enough.  There is no NUL behind them.  */
SKP_API ssize_t
skp_tls_description_text (const struct skp_tls_description *description,
                          enum skp_tls_text which, char *buffer, size_t size);
SKP_API ssize_t
skp_tls_description_bytes (const struct skp_tls_description *description,
                           enum skp_tls_bytes which, void *buffer, size_t size);

/* Seconds since 1970.  */
SKP_API int64_t skp_tls_description_time (
    const struct skp_tls_description *description, enum skp_tls_time which);

/* The alternative name at INDEX; -ENOENT behind the last, 0 for one of another
   kind or that is malformed.  */
SKP_API ssize_t skp_tls_description_name (
    const struct skp_tls_description *description, unsigned index,
    enum skp_tls_name_kind *kind, char *buffer, size_t size);

/* What is known of a failure: the reasons why the certificate was refused, bit
   N for -SKP_TLS_EXPIRED - N; the name of the alert that the peer has sent, or
   NULL; and what GnuTLS says, or NULL if the error says as much.  */
SKP_API unsigned skp_tls_reasons (struct skp_tls *tls);
SKP_API const char *skp_tls_alert (struct skp_tls *tls);
SKP_API const char *skp_tls_detail (struct skp_tls *tls);

SKP_END_DECLS

#endif /* SKP_TLS_H */
