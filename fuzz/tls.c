/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* TLS whose bytes are changed on the way.  The input says which bytes and how,
   or is itself what a server receives.  Whatever comes, steps answer what they
   may, and what is delivered is what was sent, as far as it goes.  */

#include "fuzz.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <sockport/tls.h>

static struct skp_tls_context *server_context, *client_context;

static void
make_contexts (void)
{
  gnutls_x509_privkey_t key;
  gnutls_x509_crt_t certificate;
  gnutls_datum_t key_pem, pem;
  if (server_context)
    return;
  gnutls_x509_privkey_init (&key);
  gnutls_x509_privkey_generate (
      key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1),
      0);
  gnutls_x509_crt_init (&certificate);
  gnutls_x509_crt_set_version (certificate, 3);
  gnutls_x509_crt_set_serial (certificate, "\1", 1);
  gnutls_x509_crt_set_activation_time (certificate, time (NULL) - 1000);
  gnutls_x509_crt_set_expiration_time (certificate, time (NULL) + 1000000);
  gnutls_x509_crt_set_subject_alt_name (certificate, GNUTLS_SAN_DNSNAME,
                                        "localhost", 9, GNUTLS_FSAN_SET);
  gnutls_x509_crt_set_key (certificate, key);
  require (gnutls_x509_crt_sign2 (certificate, certificate, key,
                                  GNUTLS_DIG_SHA256, 0)
           == 0);
  gnutls_x509_crt_export2 (certificate, GNUTLS_X509_FMT_PEM, &pem);
  gnutls_x509_privkey_export2 (key, GNUTLS_X509_FMT_PEM, &key_pem);
  require (skp_tls_context_new (&server_context) == 0);
  require (skp_tls_context_new (&client_context) == 0);
  require (skp_tls_context_certify (server_context, pem.data, pem.size,
                                    key_pem.data, key_pem.size)
           == 0);
  require (skp_tls_context_trust (client_context, pem.data, pem.size) == 1);
  gnutls_free (pem.data);
  gnutls_free (key_pem.data);
  gnutls_x509_crt_deinit (certificate);
  gnutls_x509_privkey_deinit (key);
}

/* A session, and the other end of its socket.  */
struct side
{
  struct skp_tls *tls;
  int fd[2], state;
  size_t sent, received;
};

static void
side_open (struct side *side, int server)
{
  *side = (struct side){ .state = -EAGAIN };
  require (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, side->fd) == 0);
  require ((server ? skp_tls_server (&side->tls, server_context, side->fd[0])
                   : skp_tls_client (&side->tls, client_context, side->fd[0],
                                     "localhost"))
           == 0);
}

static void
side_close (struct side *side)
{
  skp_tls_free (side->tls);
  close (side->fd[0]);
  close (side->fd[1]);
}

/* What a step may answer.  */
static ssize_t
allowed (ssize_t n)
{
  require (n >= 0 || n > -4096 || skp_tls_error_name ((int)n));
  return n;
}

static unsigned char
letter (size_t at)
{
  return (unsigned char)(at * 31 + at / 256);
}

/* Everything that SIDE can do now; 0 if it has failed.  */
static int
step (struct side *side)
{
  unsigned char bytes[3000];
  int events;
  if (side->state == -EAGAIN)
    side->state = (int)allowed (skp_tls_handshake (side->tls, &events));
  if (side->state != 0)
    return side->state == -EAGAIN;
  if (side->sent < 9000)
    {
      for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = letter (side->sent + i);
      ssize_t n
          = allowed (skp_tls_write (side->tls, bytes, sizeof bytes, &events));
      side->sent += n > 0 ? (size_t)n : 0;
    }
  allowed (skp_tls_flush (side->tls, &events));
  ssize_t n;
  while ((n = allowed (skp_tls_read (side->tls, bytes, sizeof bytes, &events)))
         > 0)
    for (ssize_t i = 0; i < n; i++)
      require (bytes[i] == letter (side->received++));
  require (n != 0);
  return n == -EAGAIN;
}

/* What has come from FROM goes to TO; the input says where it is changed.  */
static int
carry (struct side *from, struct side *to, struct input *input)
{
  unsigned char bytes[40000];
  ssize_t n = recv (from->fd[1], bytes, sizeof bytes, 0);
  if (n <= 0)
    return 0;
  if (input->left > 0 && take_number (input, 1) % 4 == 0)
    {
      size_t at = take_number (input, 2) % (size_t)n;
      bytes[at] ^= (unsigned char)take_number (input, 1);
      if (take_number (input, 1) % 8 == 0)
        n = (ssize_t)at;
    }
  require (skp_tls_feed (to->tls, bytes, (size_t)n) == 0);
  return 1;
}

static void
exchange (struct input *input)
{
  struct side client, server;
  side_open (&client, 0);
  side_open (&server, 1);
  int going = 1;
  for (int round = 0; round < 40 && going; round++)
    {
      int ours = step (&client), theirs = step (&server);
      going = carry (&client, &server, input);
      going |= carry (&server, &client, input);
      going &= ours && theirs;
    }
  side_close (&client);
  side_close (&server);
}

/* The rest of the input is what a server receives.  */
static void
receive (struct input *input)
{
  struct side server;
  side_open (&server, 1);
  require (skp_tls_feed (server.tls, input->at, input->left) == 0);
  step (&server);
  shutdown (server.fd[1], SHUT_RDWR);
  require (!step (&server));
  side_close (&server);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct input input = { data, size };
  make_contexts ();
  if (take_number (&input, 1) % 2)
    receive (&input);
  else
    exchange (&input);
  return 0;
}
