/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "tls-fixture.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <sockport/socket.h>

struct identity authority, localhost;
struct forced forced;

long __real_syscall (long number, ...);
long __wrap_syscall (long number, long a, long b, long c, long d, long e,
                     long f);

static long
cut_message (long fd, struct msghdr *message, long flags)
{
  size_t left = forced.most;
  struct iovec cut[64];
  struct msghdr smaller = *message;
  for (smaller.msg_iovlen = 0; smaller.msg_iovlen < message->msg_iovlen
                               && smaller.msg_iovlen < 64 && left > 0;
       smaller.msg_iovlen++)
    {
      struct iovec *slice = &cut[smaller.msg_iovlen];
      *slice = message->msg_iov[smaller.msg_iovlen];
      slice->iov_len = slice->iov_len < left ? slice->iov_len : left;
      left -= slice->iov_len;
    }
  smaller.msg_iov = cut;
  return __real_syscall (SYS_sendmsg, fd, &smaller, flags);
}

long
__wrap_syscall (long number, long a, long b, long c, long d, long e, long f)
{
  if (number != SYS_recvfrom && number != SYS_sendto && number != SYS_sendmsg)
    return __real_syscall (number, a, b, c, d, e, f);
  forced.calls++;
  if (forced.calls == forced.fail_at)
    {
      errno = forced.fail_with;
      return -1;
    }
  forced.calls_of[a % 64]++;
  if (forced.every && forced.calls_of[a % 64] % forced.every == 0)
    {
      errno = EAGAIN;
      return -1;
    }
  if (forced.most && number == SYS_sendmsg)
    return cut_message (a, (struct msghdr *)b, c);
  if (forced.most && c > (long)forced.most)
    c = (long)forced.most;
  return __real_syscall (number, a, b, c, d, e, f);
}

static void
name_it (gnutls_x509_crt_t certificate, const struct description *description)
{
  const char *purpose
      = description->purpose ? description->purpose : GNUTLS_KP_TLS_WWW_SERVER;
  if (!description->host)
    {
      gnutls_x509_crt_set_ca_status (certificate, 1);
      gnutls_x509_crt_set_key_usage (certificate, GNUTLS_KEY_KEY_CERT_SIGN
                                                      | GNUTLS_KEY_CRL_SIGN);
      gnutls_x509_crt_set_dn (certificate, "CN=authority", NULL);
      return;
    }
  gnutls_x509_crt_set_dn (certificate, "CN=leaf", NULL);
  gnutls_x509_crt_set_subject_alt_name (
      certificate, GNUTLS_SAN_DNSNAME, description->host,
      (unsigned)strlen (description->host), GNUTLS_FSAN_SET);
  gnutls_x509_crt_set_key_purpose_oid (certificate, purpose, 0);
  gnutls_x509_crt_set_key_usage (certificate, GNUTLS_KEY_DIGITAL_SIGNATURE);
}

void
identity_make (struct identity *identity, const struct identity *issuer,
               const struct description *description)
{
  static unsigned serial;
  time_t now = time (NULL);
  unsigned char number[4];
  serial++;
  for (int i = 0; i < 4; i++)
    number[i] = (unsigned char)(serial >> (8 * (3 - i)));
  number[0] = 1;
  gnutls_x509_privkey_init (&identity->key);
  assert_int_equal (gnutls_x509_privkey_generate (
                        identity->key, GNUTLS_PK_ECDSA,
                        GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1), 0),
                    0);
  gnutls_x509_crt_init (&identity->certificate);
  gnutls_x509_crt_set_version (identity->certificate, 3);
  gnutls_x509_crt_set_serial (identity->certificate, number, sizeof number);
  gnutls_x509_crt_set_activation_time (identity->certificate,
                                       now + description->begins * 86400);
  gnutls_x509_crt_set_expiration_time (identity->certificate,
                                       now + description->ends * 86400);
  name_it (identity->certificate, description);
  gnutls_x509_crt_set_key (identity->certificate, identity->key);
  if (!issuer)
    issuer = identity;
  assert_int_equal (gnutls_x509_crt_sign2 (identity->certificate,
                                           issuer->certificate, issuer->key,
                                           GNUTLS_DIG_SHA256, 0),
                    0);
  gnutls_x509_crt_export2 (identity->certificate, GNUTLS_X509_FMT_PEM,
                           &identity->certificate_pem);
  gnutls_x509_privkey_export2 (identity->key, GNUTLS_X509_FMT_PEM,
                               &identity->key_pem);
}

