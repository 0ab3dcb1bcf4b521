/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "message-fixture.h"

static void
interruptions_are_not_seen (void **state)
{
  (void)state;
  open_pair (SOCK_STREAM);
  assert_int_equal (send_rights (0, 1, 4), 4);
  forced.interruptions = 5;
  assert_int_equal (receive (0, 0), 4);
  assert_int_equal (forced.interruptions, 0);
  close_pair ();
}

#define MANY 3000

/* MANY slices of 0, 1 and 2 bytes, whose bytes count up; their size.  */
static size_t
make_slices (struct iovec *slices, unsigned char *bytes, int fill)
{
  size_t size = 0;
  for (size_t i = 0; i < MANY; i++)
    {
      slices[i] = (struct iovec){ bytes + size, i % 3 };
      for (size_t k = 0; k < i % 3; k++, size++)
        bytes[size] = fill ? (unsigned char)(size * 7) : 0;
    }
  return size;
}

static void
more_slices_than_the_kernel_takes (void **state)
{
  (void)state;
  static struct iovec out[MANY], in[MANY];
  static unsigned char sent[2 * MANY], got[2 * MANY];
  const int types[] = { SOCK_STREAM, SOCK_DGRAM };
  size_t size = make_slices (out, sent, 1);

  for (size_t t = 0; t < 2; t++)
    {
      struct skp_message message = { .slices = out, .count = MANY };
      size_t have = 0;
      open_pair (types[t]);
      make_slices (in, got, 0);
      assert_int_equal (skp_message_send (pair[0], &message, 0), size);
      struct skp_message back = { .slices = in, .count = MANY };
      ssize_t n = skp_message_recv (pair[1], &back, 0);
      if (types[t] == SOCK_DGRAM)
        assert_int_equal (n, size);
      for (have = (size_t)n; have < size; have += (size_t)n)
        assert_true ((n = recv (pair[1], got + have, size - have, 0)) > 0);
      assert_memory_equal (got, sent, size);
      close_pair ();
    }
}

static void
a_cut_datagram_fills_what_there_is (void **state)
{
  (void)state;
  static struct iovec in[MANY];
  static unsigned char got[2 * MANY], sent[9000];
  size_t size = make_slices (in, got, 0);
  memset (sent, 5, sizeof sent);
  open_pair (SOCK_DGRAM);
  assert_int_equal (send (pair[0], sent, sizeof sent, 0), sizeof sent);
  struct skp_message back = { .slices = in, .count = MANY };
  assert_int_equal (skp_message_recv (pair[1], &back, MSG_TRUNC), sizeof sent);
  assert_true (back.flags & MSG_TRUNC);
  assert_memory_equal (got, sent, size);
  close_pair ();
}

static void
too_large_a_message_is_refused (void **state)
{
  (void)state;
  static struct iovec out[1026];
  static char bytes[16];
  for (size_t i = 0; i < 1026; i++)
    out[i] = (struct iovec){ bytes, i < 1020 ? 1 : (size_t)1 << 30 };
  open_pair (SOCK_DGRAM);
  struct skp_message message = { .slices = out, .count = 1026 };
  assert_int_equal (skp_message_send (pair[0], &message, 0), -EMSGSIZE);
  close_pair ();
}

static void
a_short_write_ends_the_call (void **state)
{
  (void)state;
  static struct iovec out[MANY];
  static unsigned char sent[2 * MANY];
  make_slices (out, sent, 1);
  open_pair (SOCK_STREAM);
  forced.most = 1;
  struct skp_message message = { .slices = out, .count = MANY };
  assert_int_equal (skp_message_send (pair[0], &message, 0), 1);
  close_pair ();
}

static void
empty_datagrams_are_datagrams (void **state)
{
  (void)state;
  open_pair (SOCK_DGRAM);
  assert_int_equal (send_rights (1, 1, 0), 0);
  assert_int_equal (receive (sizeof received_control, 0), 0);
  assert_int_equal (close_rights (), 1);
  assert_int_equal (receive (0, 0), -EAGAIN);
  close_pair ();
}

static void
control_messages_need_a_byte_on_a_stream (void **state)
{
  (void)state;
  open_pair (SOCK_STREAM);
  assert_int_equal (send_rights (1, 1, 0), -EINVAL);
  assert_int_equal (receive (64, 0), -EAGAIN);
  close_pair ();
}

static void
addresses_go_and_come (void **state)
{
  (void)state;
  struct skp_address to, from;
  int fd = skp_socket_open (AF_INET, SOCK_DGRAM, 0);
  char byte = 'x';
  struct iovec slice = { &byte, 1 };
  assert_int_equal (skp_address_parse (&to, "127.0.0.1:0"), 0);
  assert_int_equal (skp_socket_bind (fd, &to), 0);
  assert_int_equal (skp_socket_name (fd, &to), 0);
  struct skp_message message = { .slices = &slice, .count = 1, .address = &to };
  assert_int_equal (skp_message_send (fd, &message, 0), 1);
  message.address = &from;
  assert_int_equal (skp_message_recv (fd, &message, 0), 1);
  assert_int_equal (from.length, to.length);
  assert_memory_equal (&from.storage, &to.storage, to.length);
  close (fd);
}

static void
bad_descriptors_and_closed_peers (void **state)
{
  (void)state;
  struct skp_message message = { .count = 0 };
  struct skp_message many = { .count = 2000 };
  assert_int_equal (skp_message_send (-1, &message, 0), -EBADF);
  assert_int_equal (skp_message_recv (-1, &message, 0), -EBADF);
  assert_int_equal (skp_message_send (-1, &many, 0), -EBADF);
  open_pair (SOCK_STREAM);
  close (pair[1]);
  assert_int_equal (send_rights (1, 1, 4), -EPIPE);
  pair[1] = dup (pair[0]);
  assert_int_equal (receive (0, 0), 0);
  close_pair ();
}

TESTS (TEST (interruptions_are_not_seen),
       TEST (more_slices_than_the_kernel_takes),
       TEST (a_cut_datagram_fills_what_there_is),
       TEST (too_large_a_message_is_refused),
       TEST (a_short_write_ends_the_call), TEST (empty_datagrams_are_datagrams),
       TEST (control_messages_need_a_byte_on_a_stream),
       TEST (addresses_go_and_come), TEST (bad_descriptors_and_closed_peers));
