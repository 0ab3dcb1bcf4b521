/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Sessions that are resumed, renegotiated or given new keys.  */

#include "internal.h"
#include "tls-fixture.h"

#include <errno.h>

/* The second of two sessions with one context, each with HOST.  */
static int
resumes (struct skp_tls_context *client, struct skp_tls_context *server,
         const char *host)
{
  struct link link;
  link_open (&link, client, server, host);
  link_shake (&link);
  assert_int_equal (link.client_result, 0);
  assert_int_equal (link.server_result, 0);
  int resumed = skp_tls_resumed (link.client);
  assert_int_equal (skp_tls_resumed (link.server), resumed);
  passes (link.server, link.client, "with a ticket before it");
  link_close (&link);
  return resumed;
}

static void
sessions_are_resumed (void **state)
{
  (void)state;
  for (int version = 12; version <= 13; version++)
    {
      struct skp_tls_context *client = client_context (), *other, *server,
                             *later;
      server = server_context (&localhost);
      other = client_context ();
      later = server_context (&localhost);
      if (version == 12)
        assert_int_equal (
            skp_tls_context_priorities (client, "NORMAL:-VERS-TLS1.3"), 0);
      assert_int_equal (resumes (client, server, "localhost"), 0);
      assert_int_equal (resumes (client, server, "localhost"), 1);
      assert_int_equal (resumes (other, server, "localhost"), 0);
      assert_int_equal (skp_tls_context_inherit (later, server), 0);
      assert_int_equal (resumes (client, later, "localhost"), 1);
      skp_tls_context_unref (client);
      skp_tls_context_unref (other);
      skp_tls_context_unref (server);
      skp_tls_context_unref (later);
    }
}

/* A server begins anew, which a client refuses: what follows goes on, unless it
   is asked without end.  */
static void
renegotiation_is_refused (void **state)
{
  (void)state;
  struct link link;
  char buffer[8];
  int events;
  struct skp_tls_context *client = client_context (),
                         *server = server_context (&localhost);
  assert_int_equal (skp_tls_context_priorities (client, "NORMAL:-VERS-TLS1.3"),
                    0);
  link_open (&link, client, server, "localhost");
  link_shake (&link);
  assert_int_equal (link.client_result, 0);
  assert_int_equal (skp_tls_version (link.client), 12);
  assert_int_equal (gnutls_rehandshake (link.server->session), 0);
  assert_int_equal (skp_tls_read (link.client, buffer, 8, &events), -EAGAIN);
  assert_int_equal (skp_tls_read (link.server, buffer, 8, &events), -EAGAIN);
  passes (link.server, link.client, "goes on");
  passes (link.client, link.server, "both ways");
  ssize_t n = -EAGAIN;
  for (int i = 0; i < 30 && n == -EAGAIN; i++)
    {
      gnutls_rehandshake (link.server->session);
      n = skp_tls_read (link.client, buffer, 8, &events);
    }
  assert_int_equal (n, -SKP_TLS_RENEGOTIATION);
  link_close (&link);
  skp_tls_context_unref (client);
  skp_tls_context_unref (server);
}

/* A client begins anew: no memory is lost by what looks for bytes.  */
static void
a_server_refuses_to_begin_anew (void **state)
{
  (void)state;
  struct link link;
  int events;
  struct skp_tls_context *client = client_context (),
                         *server = server_context (&localhost);
  assert_int_equal (skp_tls_context_priorities (client, "NORMAL:-VERS-TLS1.3"),
                    0);
  link_open (&link, client, server, "localhost");
  link_shake (&link);
  assert_int_equal (link.server_result, 0);
  assert_int_equal (gnutls_handshake (link.client->session), GNUTLS_E_AGAIN);
  for (int i = 0; i < 3; i++)
    skp_tls_pending (link.server, &events);
  link_close (&link);
  skp_tls_context_unref (client);
  skp_tls_context_unref (server);
}

