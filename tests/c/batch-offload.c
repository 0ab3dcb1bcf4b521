/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "batch-fixture.h"

static void
equal_sizes_are_joined (void **state)
{
  (void)state;
  begin (256, 100, 1);
  need_room ();
  for (size_t i = 0; i < 256; i++)
    add (i, 100);
  send_all (256);
  assert_int_equal (forced.calls, 1);
  assert_int_equal (forced.joined, 4);
  expect (0, 256, 100);
  end ();
}

static void
a_shorter_one_ends_a_run (void **state)
{
  (void)state;
  begin (16, 100, 1);
  add (0, 80), add (1, 80), add (2, 50), add (3, 80), add (4, 0), add (5, 81);
  send_all (6);
  assert_int_equal (forced.joined, 1);
  expect (0, 2, 80), expect (2, 1, 50), expect (3, 1, 80);
  expect (4, 1, 0), expect (5, 1, 81);
  end ();
}

static void
destinations_are_not_mixed (void **state)
{
  (void)state;
  struct skp_address first, second;
  begin (8, 10, 1);
  first = to;
  int other = open_udp (&second);
  for (int i = 0; i < 8; i++)
    {
      to = i % 4 < 2 ? first : second;
      add ((size_t)i, 10);
    }
  send_all (8);
  assert_int_equal (forced.messages, 4);
  expect (0, 2, 10), expect (4, 2, 10);
  close (in);
  in = other;
  expect (2, 2, 10), expect (6, 2, 10);
  end ();
}

static void
refused_joining_falls_back (void **state)
{
  (void)state;
  const int refusals[] = { EIO, EINVAL, EMSGSIZE, ENOPROTOOPT };
  for (size_t i = 0; i < 4; i++)
    {
      begin (8, 10, 1);
      forced.refuse = refusals[i];
      for (size_t k = 0; k < 8; k++)
        add (k, 10);
      send_all (8);
      assert_int_equal (forced.calls, 2);
      send_all (8); /* what was learnt is remembered */
      assert_int_equal (forced.calls, 3);
      expect (0, 8, 10), expect (0, 8, 10);
      end ();
    }
}

static void
joined_ones_stay_below_the_largest_payload (void **state)
{
  (void)state;
  begin (4, 65000, 1);
  add (0, 30000), add (1, 30000);
  send_all (2);
  assert_int_equal (forced.joined, 1);
  expect (0, 2, 30000);
  skp_batch_clear (batch);
  add (0, 65000), add (1, 65000);
  send_all (2);
  assert_int_equal (forced.joined, 1);
  expect (0, 2, 65000);
  end ();
}

static void
other_sockets_are_never_given_joined_ones (void **state)
{
  (void)state;
  int pair[2], error;
  struct skp_batch *two;
  memset (&forced, 0, sizeof forced);
  assert_int_equal (skp_socket_pair (AF_UNIX, SOCK_DGRAM, 0, pair), 0);
  assert_int_equal (skp_batch_open (&two, 8, 16, 1, NULL), 0);
  for (int i = 0; i < 8; i++)
    assert_int_equal (skp_batch_add (two, "datagram", 8, NULL), i);
  assert_int_equal (skp_batch_send (two, pair[0], 0, 0, &error), 8);
  assert_int_equal (forced.joined, 0);
  assert_int_equal (skp_batch_recv (two, pair[1], 0), 8);
  assert_int_equal (skp_batch_recv (two, pair[1], 0), -EAGAIN);
  skp_batch_close (two);
  close (pair[0]);
  close (pair[1]);
}

/* All ten datagrams of 100 bytes that were sent come out of INTO.  */
static void
expect_ten (struct skp_batch *into, int fd)
{
  size_t count;
  for (int seen = 0; seen < 10; seen += (int)count)
    {
      assert_true (skp_batch_recv (into, fd, 0) > 0);
      const struct skp_datagram *datagrams = skp_batch_datagrams (into, &count);
      for (size_t i = 0; i < count; i++)
        {
          assert_int_equal (datagrams[i].length, 100);
          assert_int_equal (datagrams[i].cut, 0);
        }
    }
}

