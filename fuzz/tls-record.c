/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Records that nobody sends who means well, but who has the keys: sealed as
   they must be, so that they reach what reads them, with any type, content,
   length and padding.  The input says which come to one side of a session; it
   goes on with a new one when a record has ended that.  Those that are kept
   because they reach something new are mostly such as end a session at once, so
   for some the input is but a seed for many more.  What is delivered is what
   was sealed as data.  */

#include "tls-side.h"

#include <gnutls/crypto.h>

#define HEAD 5
#define MOST 17400

static unsigned long records;

/* Data, by its place in the stream.  */
static unsigned char
byte_at (size_t at)
{
  return (unsigned char)(at * 31 + at / 256);
}

static void
count (void)
{
  fprintf (stderr, "%lu sessions, %lu records sealed\n", sessions, records);
}

/* Sealing.  */

struct keys
{
  gnutls_cipher_algorithm_t cipher;
  gnutls_aead_cipher_hd_t handle;
  unsigned char key[32], iv[12], sequence[8];
  size_t key_size, iv_size;
};

static struct keys keys;

/* What TLS receives next is sealed with these.  */
static void
find_keys (struct skp_tls *tls)
{
  gnutls_datum_t key, iv;
  gnutls_cipher_algorithm_t cipher = gnutls_cipher_get (tls->session);
  require (
      gnutls_record_get_state (tls->session, 1, NULL, &iv, &key, keys.sequence)
      == 0);
  require (key.size <= sizeof keys.key && iv.size <= sizeof keys.iv);
  memcpy (keys.iv, iv.data, iv.size);
  keys.iv_size = iv.size;
  if (keys.handle && keys.cipher == cipher && keys.key_size == key.size
      && memcmp (keys.key, key.data, key.size) == 0)
    return;
  if (keys.handle)
    gnutls_aead_cipher_deinit (keys.handle);
  memcpy (keys.key, key.data, key.size);
  keys.key_size = key.size;
  keys.cipher = cipher;
  require (gnutls_aead_cipher_init (&keys.handle, cipher, &key) == 0);
}

static void
put_head (unsigned char *head, unsigned type, size_t size)
{
  head[0] = (unsigned char)type;
  head[1] = head[2] = 3;
  head[3] = (unsigned char)(size >> 8);
  head[4] = (unsigned char)size;
}

/* RFC 5288, RFC 7905 and RFC 8446: the nonce, and how much of it is sent.  */
static size_t
make_nonce (unsigned char *nonce)
{
  memcpy (nonce, keys.iv, keys.iv_size);
  if (keys.iv_size == 4)
    {
      memcpy (nonce + 4, keys.sequence, 8);
      return 8;
    }
  for (int i = 0; i < 8; i++)
    nonce[4 + i] ^= keys.sequence[i];
  return 0;
}

/* SIZE bytes of TYPE at PLAIN, with PADDING after them, as a record for SIDE in
   SEALED; its size.  PLAIN has room for more.  */
static size_t
seal (struct side *side, unsigned char *sealed, unsigned char *plain,
      size_t size, unsigned type, size_t padding)
{
  unsigned char nonce[12], about[13];
  size_t about_size, room = MOST + 32;
  find_keys (side->tls);
  size_t explicit = make_nonce (nonce);
  if (side->kind == TLS_1_3)
    {
      plain[size++] = (unsigned char)type;
      memset (plain + size, 0, padding);
      size += padding;
      put_head (about, 23, size + 16);
      about_size = HEAD;
    }
  else
    {
      memcpy (about, keys.sequence, 8);
      put_head (about + 8, type, size);
      about_size = sizeof about;
    }
  put_head (sealed, side->kind == TLS_1_3 ? 23 : type, size + explicit + 16);
  memcpy (sealed + HEAD, keys.sequence, explicit);
  require (gnutls_aead_cipher_encrypt (keys.handle, nonce, sizeof nonce, about,
                                       about_size, 16, plain, size,
                                       sealed + HEAD + explicit, &room)
           == 0);
  return HEAD + explicit + room;
}

/* One side, and what has come to it.  */

struct stream
{
  struct side side;
  size_t sealed, delivered;
  int ended;
};

