/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "tls-fixture.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
bytes_go_both_ways (void **state)
{
  (void)state;
  struct link link;
  char buffer[8];
  int events = 0;
  link_ready (&link, "localhost");
  passes (link.client, link.server, "question");
  passes (link.server, link.client, "answer");
  assert_int_equal (skp_tls_read (link.client, buffer, 8, &events), -EAGAIN);
  assert_int_equal (events, POLLIN);
  assert_int_equal (skp_tls_pending (link.client, &events), -EAGAIN);
  link_close (&link);
}

static void
a_session_is_known (void **state)
{
  (void)state;
  struct link link;
  const unsigned char *der;
  size_t size = 0;
  const char *const client_names[] = { "h2", "http/1.1" };
  const char *const server_names[] = { "http/1.1" };
  struct skp_tls_context *client = client_context (),
                         *server = server_context (&localhost);
  assert_int_equal (skp_tls_context_protocols (client, client_names, 2), 0);
  assert_int_equal (skp_tls_context_protocols (server, server_names, 1), 0);
  link_open (&link, client, server, "localhost.");
  link_shake (&link);
  assert_int_equal (link.client_result, 0);
  assert_int_equal (link.server_result, 0);
  assert_int_equal (skp_tls_version (link.client), 13);
  assert_non_null (strstr (skp_tls_cipher (link.client), "TLS_AES_"));
  assert_memory_equal (skp_tls_protocol (link.client, &size), "http/1.1", 8);
  assert_int_equal (size, 8);
  assert_memory_equal (skp_tls_protocol (link.server, &size), "http/1.1", 8);
  assert_string_equal (skp_tls_name (link.server), "localhost");
  assert_true (skp_tls_certificate (link.client, 0, &der) > 100);
  assert_int_equal (skp_tls_certificate (link.client, 1, &der), 0);
  assert_int_equal (skp_tls_certificate (link.server, 0, &der), 0);
  assert_int_equal (skp_tls_resumed (link.client), 0);
  link_close (&link);
  skp_tls_context_unref (client);
  skp_tls_context_unref (server);
}

/* A client of HOST refuses a server with IDENTITY for REASON.  */
static void
refuses (const struct identity *identity, const char *host, int reason,
         const char *alert)
{
  struct link link;
  struct skp_tls_context *client = client_context (),
                         *server = server_context (identity);
  link_open (&link, client, server, host);
  link_shake (&link);
  assert_int_equal (link.client_result, reason);
  assert_true (skp_tls_reasons (link.client)
               & (1U << (-reason - SKP_TLS_EXPIRED)));
  assert_null (skp_tls_detail (link.client));
  assert_int_equal (link.server_result, -SKP_TLS_ALERT);
  assert_string_equal (skp_tls_alert (link.server), alert);
  int events;
  assert_int_equal (skp_tls_handshake (link.client, &events), reason);
  assert_int_equal (skp_tls_read (link.client, &link, 1, &events), reason);
  assert_int_equal (skp_tls_write (link.client, "x", 1, &events), reason);
  link_close (&link);
  skp_tls_context_unref (client);
  skp_tls_context_unref (server);
}

static void
bad_certificates_are_refused (void **state)
{
  (void)state;
  static const struct
  {
    struct description description;
    int reason;
    const char *alert;
  } rows[] = {
    { { "localhost", -9, -1, NULL }, -SKP_TLS_EXPIRED, "CERTIFICATE_EXPIRED" },
    { { "localhost", 1, 9, NULL }, -SKP_TLS_NOT_ACTIVE, "CERTIFICATE_EXPIRED" },
    { { "other", -1, 9, NULL }, -SKP_TLS_WRONG_HOST, "BAD_CERTIFICATE" },
    { { "localhost", -1, 9, GNUTLS_KP_TLS_WWW_CLIENT },
      -SKP_TLS_PURPOSE,
      "UNSUPPORTED_CERTIFICATE" },
  };
  skp_tls_context_unref (client_context ());
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    {
      struct identity identity;
      identity_make (&identity, &authority, &rows[i].description);
      refuses (&identity, "localhost", rows[i].reason, rows[i].alert);
      identity_free (&identity);
    }
  struct identity alone;
  identity_make (&alone, NULL,
                 &(struct description){ "localhost", -1, 9, NULL });
  refuses (&alone, "localhost", -SKP_TLS_UNKNOWN_ISSUER, "UNKNOWN_CA");
  identity_free (&alone);
  refuses (&localhost, "127.0.0.1", -SKP_TLS_WRONG_HOST, "BAD_CERTIFICATE");
}