static void
send_ten_joined (void)
{
  skp_batch_clear (batch);
  for (size_t i = 0; i < 10; i++)
    add (i, 100);
  send_all (10);
  assert_true (forced.joined > 0);
}

static void
a_batch_without_offload_splits_what_another_had_joined (void **state)
{
  (void)state;
  struct skp_batch *plain;
  begin (16, 100, 1);
  assert_int_equal (skp_batch_open (&plain, 4, 100, 0, NULL), 0);
  assert_int_equal (skp_batch_recv (plain, in, 0), -EAGAIN);
  assert_int_equal (skp_batch_recv (batch, in, 0), -EAGAIN);
  send_ten_joined ();
  expect_ten (plain, in);
  skp_batch_close (plain);
  end ();
}

static void
a_number_that_is_used_again_loses_nothing (void **state)
{
  (void)state;
  for (int offload = 0; offload < 2; offload++)
    {
      struct skp_batch *other;
      int pair[2];
      begin (16, 100, 1);
      assert_int_equal (skp_batch_open (&other, 16, 100, offload, NULL), 0);
      assert_int_equal (skp_socket_pair (AF_UNIX, SOCK_DGRAM, 0, pair), 0);
      assert_int_equal (skp_batch_recv (other, pair[0], 0), -EAGAIN);
      assert_int_equal (skp_batch_recv (batch, in, 0), -EAGAIN);
      assert_int_equal (dup2 (in, pair[0]), pair[0]);
      send_ten_joined ();
      expect_ten (other, pair[0]);
      skp_batch_close (other);
      close (pair[0]);
      close (pair[1]);
      end ();
    }
}

static void
joined_ones_are_split (void **state)
{
  (void)state;
  const struct skp_datagram *datagrams;
  size_t count = 0, seen = 0, length;
  begin (256, 100, 1);
  /* The first call turns joining on.  */
  assert_int_equal (skp_batch_recv (batch, in, 0), -EAGAIN);
  for (size_t i = 0; i < 199; i++)
    add (i, 100);
  add (199, 33);
  send_all (200);
  while (seen < 200)
    {
      assert_true (skp_batch_recv (batch, in, 0) > 0);
      datagrams = skp_batch_datagrams (batch, &count);
      for (size_t i = 0; i < count; i++, seen++)
        {
          const unsigned char *bytes = at (i, &length);
          assert_int_equal (length, seen == 199 ? 33 : 100);
          assert_int_equal (bytes[length - 1], (unsigned char)seen);
          assert_int_equal (datagrams[i].cut, 0);
          assert_int_equal (datagrams[i].segment, 100);
        }
    }
  assert_int_equal (seen, 200);
  end ();
}

static void
joined_ones_for_small_slots_are_cut_and_say_so (void **state)
{
  (void)state;
  int on = 1;
  size_t count;
  begin (8, 150, 1);
  assert_int_equal (skp_option_set (in, IPPROTO_UDP, UDP_GRO, &on, sizeof on),
                    0);
  for (size_t i = 0; i < 8; i++)
    add (i, 100);
  send_all (8);
  skp_batch_close (batch);
  assert_int_equal (skp_batch_open (&batch, 8, 50, 0, NULL), 0);
  assert_int_equal (skp_batch_recv (batch, in, 0), 8);
  const struct skp_datagram *datagrams = skp_batch_datagrams (batch, &count);
  for (size_t i = 0; i < count; i++)
    {
      assert_int_equal (datagrams[i].length, 50);
      assert_int_equal (datagrams[i].cut, 1);
    }
  end ();
}

TESTS (TEST (equal_sizes_are_joined), TEST (a_shorter_one_ends_a_run),
       TEST (destinations_are_not_mixed), TEST (refused_joining_falls_back),
       TEST (joined_ones_stay_below_the_largest_payload),
       TEST (other_sockets_are_never_given_joined_ones),
       TEST (a_batch_without_offload_splits_what_another_had_joined),
       TEST (a_number_that_is_used_again_loses_nothing),
       TEST (joined_ones_are_split),
       TEST (joined_ones_for_small_slots_are_cut_and_say_so));
