/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* TLS whose bytes are changed on the way.  The input says which bytes and how,
   and what the peers' own GnuTLS says besides; or it is itself what one side
   receives.  Whatever comes, steps answer what they may, and what is delivered
   is what was sent, as far as it goes.  Most sessions are resumed, which costs
   a tenth of what others do.  */

#include "tls-side.h"

/* What each side has sent first when nothing was changed.  */
static struct flight
{
  unsigned char bytes[4000];
  size_t size;
} flights[2][2];

static unsigned long changes, sayings;
static int ends; /* somebody may have said so */

/* What each side sends, in records of PART.  */
#define PART 600
static unsigned char text[3 * PART];

static void
count (void)
{
  fprintf (stderr, "%lu sessions, %lu records changed, %lu said besides\n",
           sessions, changes, sayings);
}

static void
begin (void)
{
  if (server_context)
    return;
  make_contexts ();
  atexit (count);
  for (size_t i = 0; i < sizeof text; i++)
    text[i] = (unsigned char)(i * 31 + i / 256);
}

/* Everything that SIDE can do now; 0 if it has failed.  */
static int
step (struct side *side)
{
  unsigned char bytes[PART];
  int events;
  if (side->state == -EAGAIN)
    side->state = (int)allowed (skp_tls_handshake (side->tls, &events));
  if (side->state != 0)
    return side->state == -EAGAIN;
  if (side->sent < sizeof text)
    {
      ssize_t n = allowed (
          skp_tls_write (side->tls, text + side->sent, PART, &events));
      side->sent += n > 0 ? (size_t)n : 0;
    }
  allowed (skp_tls_flush (side->tls, &events));
  ssize_t n;
  while ((n = allowed (skp_tls_read (side->tls, bytes, sizeof bytes, &events)))
         > 0)
    {
      require ((size_t)n <= sizeof text - side->received
               && memcmp (bytes, text + side->received, (size_t)n) == 0);
      side->received += (size_t)n;
    }
  require (n != 0 || ends);
  return n == -EAGAIN;
}

/* Something that no step says, but that GnuTLS can be made to say.  */
static void
say (struct side *side, struct input *input)
{
  gnutls_session_t session = side->tls->session;
  unsigned what = (unsigned)take_number (input, 1);
  if (side->state != 0 || side->tls->pending || side->tls->ending)
    return;
  sayings++;
  ends |= what % 5 == 0 || what % 5 == 3;
  switch (what % 5)
    {
    case 0:
      gnutls_alert_send (session,
                         what & 64 ? GNUTLS_AL_FATAL : GNUTLS_AL_WARNING,
                         (gnutls_alert_description_t)take_number (input, 1));
      break;
    case 1:
      gnutls_session_key_update (session, what & 64 ? GNUTLS_KU_PEER : 0);
      break;
    case 2: /* anew */
      if (side->tls->server)
        gnutls_rehandshake (session);
      else
        gnutls_handshake (session);
      break;
    case 3:
      gnutls_bye (session, GNUTLS_SHUT_WR);
      break;
    default: /* padding alone */
      gnutls_record_send2 (session, "", 0, take_number (input, 1), 0);
    }
}

/* The SIZE bytes at BYTES as the input changes them; how many.  */
static size_t
change (unsigned char *bytes, size_t size, struct input *input)
{
  size_t at = take_number (input, 2) % size;
  changes++;
  bytes[at] ^= (unsigned char)take_number (input, 1);
  return take_number (input, 1) % 8 == 0 ? at : size;
}

static void
note (struct side *from, const unsigned char *bytes, size_t size)
{
  struct flight *flight = &flights[from->kind][from->tls->server];
  if (flight->size > 0)
    return;
  require (size <= sizeof flight->bytes);
  memcpy (flight->bytes, bytes, size);
  flight->size = size;
}

/* What has come from FROM goes to TO; the input says how.  */
static int
carry (struct side *from, struct side *to, struct input *input)
{
  static unsigned char bytes[40000];
  unsigned how
      = input && input->left > 0 ? (unsigned)take_number (input, 1) : 1;
  if (how % 8 == 2)
    say (from, input);
  ssize_t n = recv (from->fd[1], bytes, sizeof bytes, 0);
  if (n <= 0)
    return 0;
  size_t size = (size_t)n, first = 0;
  if (!input && to->state == -EAGAIN)
    note (from, bytes, size);
  if (how % 4 == 0)
    size = change (bytes, size, input);
  if (how % 8 == 3) /* in two pieces */
    {
      first = take_number (input, 2) % size;
      feed (to, bytes, first);
      step (to);
    }
  feed (to, bytes + first, size - first);
  if (how % 32 == 5) /* twice */
    feed (to, bytes, size);
  return 1;
}

static void
save (struct side *client, enum kind kind)
{
  gnutls_free (saved[kind].data);
  saved[kind].data = NULL;
  require (client->state == 0 && client->received == sizeof text);
  require (gnutls_session_get_data2 (client->tls->session, &saved[kind]) == 0);
  resumed[kind] = 0;
}

static void
exchange (struct input *input, enum kind kind, int anew)
{
  struct side client, server;
  ends = 0;
  side_open (&client, kind, 0);
  side_open (&server, kind, 1);
  if (!anew)
    resume (&client, kind);
  int going = 1;
  for (int round = 0; round < 40 && going; round++)
    {
      int ours = step (&client), theirs = step (&server);
      going = carry (&client, &server, input);
      going |= carry (&server, &client, input);
      going &= ours && theirs;
    }
  if (!input) /* nothing was changed */
    save (&client, kind);
  side_close (&client);
  side_close (&server);
}

/* One that was resumed too often is not taken any more.  */
#define MOST_RESUMED 10000

static void
make_saved (enum kind kind)
{
  if (!saved[kind].data || resumed[kind]++ == MOST_RESUMED)
    exchange (NULL, kind, 1);
}

/* One side receives the SIZE BYTES.  */
static void
receive (const unsigned char *bytes, size_t size, enum kind kind, int server)
{
  struct side side;
  ends = 0;
  side_open (&side, kind, server);
  if (!server)
    step (&side);
  feed (&side, bytes, size);
  changes++;
  step (&side);
  shutdown (side.fd[1], SHUT_RDWR);
  require (!step (&side));
  side_close (&side);
}

/* One side receives what the other has sent in another session, changed.  */
static void
receive_noted (struct input *input, enum kind kind, int server)
{
  unsigned char bytes[4000];
  const struct flight *flight = &flights[kind][!server];
  size_t size = flight->size;
  memcpy (bytes, flight->bytes, size);
  while (input->left > 0 && size > 0)
    {
      size_t at = take_number (input, 2) % size;
      unsigned how = (unsigned)take_number (input, 1);
      if (how == 0)
        size = at;
      else if (how < 8)
        memmove (bytes + at, bytes + (at + how < size ? at + how : size),
                 at + how < size ? size - at - how : 0);
      else
        bytes[at] ^= (unsigned char)how;
    }
  receive (bytes, size, kind, server);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct input input = { data, size };
  unsigned how = (unsigned)take_number (&input, 1);
  enum kind kind = how % 16 < 4 ? TLS_1_3 : TLS_1_2;
  int server = how & 16;
  begin ();
  make_saved (kind);
  switch (how % 4)
    {
    case 0:
      exchange (&input, kind, how % 64 == 0);
      break;
    case 1:
      receive (input.at, input.left, kind, server);
      break;
    default:
      receive_noted (&input, kind, server);
    }
  return 0;
}