/* Everything that the side can do now; 0 once it has failed.  */
static int
step (struct stream *s)
{
  unsigned char bytes[2000], out[300] = { 0 };
  struct skp_tls *tls = s->side.tls;
  int events;
  ssize_t n;
  allowed (skp_tls_flush (tls, &events));
  if (s->sealed % 3 == 0)
    allowed (skp_tls_pending (tls, &events));
  while ((n = allowed (skp_tls_read (tls, bytes, sizeof bytes, &events))) > 0)
    {
      for (ssize_t i = 0; i < n; i++)
        require (bytes[i] == byte_at (s->delivered + (size_t)i));
      s->delivered += (size_t)n;
      require (s->delivered <= s->sealed);
    }
  require (n != 0 || s->ended);
  if (s->sealed % 5 == 0)
    allowed (skp_tls_write (tls, out, sizeof out, &events));
  return n == -EAGAIN;
}

static void
drain (struct side *side)
{
  unsigned char bytes[4000];
  while (recv (side->fd[1], bytes, sizeof bytes, 0) > 0)
    continue;
}

enum shape
{
  DATA,
  WARNING,
  KEYS,
  TICKET,
  HANDSHAKE,
  ALERT,
  ANYTHING,
  SPOILT
};

static int chance; /* says what comes, not the fuzzer */

/* Most of them leave the session alive: a handshake costs more than a hundred
   records.  In TLS 1.3 a warning ends it, too.  */
static enum shape
shape_of (struct input *input, enum kind kind)
{
  unsigned number = (unsigned)take_number (input, 1);
  /* By chance too many would end it.  */
  if (chance && number > 239 && take_number (input, 1) > 31)
    number = 0;
  static const unsigned char last[]
      = { 215, 227, 239, 244, 247, 249, 253, 255 };
  int i = 0;
  while (number > last[i])
    i++;
  return i == WARNING && kind == TLS_1_3 ? DATA : (enum shape)i;
}

static size_t
fill_data (struct stream *s, unsigned char *plain, struct input *input)
{
  size_t size = take_number (input, 1);
  size = size < 240 ? size : size == 255 ? 16384 : (size - 239) * 1090;
  for (size_t i = 0; i < size; i++)
    plain[i] = byte_at (s->sealed + i);
  s->sealed += size;
  return size;
}

/* A message of a handshake: its type, its length, which may lie, its body.  */
static size_t
fill_message (unsigned char *plain, unsigned type, struct input *input)
{
  size_t size = take_number (input, 1) % 64;
  int lies = size == 63 ? (int)take_number (input, 1) : 0;
  plain[0] = (unsigned char)type;
  plain[1] = plain[2] = 0;
  plain[3] = (unsigned char)((int)size + lies);
  size = take_bytes (input, plain + 4, size);
  if (!lies)
    plain[3] = (unsigned char)size;
  return 4 + size;
}

/* RFC 8446, 4.6.1: a lifetime, an age, a nonce, a ticket and no extension.  */
static size_t
fill_ticket (unsigned char *plain, struct input *input)
{
  static const unsigned char ticket[]
      = { 4, 0, 0, 19, 0, 0, 14, 16, 1, 2, 3, 4, 1, 0, 0, 6 };
  memcpy (plain, ticket, sizeof ticket);
  for (int i = 0; i < 6; i++)
    plain[16 + i] = (unsigned char)(take_number (input, 1) + 1);
  plain[22] = 0;
  plain[23] = 0;
  plain[3] = 20;
  return 24;
}