static void
an_end_is_told_from_a_cut (void **state)
{
  (void)state;
  struct link link;
  char buffer[8];
  int events;
  link_ready (&link, "localhost");
  assert_int_equal (skp_tls_end (link.server, &events), 0);
  assert_int_equal (skp_tls_end (link.server, &events), 0);
  assert_int_equal (skp_tls_write (link.server, "x", 1, &events), -EPIPE);
  for (int i = 0; i < 2; i++)
    assert_int_equal (skp_tls_read (link.client, buffer, 8, &events), 0);
  assert_int_equal (skp_tls_pending (link.client, &events), 1);
  passes (link.client, link.server, "still");
  skp_tls_write (link.client, "last", 4, &events);
  close (link.fd[0]);
  link.fd[0] = -1;
  assert_int_equal (skp_tls_read (link.server, buffer, 8, &events), 4);
  for (int i = 0; i < 2; i++)
    assert_int_equal (skp_tls_read (link.server, buffer, 8, &events),
                      -SKP_TLS_TRUNCATED);
  link_close (&link);
}

static void
what_is_pending_is_not_lost (void **state)
{
  (void)state;
  struct link link;
  char buffer[8];
  int events;
  link_ready (&link, "localhost");
  assert_int_equal (skp_tls_write (link.server, "abcdef", 6, &events), 6);
  assert_int_equal (skp_tls_pending (link.client, &events), 6);
  assert_int_equal (skp_tls_read (link.client, buffer, 2, &events), 2);
  assert_int_equal (skp_tls_pending (link.client, &events), 4);
  assert_int_equal (skp_tls_read (link.client, buffer, 8, &events), 4);
  assert_memory_equal (buffer, "cdef", 4);
  assert_int_equal (skp_tls_pending (link.client, &events), -EAGAIN);
  link_close (&link);
}

/* Read everything that comes from FROM's peer, until nothing more does.  */
static size_t
drain (struct skp_tls *tls, char *bytes, size_t size)
{
  size_t all = 0;
  ssize_t n;
  int events;
  while ((n = skp_tls_read (tls, bytes + all, size - all, &events)) > 0)
    all += (size_t)n;
  assert_int_equal (n, -EAGAIN);
  return all;
}

/* A write that could not go at once is followed by others, of other bytes.  */
static void
an_interrupted_write_loses_nothing (void **state)
{
  (void)state;
  enum
  {
    SIZE = 1 << 22
  };
  struct link link;
  int events;
  link_ready (&link, "localhost");
  char *sent = malloc (SIZE), *received = malloc (SIZE);
  size_t count = 0, came = 0;
  for (size_t i = 0; i < SIZE; i++)
    sent[i] = (char)(i * 7 + i / 251);
  for (size_t piece = 16000; count + piece < SIZE; piece = piece % 16000 + 999)
    {
      ssize_t n = skp_tls_write (link.client, sent + count, piece, &events);
      if (n == -EAGAIN)
        {
          assert_int_equal (events, POLLOUT);
          if (came > SIZE / 2)
            break;
          came += drain (link.server, received + came, SIZE - came);
        }
      else
        {
          assert_true (n > 0 && (size_t)n <= piece);
          count += (size_t)n;
        }
    }
  while (skp_tls_flush (link.client, &events) == -EAGAIN)
    came += drain (link.server, received + came, SIZE - came);
  came += drain (link.server, received + came, SIZE - came);
  assert_int_equal (came, count);
  assert_memory_equal (sent, received, count);
  free (sent);
  free (received);
  link_close (&link);
}

static void
what_came_before_is_used (void **state)
{
  (void)state;
  struct link link;
  char hello[4096];
  int events;
  struct skp_tls_context *client = client_context (),
                         *server = server_context (&localhost);
  link_open (&link, client, server, "localhost");
  assert_int_equal (skp_tls_handshake (link.client, &events), -EAGAIN);
  ssize_t n = recv (link.fd[1], hello, sizeof hello, 0);
  assert_true (n > 100);
  assert_int_equal (skp_tls_feed (link.server, hello, 50), 0);
  assert_int_equal (skp_tls_feed (link.server, hello + 50, (size_t)n - 50), 0);
  link_shake (&link);
  assert_int_equal (link.client_result, 0);
  assert_int_equal (link.server_result, 0);
  passes (link.client, link.server, "question");
  link_close (&link);
  skp_tls_context_unref (client);
  skp_tls_context_unref (server);
}