/* What one side says at once goes by one call of the system.  */
static void
a_flight_is_one_call (void **state)
{
  (void)state;
  struct link link;
  struct skp_tls_context *client = client_context (),
                         *server = server_context (&localhost);
  int events;
  link_open (&link, client, server, "localhost");
  for (int i = 0; i < 2; i++)
    {
      int calls = forced.calls;
      assert_int_equal (skp_tls_handshake (link.client, &events),
                        i == 0 ? -EAGAIN : 0);
      calls = forced.calls - calls;
      assert_true (1 <= calls && calls <= 2);
      calls = forced.calls;
      assert_int_equal (skp_tls_handshake (link.server, &events),
                        i == 0 ? -EAGAIN : 0);
      /* It receives, sends, and would receive more; tickets may be in the first
         flight.  */
      calls = forced.calls - calls;
      assert_true (1 <= calls && calls <= 3);
    }
  link_close (&link);
  skp_tls_context_unref (client);
  skp_tls_context_unref (server);
}

/* Keys are changed by whichever side, while the other writes.  */
static void
keys_change_underneath (void **state)
{
  (void)state;
  struct link link;
  link_ready (&link, "localhost");
  for (int i = 0; i < 3; i++)
    {
      assert_int_equal (
          gnutls_session_key_update (link.server->session, GNUTLS_KU_PEER), 0);
      passes (link.server, link.client, "after");
      passes (link.client, link.server, "and back");
    }
  link_close (&link);
}

/* A server that sends tickets without end would keep the client's thread.  */
static void
tickets_have_an_end (void **state)
{
  (void)state;
  struct link link;
  char buffer[8];
  int events;
  link_ready (&link, "localhost");
  for (int i = 0; i < 130; i++)
    {
      if (i == 30)
        passes (link.server, link.client, "behind some");
      assert_int_equal (gnutls_session_ticket_send (link.server->session, 1, 0),
                        0);
    }
  for (int i = 0; i < 2; i++)
    assert_int_equal (
        skp_tls_read (link.client, buffer, sizeof buffer, &events),
        -SKP_TLS_PROTOCOL);
  link_close (&link);
}

static void
a_certificate_is_described (void **state)
{
  (void)state;
  struct link link;
  struct skp_tls_description *description;
  const unsigned char *der;
  unsigned char bytes[64];
  char buffer[100];
  enum skp_tls_name_kind kind;
  link_ready (&link, "localhost");
  size_t size = skp_tls_certificate (link.client, 0, &der);
  assert_int_equal (skp_tls_describe (&description, der, size - 1),
                    -SKP_TLS_BAD_CERTIFICATE);
  assert_int_equal (skp_tls_describe (&description, der, size), 0);
  assert_int_equal (skp_tls_description_text (description, SKP_TLS_SUBJECT,
                                              buffer, sizeof buffer),
                    7);
  assert_memory_equal (buffer, "CN=leaf", 7);
  assert_int_equal (
      skp_tls_description_text (description, SKP_TLS_ISSUER, buffer, 3),
      -ENOSPC);
  assert_int_equal (skp_tls_description_bytes (description, SKP_TLS_FINGERPRINT,
                                               bytes, sizeof bytes),
                    32);
  assert_int_equal (
      skp_tls_description_bytes (description, SKP_TLS_SERIAL, bytes, 1),
      -ENOSPC);
  assert_true (skp_tls_description_time (description, SKP_TLS_BEGINS)
               < skp_tls_description_time (description, SKP_TLS_ENDS));
  assert_int_equal (
      skp_tls_description_name (description, 0, &kind, buffer, sizeof buffer),
      9);
  assert_int_equal (kind, SKP_TLS_NAME_HOST);
  assert_memory_equal (buffer, "localhost", 9);
  assert_int_equal (
      skp_tls_description_name (description, 1, &kind, buffer, sizeof buffer),
      -ENOENT);
  skp_tls_description_free (description);
  skp_tls_description_free (NULL);
  link_close (&link);
}

TESTS (TEST (sessions_are_resumed), TEST (renegotiation_is_refused),
       TEST (a_server_refuses_to_begin_anew), TEST (a_flight_is_one_call),
       TEST (keys_change_underneath), TEST (tickets_have_an_end),
       TEST (a_certificate_is_described));