/* The next record's content in PLAIN; its size, and its *TYPE.  */
static size_t
fill (struct stream *s, enum shape shape, unsigned char *plain, unsigned *type,
      struct input *input)
{
  *type = shape == WARNING || shape == ALERT ? 21 : 22;
  switch (shape)
    {
    case DATA:
    case SPOILT:
      *type = 23;
      return fill_data (s, plain, input);
    case WARNING:
      plain[0] = 1;
      plain[1] = (unsigned char)(take_number (input, 1) | 1);
      return 2;
    case ALERT:
      s->ended = 1;
      return take_bytes (input, plain, 2);
    case KEYS: /* or, in TLS 1.2, HelloRequest */
      plain[0] = s->side.kind == TLS_1_3 ? 24 : 0;
      plain[1] = plain[2] = 0;
      plain[3] = s->side.kind == TLS_1_3;
      plain[4] = take_number (input, 1) & 1;
      return 4 + (size_t)plain[3];
    case TICKET:
      return fill_ticket (plain, input);
    case HANDSHAKE:
      return fill_message (plain, (unsigned)take_number (input, 1), input);
    default:
      *type = (unsigned)take_number (input, 1);
      /* In TLS 1.3 that would be padding, and the type what is before it.  */
      if (*type == 0 && s->side.kind == TLS_1_3)
        *type = 255;
      s->ended |= *type == 21;
      /* What is data must be what was sealed as such.  */
      return *type == 23 ? fill_data (s, plain, input)
                         : take_bytes (input, plain, take_number (input, 1));
    }
}

/* The next record that the input says comes to S; 0 once S has failed.  */
static int
next_record (struct stream *s, struct input *input)
{
  static unsigned char plain[MOST], sealed[MOST + 64];
  enum shape shape = shape_of (input, s->side.kind);
  unsigned type, how = (unsigned)take_number (input, 1);
  size_t size = fill (s, shape, plain, &type, input);
  size = seal (&s->side, sealed, plain, size, type, how & 128 ? how * 3 : 0);
  records++;
  if (shape == SPOILT)
    sealed[how * size / 256] ^= (unsigned char)(take_number (input, 1) | 1);
  size_t first = how % 4 == 1 ? how * size / 256 : 0;
  feed (&s->side, sealed, first);
  if (first > 0)
    step (s);
  feed (&s->side, sealed + first, size - first);
  if (how % 16 == 2)
    drain (&s->side);
  return step (s);
}

/* Handshakes.  */

static void
carry (struct side *from, struct side *to)
{
  unsigned char bytes[8000];
  ssize_t n = recv (from->fd[1], bytes, sizeof bytes, 0);
  if (n > 0)
    feed (to, bytes, (size_t)n);
}

static void
shake (struct side *side)
{
  int events;
  if (side->state == -EAGAIN)
    side->state = skp_tls_handshake (side->tls, &events);
}

static void
save (struct side *client, enum kind kind)
{
  gnutls_free (saved[kind].data);
  saved[kind].data = NULL;
  require (gnutls_session_get_data2 (client->tls->session, &saved[kind]) == 0);
  resumed[kind] = 0;
}

/* One that was resumed too often is not taken any more.  */
#define MOST_RESUMED 10000

/* Have S, a side of KIND, be through its handshake, with nothing left of it. */
static void
establish (struct stream *s, enum kind kind, int server)
{
  struct side client, other;
  unsigned char byte;
  int events;
  side_open (&client, kind, 0);
  side_open (&other, kind, 1);
  if (saved[kind].data && resumed[kind]++ < MOST_RESUMED)
    resume (&client, kind);
  else
    resumed[kind] = MOST_RESUMED;
  for (int round = 0; round < 10; round++)
    {
      shake (&client);
      carry (&client, &other);
      shake (&other);
      carry (&other, &client);
    }
  require (client.state == 0 && other.state == 0);
  require (skp_tls_read (client.tls, &byte, 1, &events) == -EAGAIN);
  if (resumed[kind] >= MOST_RESUMED)
    save (&client, kind);
  *s = (struct stream){ .side = server ? other : client };
  side_close (server ? &client : &other);
}

static void
receive (struct input *input, enum kind kind, int server)
{
  while (input->left > 0)
    {
      struct stream stream;
      establish (&stream, kind, server);
      while (input->left > 0 && next_record (&stream, input))
        continue;
      side_close (&stream.side);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct input input = { data, size };
  unsigned how = (unsigned)take_number (&input, 1);
  enum kind kind = how & 1 ? TLS_1_3 : TLS_1_2;
  if (!server_context)
    {
      make_contexts ();
      atexit (count);
    }
  chance = 0;
  receive (&input, kind, how & 2);
  chance = (how & 12) == 4;
  if (chance)
    {
      input = input_by_chance (data, size);
      receive (&input, kind, how & 2);
    }
  return 0;
}
