/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* TLS within TLS: two sessions through two others, over sockets that move
   little, block and fail.  */

#include "tls-fixture.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum
{
  SIZE = 40000
};

/* Those of OUTER, which have shaken hands, and INNER through them.  */
static void
open_both (struct link *outer, struct link *inner, const char *host)
{
  struct skp_tls_context *client = client_context (),
                         *server = server_context (&localhost);
  link_ready (outer, "localhost");
  *inner = (struct link){ .fd = { -1, -1 } };
  assert_int_equal (skp_tls_client (&inner->client, client, outer->fd[0], host),
                    0);
  assert_int_equal (skp_tls_server (&inner->server, server, outer->fd[1]), 0);
  assert_int_equal (skp_tls_over (inner->client, outer->client), 0);
  assert_int_equal (skp_tls_over (inner->server, outer->server), 0);
  assert_ptr_equal (skp_tls_below (inner->client), outer->client);
  outer->client = outer->server = NULL;
  skp_tls_context_unref (client);
  skp_tls_context_unref (server);
}

static void
close_both (struct link *outer, struct link *inner)
{
  link_close (inner);
  link_close (outer);
}

static void
end (struct skp_tls *from, struct skp_tls *to)
{
  char byte;
  int events;
  ssize_t n;
  while (skp_tls_end (from, &events) == -EAGAIN)
    continue;
  while ((n = skp_tls_read (to, &byte, 1, &events)) == -EAGAIN)
    continue;
  assert_int_equal (n, 0);
}

static void
exchange (size_t most, int every)
{
  struct link outer, inner;
  char *sent = malloc (SIZE);
  for (size_t i = 0; i < SIZE; i++)
    sent[i] = (char)(i ^ i >> 8);
  open_both (&outer, &inner, "localhost");
  forced.most = most;
  forced.every = every;
  link_shake (&inner);
  assert_int_equal (inner.client_result, 0);
  assert_int_equal (inner.server_result, 0);
  passes_all (inner.client, inner.server, sent, SIZE);
  passes_all (inner.server, inner.client, sent, SIZE);
  end (inner.client, inner.server);
  end (inner.server, inner.client);
  end (skp_tls_below (inner.client), skp_tls_below (inner.server));
  free (sent);
  close_both (&outer, &inner);
}

static void
bytes_go_both_ways (void **state)
{
  (void)state;
  exchange (0, 0);
  exchange (1, 0);
  exchange (0, 2);
  exchange (0, 3);
  exchange (1000, 5);
}

/* The events are those that the socket has to be polled for.  */
static void
a_full_socket_is_waited_for (void **state)
{
  (void)state;
  struct link outer, inner;
  char bytes[16384] = { 0 }, *all = calloc (1, SIZE);
  int events = 0, size = 4096;
  size_t gone = 0;
  ssize_t n;
  open_both (&outer, &inner, "localhost");
  link_shake (&inner);
  assert_int_equal (skp_tls_read (inner.client, bytes, 1, &events), -EAGAIN);
  assert_int_equal (events, POLLIN);
  setsockopt (outer.fd[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  while ((n = skp_tls_write (inner.client, bytes, sizeof bytes, &events)) > 0)
    gone += (size_t)n;
  assert_int_equal (n, -EAGAIN);
  assert_int_equal (events, POLLOUT);
  assert_int_equal (skp_tls_flush (inner.client, &events), -EAGAIN);
  size_t came = 0;
  while (came < gone)
    {
      skp_tls_flush (inner.client, &events);
      n = skp_tls_read (inner.server, all, SIZE, &events);
      assert_true (n > 0 || n == -EAGAIN);
      came += n > 0 ? (size_t)n : 0;
    }
  assert_int_equal (came, gone);
  assert_int_equal (skp_tls_flush (inner.client, &events), 0);
  free (all);
  close_both (&outer, &inner);
}

static void
each_peer_is_verified (void **state)
{
  (void)state;
  struct link outer, inner;
  open_both (&outer, &inner, "other.test");
  link_shake (&inner);
  assert_int_equal (inner.client_result, -SKP_TLS_WRONG_HOST);
  assert_int_equal (inner.server_result, -SKP_TLS_ALERT);
  close_both (&outer, &inner);
}

/* The outer end is no end, and neither is that of the socket.  */
static void
what_is_cut_below_is_truncated (void **state)
{
  (void)state;
  for (int told = 0; told < 2; told++)
    {
      struct link outer, inner;
      char bytes[8];
      int events;
      open_both (&outer, &inner, "localhost");
      link_shake (&inner);
      passes (inner.server, inner.client, "last");
      if (told)
        assert_int_equal (skp_tls_end (skp_tls_below (inner.server), &events),
                          0);
      close (outer.fd[1]);
      outer.fd[1] = -1;
      for (int i = 0; i < 2; i++)
        assert_int_equal (skp_tls_read (inner.client, bytes, 8, &events),
                          -SKP_TLS_TRUNCATED);
      close_both (&outer, &inner);
    }
}

/* The call numbered AT fails; whoever made it tells so.  */
static int
fails_at (int at, int with)
{
  struct link outer, inner;
  char buffer[100];
  int events;
  open_both (&outer, &inner, "localhost");
  forced.calls = 0;
  forced.fail_at = at;
  forced.fail_with = with;
  link_shake (&inner);
  int failed = inner.client_result == -with || inner.server_result == -with;
  if (!failed && inner.client_result == 0 && inner.server_result == 0)
    {
      failed |= skp_tls_write (inner.client, "x", 1, &events) == -with;
      failed |= skp_tls_read (inner.server, buffer, 100, &events) == -with;
      failed |= skp_tls_end (inner.server, &events) == -with;
      failed |= skp_tls_read (inner.client, buffer, 100, &events) == -with;
    }
  int reached = forced.calls >= at;
  assert_true (failed || !reached);
  close_both (&outer, &inner);
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

static void
what_is_not_established_carries_nothing (void **state)
{
  (void)state;
  struct link link;
  struct skp_tls *tls;
  struct skp_tls_context *client = client_context (),
                         *server = server_context (&localhost);
  link_open (&link, client, server, "localhost");
  assert_int_equal (skp_tls_client (&tls, client, link.fd[0], "localhost"), 0);
  assert_int_equal (skp_tls_over (tls, link.client), -ENOTCONN);
  assert_int_equal (skp_tls_over (tls, tls), -EINVAL);
  assert_null (skp_tls_below (tls));
  skp_tls_free (tls);
  link_close (&link);
  skp_tls_context_unref (client);
  skp_tls_context_unref (server);
}

TESTS (TEST (bytes_go_both_ways), TEST (a_full_socket_is_waited_for),
       TEST (each_peer_is_verified), TEST (what_is_cut_below_is_truncated),
       TEST (any_call_may_fail),
       TEST (what_is_not_established_carries_nothing));
