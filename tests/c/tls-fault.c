/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Sockets that move little, that would block whenever it is inconvenient, and
   that fail: each step of a session has to go on, or to tell the error.  */

#include "tls-fixture.h"

#include <stdio.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum
{
  SIZE = 40000
};

static void
exchange (size_t most, int every)
{
  struct link link;
  struct skp_tls_context *client = client_context (),
                         *server = server_context (&localhost);
  char *sent = malloc (SIZE), byte;
  int events;
  for (size_t i = 0; i < SIZE; i++)
    sent[i] = (char)(i ^ i >> 8);
  link_open (&link, client, server, "localhost");
  forced.most = most;
  forced.every = every;
  link_shake (&link);
  assert_int_equal (link.client_result, 0);
  assert_int_equal (link.server_result, 0);
  passes_all (link.client, link.server, sent, SIZE);
  passes_all (link.server, link.client, sent, SIZE);
  while (skp_tls_end (link.client, &events) == -EAGAIN)
    continue;
  ssize_t n;
  while ((n = skp_tls_read (link.server, &byte, 1, &events)) == -EAGAIN)
    continue;
  assert_int_equal (n, 0);
  free (sent);
  link_close (&link);
  skp_tls_context_unref (client);
  skp_tls_context_unref (server);
}

static void
a_byte_at_a_time_is_enough (void **state)
{
  (void)state;
  exchange (1, 0);
  exchange (7, 0);
}

static void
any_call_may_block (void **state)
{
  (void)state;
  for (int every = 2; every <= 5; every++)
    exchange (0, every);
  exchange (1, 2);
  exchange (1000, 3);
}

/* The call numbered AT fails; whoever made it tells so, and nothing crashes. */
static int
fails_at (int at, int with)
{
  struct link link;
  struct skp_tls_context *client = client_context (),
                         *server = server_context (&localhost);
  char buffer[100];
  int events;
  link_open (&link, client, server, "localhost");
  forced.fail_at = at;
  forced.fail_with = with;
  link_shake (&link);
  int failed = link.client_result == -with || link.server_result == -with;
  if (!failed && link.client_result == 0 && link.server_result == 0)
    {
      failed |= skp_tls_write (link.client, "x", 1, &events) == -with;
      failed |= skp_tls_read (link.server, buffer, 100, &events) == -with;
      failed |= skp_tls_end (link.server, &events) == -with;
      failed |= skp_tls_read (link.client, buffer, 100, &events) == -with;
    }
  int reached = forced.calls >= at;
  if (!failed && reached)
    printf ("# at %d: %d %d\n", at, link.client_result, link.server_result);
  assert_true (failed || !reached);
  link_close (&link);
  skp_tls_context_unref (client);
  skp_tls_context_unref (server);
  return reached;
}

static void
any_call_may_fail (void **state)
{
  (void)state;
  for (int at = 1; fails_at (at, ECONNRESET); at++)
    assert_true (at < 100);
  for (int at = 1; fails_at (at, EPIPE); at++)
    assert_true (at < 100);
}

/* What has come can be read after a write has failed.  */
static void
a_failed_write_leaves_what_came (void **state)
{
  (void)state;
  struct link link;
  char buffer[8];
  int events;
  link_ready (&link, "localhost");
  assert_int_equal (skp_tls_write (link.server, "last", 4, &events), 4);
  close (link.fd[1]);
  link.fd[1] = -1;
  assert_int_equal (skp_tls_write (link.client, "x", 1, &events), -EPIPE);
  assert_int_equal (skp_tls_write (link.client, "x", 1, &events), -EPIPE);
  assert_int_equal (skp_tls_flush (link.client, &events), -EPIPE);
  assert_int_equal (skp_tls_read (link.client, buffer, 8, &events), 4);
  assert_int_equal (skp_tls_read (link.client, buffer, 8, &events),
                    -SKP_TLS_TRUNCATED);
  link_close (&link);
}

TESTS (TEST (a_byte_at_a_time_is_enough), TEST (any_call_may_block),
       TEST (any_call_may_fail), TEST (a_failed_write_leaves_what_came));
