/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Contexts: their settings, and how they are made ready for their first
   session. Certificates are in credential.c.  */

#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Forward secrecy and authenticated encryption only, 112 bits of security. Keys
   are agreed on by X25519 where a client can, which takes half as long as
   NORMAL's first choice, and never by groups of large numbers.  AES-128-GCM
   with SHA-256 comes first, as in Go and in browsers: it costs less, and is no
   weaker than the rest of a handshake.  */
#define GOOD                                                                   \
  "NORMAL:-RSA:-DHE-RSA:-AES-256-CBC:-AES-128-CBC:-SHA1:-GROUP-DH-ALL:"        \
  "-GROUP-SECP256R1:-GROUP-SECP384R1:-GROUP-SECP521R1:"                        \
  "+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1:"                        \
  "-AES-256-GCM:-CHACHA20-POLY1305:-AES-256-CCM:-AES-128-CCM:"                 \
  "+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-CCM:+AES-256-CCM:"                 \
  "%SERVER_PRECEDENCE:%PROFILE_MEDIUM"

/* Values from 0, or LEAST, to MOST.  */
static const struct
{
  int least, most, first;
} settings[SKP__TLS_SETTINGS] = {
  [SKP_TLS_VERIFY] = { 0, 1, 1 },
  [SKP_TLS_CLIENTS] = { 0, SKP_TLS_CLIENTS_REQUIRE, SKP_TLS_CLIENTS_NONE },
  [SKP_TLS_MINIMUM] = { 12, 13, 12 },
  [SKP_TLS_RESUMPTION] = { 0, 1, 1 },
  [SKP_TLS_STRICT_NAMES] = { 0, 1, 0 },
};

int
skp_tls_context_new (struct skp_tls_context **context)
{
  struct skp_tls_context *new = calloc (1, sizeof *new);
  if (!new)
    return -ENOMEM;
  if (gnutls_certificate_allocate_credentials (&new->credentials) < 0)
    {
      free (new);
      return -ENOMEM;
    }
  atomic_init (&new->references, 1);
  pthread_mutex_init (&new->lock, NULL);
  pthread_mutex_init (&new->cache.lock, NULL);
  for (int i = 0; i < SKP__TLS_SETTINGS; i++)
    new->setting[i] = settings[i].first;
  *context = new;
  return 0;
}

struct skp_tls_context *
skp_tls_context_ref (struct skp_tls_context *context)
{
  atomic_fetch_add (&context->references, 1);
  return context;
}

static void
free_protocols (struct skp_tls_context *context)
{
  for (size_t i = 0; i < context->protocols_count; i++)
    free (context->protocols[i].data);
  free (context->protocols);
  context->protocols = NULL;
  context->protocols_count = 0;
}

static void
wipe (gnutls_datum_t *key)
{
  if (key->data)
    gnutls_memset (key->data, 0, key->size);
  gnutls_free (key->data);
}

void
skp_tls_context_unref (struct skp_tls_context *context)
{
  if (!context || atomic_fetch_sub (&context->references, 1) > 1)
    return;
  gnutls_certificate_free_credentials (context->credentials);
  if (context->priorities)
    gnutls_priority_deinit (context->priorities);
  skp__tls_own_free (context->own);
  skp__tls_cache_clear (&context->cache);
  wipe (&context->ticket_key);
  free_protocols (context);
  free (context->priority_text);
  pthread_mutex_destroy (&context->cache.lock);
  pthread_mutex_destroy (&context->lock);
  free (context);
}

int
skp__tls_context_open (struct skp_tls_context *context)
{
  return atomic_load (&context->used) ? -EBUSY : 0;
}

int
skp_tls_context_set (struct skp_tls_context *context,
                     enum skp_tls_setting setting, int value)
{
  int error = skp__tls_context_open (context);
  if (error < 0)
    return error;
  if ((unsigned)setting >= SKP__TLS_SETTINGS || value < settings[setting].least
      || value > settings[setting].most)
    return -EINVAL;
  context->setting[setting] = value;
  return 0;
}

/* Versions before the least are not spoken, whatever TEXT says.  */
static int
make_priorities (gnutls_priority_t *priorities, const char *text, int minimum)
{
  char *whole;
  if (asprintf (&whole, "%s:-VERS-SSL3.0:-VERS-TLS1.0:-VERS-TLS1.1%s",
                text ? text : GOOD, minimum == 13 ? ":-VERS-TLS1.2" : "")
      < 0)
    return -ENOMEM;
  int code = gnutls_priority_init (priorities, whole, NULL);
  free (whole);
  if (code == GNUTLS_E_MEMORY_ERROR)
    return -ENOMEM;
  return code < 0 ? -SKP_TLS_BAD_PRIORITIES : 0;
}

int
skp_tls_context_priorities (struct skp_tls_context *context, const char *text)
{
  gnutls_priority_t tried;
  int error = skp__tls_context_open (context);
  if (error == 0)
    error = make_priorities (&tried, text, 12);
  if (error < 0)
    return error;
  gnutls_priority_deinit (tried);
  char *copy = text ? strdup (text) : NULL;
  if (text && !copy)
    return -ENOMEM;
  free (context->priority_text);
  context->priority_text = copy;
  return 0;
}

int
skp_tls_context_protocols (struct skp_tls_context *context,
                           const char *const *names, size_t count)
{
  int error = skp__tls_context_open (context);
  if (error < 0)
    return error;
  for (size_t i = 0; i < count; i++)
    if (!names[i][0] || strlen (names[i]) > 255)
      return -EINVAL;
  free_protocols (context);
  context->protocols = calloc (count ? count : 1, sizeof *context->protocols);
  if (!context->protocols)
    return -ENOMEM;
  for (size_t i = 0; i < count; i++)
    {
      gnutls_datum_t *protocol = &context->protocols[i];
      protocol->data = (unsigned char *)strdup (names[i]);
      if (!protocol->data)
        return -ENOMEM;
      protocol->size = (unsigned)strlen (names[i]);
      context->protocols_count++;
    }
  return 0;
}

static int
make_ready (struct skp_tls_context *context)
{
  int error = 0;
  if (!context->priorities)
    error = make_priorities (&context->priorities, context->priority_text,
                             context->setting[SKP_TLS_MINIMUM]);
  if (error < 0)
    return error;
  if (!context->ticket_key.data && context->setting[SKP_TLS_RESUMPTION]
      && gnutls_session_ticket_key_generate (&context->ticket_key) < 0)
    return -ENOMEM;
  skp__tls_verify_within (context);
  skp__tls_choose_within (context);
  return 0;
}

int
skp__tls_context_use (struct skp_tls_context *context)
{
  int error = 0;
  if (atomic_load (&context->used))
    return 0;
  pthread_mutex_lock (&context->lock);
  if (!atomic_load (&context->used))
    {
      error = make_ready (context);
      if (error == 0)
        atomic_store (&context->used, 1);
    }
  pthread_mutex_unlock (&context->lock);
  return error;
}

int
skp_tls_context_inherit (struct skp_tls_context *context,
                         struct skp_tls_context *older)
{
  int error = skp__tls_context_open (context);
  if (error < 0)
    return error;
  pthread_mutex_lock (&older->lock);
  if (older->ticket_key.data && !context->ticket_key.data)
    {
      unsigned size = older->ticket_key.size;
      context->ticket_key.data = gnutls_malloc (size);
      if (context->ticket_key.data)
        {
          memcpy (context->ticket_key.data, older->ticket_key.data, size);
          context->ticket_key.size = size;
        }
      else
        error = -ENOMEM;
    }
  pthread_mutex_unlock (&older->lock);
  return error;
}
