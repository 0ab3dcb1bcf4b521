/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Sessions from their beginning to the end of the handshake, and their end.  */

#include "internal.h"
#include "step.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

int
skp__tls_asked_name (struct skp_tls *tls)
{
  size_t size = sizeof tls->name - 1;
  unsigned type;
  if (gnutls_server_name_get (tls->session, tls->name, &size, &type, 0) < 0
      || type != GNUTLS_NAME_DNS || size == 0)
    {
      tls->name[0] = '\0';
      return 0;
    }
  tls->name[size] = '\0';
  return 1;
}

/* What a client has asked for is known now.  */
static int
hello_came (gnutls_session_t session)
{
  struct skp_tls *tls = gnutls_session_get_ptr (session);
  if (tls->context->setting[SKP_TLS_STRICT_NAMES] && skp__tls_asked_name (tls)
      && !skp__tls_has_name (tls->context, tls->name))
    return GNUTLS_E_UNRECOGNIZED_NAME;
  return 0;
}

static int
set_up_server (struct skp_tls *tls)
{
  static const gnutls_certificate_request_t requests[]
      = { [SKP_TLS_CLIENTS_NONE] = GNUTLS_CERT_IGNORE,
          [SKP_TLS_CLIENTS_ASK] = GNUTLS_CERT_REQUEST,
          [SKP_TLS_CLIENTS_REQUIRE] = GNUTLS_CERT_REQUIRE };
  struct skp_tls_context *context = tls->context;
  gnutls_certificate_server_set_request (
      tls->session, requests[context->setting[SKP_TLS_CLIENTS]]);
  gnutls_handshake_set_post_client_hello_function (tls->session, hello_came);
  if (!context->setting[SKP_TLS_RESUMPTION])
    return 0;
  return gnutls_session_ticket_enable_server (tls->session,
                                              &context->ticket_key);
}

static int
set_up_client (struct skp_tls *tls)
{
  int code = 0;
  if (tls->address_size == 0)
    code = gnutls_server_name_set (tls->session, GNUTLS_NAME_DNS, tls->host,
                                   strlen (tls->host));
  if (code >= 0)
    skp__tls_resume (tls);
  return code;
}

static int
set_up (struct skp_tls *tls)
{
  struct skp_tls_context *context = tls->context;
  unsigned flags = GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL
                   | (tls->server ? GNUTLS_SERVER : GNUTLS_CLIENT);
  if (!context->setting[SKP_TLS_RESUMPTION])
    flags |= tls->server ? GNUTLS_NO_AUTO_SEND_TICKET : GNUTLS_NO_TICKETS;
  int code = gnutls_init (&tls->session, flags);
  if (code < 0)
    {
      tls->session = NULL;
      return code;
    }
  gnutls_session_set_ptr (tls->session, tls);
  skp__tls_transport (tls);
  gnutls_handshake_set_timeout (tls->session, 0);
  code = gnutls_priority_set (tls->session, context->priorities);
  if (code >= 0)
    code = gnutls_credentials_set (tls->session, GNUTLS_CRD_CERTIFICATE,
                                   context->credentials);
  if (code >= 0 && context->protocols_count > 0)
    code = gnutls_alpn_set_protocols (
        tls->session, context->protocols, (unsigned)context->protocols_count,
        tls->server ? GNUTLS_ALPN_MANDATORY | GNUTLS_ALPN_SERVER_PRECEDENCE
                    : 0);
  if (code >= 0)
    code = tls->server ? set_up_server (tls) : set_up_client (tls);
  return code;
}

/* HOST is NULL for a server.  */
static int
make (struct skp_tls **tls, struct skp_tls_context *context, int fd,
      const char *host)
{
  int error = skp__tls_context_use (context);
  if (error < 0)
    return error;
  struct skp_tls *new = calloc (1, sizeof *new);
  if (!new)
    return -ENOMEM;
  pthread_mutex_init (&new->lock, NULL);
  new->context = skp_tls_context_ref (context);
  new->fd = fd;
  new->alert = -1;
  new->server = !host;
  if (host)
    error = skp__tls_host (new, host);
  if (error == 0)
    {
      int code = set_up (new);
      error = code < 0 ? skp__tls_error (code) : 0;
    }
  if (error < 0)
    {
      skp_tls_free (new);
      return error;
    }
  *tls = new;
  return 0;
}

int
skp_tls_client (struct skp_tls **tls, struct skp_tls_context *context, int fd,
                const char *host)
{
  return make (tls, context, fd, host);
}

int
skp_tls_server (struct skp_tls **tls, struct skp_tls_context *context, int fd)
{
  return make (tls, context, fd, NULL);
}

void
skp_tls_free (struct skp_tls *tls)
{
  if (!tls)
    return;
  if (tls->session)
    gnutls_deinit (tls->session);
  skp_tls_free (tls->below);
  skp_tls_context_unref (tls->context);
  pthread_mutex_destroy (&tls->lock);
  free (tls->kept);
  free (tls->ahead);
  free (tls->flight);
  free (tls->host);
  free (tls);
}

/* What GnuTLS answers when it can do no more.  */
static int
negotiate (struct skp_tls *tls)
{
  int code, warnings = 0;
  skp__tls_begin (tls);
  do
    code = gnutls_handshake (tls->session);
  while (code < 0 && !gnutls_error_is_fatal (code) && !tls->blocked
         && (code == GNUTLS_E_AGAIN || warnings++ < MOST_WARNINGS));
  /* A session that is resumed proves nothing anew, but what was proved may have
     expired, or be revoked.  */
  if (code == 0 && !tls->verified && skp__tls_verify (tls) < 0)
    return GNUTLS_E_CERTIFICATE_ERROR;
  tls->shaken = code == 0;
  return code;
}

static int
deliver (struct skp_tls *tls, int *events)
{
  int error = skp__tls_deliver (tls);
  if (error == -EAGAIN)
    *events = POLLOUT;
  else if (error < 0)
    tls->failed = error;
  return error;
}

static int
shake (struct skp_tls *tls, int *events)
{
  int error = deliver (tls, events);
  int code = error < 0 || tls->shaken ? 0 : negotiate (tls);
  if (code < 0 && code != GNUTLS_E_AGAIN)
    {
      error = skp__tls_fail (tls, code);
      skp__tls_deliver (tls);
    }
  else if (error == 0)
    error = deliver (tls, events);
  if (error < 0)
    return error;
  if (code == GNUTLS_E_AGAIN)
    return skp__tls_later (tls, events);
  if (tls->server)
    skp__tls_asked_name (tls);
  tls->established = 1;
  skp__tls_save (tls);
  return 0;
}

int
skp_tls_handshake (struct skp_tls *tls, int *events)
{
  pthread_mutex_lock (&tls->lock);
  int result
      = tls->failed || tls->established ? tls->failed : shake (tls, events);
  pthread_mutex_unlock (&tls->lock);
  return result;
}