static void
a_context_is_closed_once_used (void **state)
{
  (void)state;
  struct link link;
  struct skp_tls_context *context = client_context (),
                         *server = server_context (&localhost);
  const char *const names[] = { "h2" }, *const empty[] = { "" };
  assert_int_equal (skp_tls_context_set (context, SKP_TLS_MINIMUM, 11),
                    -EINVAL);
  assert_int_equal (skp_tls_context_set (context, SKP_TLS_VERIFY, 2), -EINVAL);
  assert_int_equal (skp_tls_context_protocols (context, empty, 1), -EINVAL);
  assert_int_equal (skp_tls_context_priorities (context, "NONSENSE"),
                    -SKP_TLS_BAD_PRIORITIES);
  assert_int_equal (skp_tls_context_trust (context, "x", 1),
                    -SKP_TLS_BAD_CERTIFICATE);
  assert_int_equal (skp_tls_context_revoke (context, "x", 1),
                    -SKP_TLS_BAD_LIST);
  assert_int_equal (skp_tls_context_staple (context, 0, "x", 1), -EINVAL);
  assert_int_equal (skp_tls_context_staple (server, 0, "x", 1),
                    -SKP_TLS_BAD_STAPLE_DATA);
  assert_int_equal (
      skp_tls_context_certify (context, localhost.certificate_pem.data,
                               localhost.certificate_pem.size,
                               authority.key_pem.data, authority.key_pem.size),
      -SKP_TLS_BAD_KEY);
  link_open (&link, context, server, "localhost");
  assert_int_equal (skp_tls_context_set (context, SKP_TLS_MINIMUM, 13), -EBUSY);
  assert_int_equal (skp_tls_context_trust_system (context), -EBUSY);
  assert_int_equal (skp_tls_context_trust (context, "x", 1), -EBUSY);
  assert_int_equal (skp_tls_context_revoke (context, "x", 1), -EBUSY);
  assert_int_equal (skp_tls_context_protocols (context, names, 1), -EBUSY);
  assert_int_equal (skp_tls_context_priorities (context, NULL), -EBUSY);
  assert_int_equal (skp_tls_context_staple (server, 0, "x", 1), -EBUSY);
  assert_int_equal (skp_tls_context_certify (context, "x", 1, "x", 1), -EBUSY);
  assert_int_equal (skp_tls_context_inherit (context, server), -EBUSY);
  assert_ptr_equal (skp_tls_context_ref (context), context);
  skp_tls_context_unref (context);
  link_close (&link);
  skp_tls_context_unref (context);
  skp_tls_context_unref (server);
  skp_tls_context_unref (NULL);
}

static void
errors_have_names (void **state)
{
  (void)state;
  assert_string_equal (skp_tls_error_name (-SKP_TLS_EXPIRED), "expired");
  assert_string_equal (skp_tls_error_name (-SKP_TLS_OTHER), "other");
  assert_string_equal (skp_tls_error_text (-SKP_TLS_ALERT),
                       "the peer has refused");
  assert_null (skp_tls_error_name (-EAGAIN));
  assert_null (skp_tls_error_name (-SKP_TLS_ERROR_END));
  assert_null (skp_tls_error_text (0));
}

static void
a_descriptor_may_change (void **state)
{
  (void)state;
  struct link link;
  link_ready (&link, "localhost");
  int moved = dup (link.fd[0]);
  assert_true (moved >= 0);
  close (link.fd[0]);
  link.fd[0] = moved;
  skp_tls_move (link.client, moved);
  passes (link.client, link.server, "to");
  passes (link.server, link.client, "fro");
  link_close (&link);
}

static void
what_gnutls_says_is_known (void **state)
{
  (void)state;
  struct link link;
  struct skp_tls_context *client = client_context (),
                         *server = server_context (&localhost);
  static const unsigned char data[] = { 23, 3, 1, 0, 1, 0 };
  int events;
  link_open (&link, client, server, "localhost");
  assert_null (skp_tls_detail (link.server));
  assert_int_equal (skp_tls_feed (link.server, data, sizeof data), 0);
  assert_int_equal (skp_tls_handshake (link.server, &events),
                    -SKP_TLS_PROTOCOL);
  assert_string_equal (skp_tls_detail (link.server),
                       "An unexpected TLS packet was received.");
  link_close (&link);
  skp_tls_context_unref (client);
  skp_tls_context_unref (server);
}

static void
only_names_of_hosts_are_taken (void **state)
{
  (void)state;
  struct skp_tls_context *context = client_context ();
  struct skp_tls *tls = NULL;
  assert_int_equal (skp_tls_client (&tls, context, 0, ""), -SKP_TLS_BAD_NAME);
  assert_int_equal (skp_tls_client (&tls, context, 0, "."), -SKP_TLS_BAD_NAME);
  assert_null (tls);
  skp_tls_context_unref (context);
}

TESTS (TEST (bytes_go_both_ways), TEST (a_session_is_known),
       TEST (bad_certificates_are_refused), TEST (an_end_is_told_from_a_cut),
       TEST (what_is_pending_is_not_lost),
       TEST (an_interrupted_write_loses_nothing),
       TEST (what_came_before_is_used), TEST (a_context_is_closed_once_used),
       TEST (errors_have_names), TEST (what_gnutls_says_is_known),
       TEST (a_descriptor_may_change), TEST (only_names_of_hosts_are_taken));