void
identity_free (struct identity *identity)
{
  gnutls_x509_crt_deinit (identity->certificate);
  gnutls_x509_privkey_deinit (identity->key);
  gnutls_free (identity->certificate_pem.data);
  gnutls_free (identity->key_pem.data);
}

static void
make_both (void)
{
  if (authority.key)
    return;
  identity_make (&authority, NULL,
                 &(struct description){ .begins = -1, .ends = 9 });
  identity_make (
      &localhost, &authority,
      &(struct description){ .host = "localhost", .begins = -1, .ends = 9 });
}

struct skp_tls_context *
server_context (const struct identity *identity)
{
  struct skp_tls_context *context;
  make_both ();
  assert_int_equal (skp_tls_context_new (&context), 0);
  assert_int_equal (
      skp_tls_context_certify (context, identity->certificate_pem.data,
                               identity->certificate_pem.size,
                               identity->key_pem.data, identity->key_pem.size),
      0);
  return context;
}

struct skp_tls_context *
client_context (void)
{
  struct skp_tls_context *context;
  make_both ();
  assert_int_equal (skp_tls_context_new (&context), 0);
  assert_int_equal (skp_tls_context_trust (context,
                                           authority.certificate_pem.data,
                                           authority.certificate_pem.size),
                    1);
  return context;
}

void
link_open (struct link *link, struct skp_tls_context *client,
           struct skp_tls_context *server, const char *host)
{
  memset (&forced, 0, sizeof forced);
  memset (link, 0, sizeof *link);
  assert_int_equal (skp_socket_pair (AF_UNIX, SOCK_STREAM, 0, link->fd), 0);
  assert_int_equal (skp_tls_client (&link->client, client, link->fd[0], host),
                    0);
  assert_int_equal (skp_tls_server (&link->server, server, link->fd[1]), 0);
}

void
link_close (struct link *link)
{
  skp_tls_free (link->client);
  skp_tls_free (link->server);
  for (int i = 0; i < 2; i++)
    if (link->fd[i] >= 0)
      close (link->fd[i]);
}

void
link_shake (struct link *link)
{
  int events, idle = 0;
  link->client_result = link->server_result = -EAGAIN;
  /* Calls that are made to block do so a few times in a row at most.  */
  while (idle < 64)
    {
      int calls = forced.calls;
      if (link->client_result == -EAGAIN)
        link->client_result = skp_tls_handshake (link->client, &events);
      if (link->server_result == -EAGAIN)
        link->server_result = skp_tls_handshake (link->server, &events);
      /* What a server sends last may fill the socket.  */
      if (link->client_result == 0)
        skp_tls_pending (link->client, &events);
      if (link->client_result != -EAGAIN && link->server_result != -EAGAIN)
        return;
      idle = forced.calls - calls > 2 ? 0 : idle + 1;
    }
}

void
link_ready (struct link *link, const char *host)
{
  struct skp_tls_context *client = client_context (),
                         *server = server_context (&localhost);
  link_open (link, client, server, host);
  skp_tls_context_unref (client);
  skp_tls_context_unref (server);
  link_shake (link);
  assert_int_equal (link->client_result, 0);
  assert_int_equal (link->server_result, 0);
}

void
passes (struct skp_tls *from, struct skp_tls *to, const char *text)
{
  char buffer[100];
  int events = 0;
  ssize_t size = (ssize_t)strlen (text), n;
  assert_int_equal (skp_tls_write (from, text, (size_t)size, &events), size);
  while (skp_tls_flush (from, &events) == -EAGAIN)
    continue;
  while ((n = skp_tls_read (to, buffer, sizeof buffer, &events)) == -EAGAIN)
    assert_int_equal (events, POLLIN);
  assert_int_equal (n, size);
  assert_memory_equal (buffer, text, (size_t)size);
}

void
passes_all (struct skp_tls *from, struct skp_tls *to, const char *sent,
            size_t size)
{
  char *received = calloc (1, size);
  size_t gone = 0, came = 0;
  int events;
  while (came < size)
    {
      ssize_t n = gone < size
                      ? skp_tls_write (from, sent + gone, size - gone, &events)
                      : skp_tls_flush (from, &events);
      assert_true (n >= 0 || n == -EAGAIN);
      gone += n > 0 ? (size_t)n : 0;
      n = skp_tls_read (to, received + came, size - came, &events);
      assert_true (n > 0 || n == -EAGAIN);
      came += n > 0 ? (size_t)n : 0;
    }
  assert_memory_equal (sent, received, size);
  free (received);
}
