/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "batch-fixture.h"

static void
long_datagrams_are_cut (void **state)
{
  (void)state;
  for (int offload = 0; offload < 2; offload++)
    {
      size_t count;
      char data[100] = "";
      begin (4, 64, offload);
      for (size_t i = 63; i < 66; i++)
        assert_int_equal (skp_transfer_sendto (out, data, i, 0, &to), i);
      assert_int_equal (skp_batch_recv (batch, in, MSG_TRUNC), 3);
      const struct skp_datagram *datagrams
          = skp_batch_datagrams (batch, &count);
      for (size_t i = 0; i < 3; i++)
        {
          assert_int_equal (datagrams[i].length, i == 0 ? 63 : 64);
          assert_int_equal (datagrams[i].cut, i == 2);
        }
      end ();
    }
}

static void
echo_goes_to_the_senders (void **state)
{
  (void)state;
  struct skp_address from[2];
  int senders[2], error;
  char data[16];
  begin (16, 16, 1);
  for (int i = 0; i < 2; i++)
    senders[i] = open_udp (&from[i]);
  for (int i = 0; i < 10; i++)
    {
      data[0] = (char)i;
      assert_int_equal (
          skp_transfer_sendto (senders[i % 2], data, (size_t)i, 0, &to), i);
    }
  assert_int_equal (skp_batch_recv (batch, in, 0), 10);
  assert_memory_equal (&skp_batch_address (batch, 3)->storage, &from[1].storage,
                       from[1].length);
  assert_int_equal (skp_batch_resize (batch, 3, 17), -EMSGSIZE);
  assert_int_equal (skp_batch_resize (batch, 10, 1), -EINVAL);
  assert_int_equal (skp_batch_resize (batch, 3, 12), 0);
  assert_int_equal (skp_batch_send (batch, in, 0, 0, &error), 10);
  for (int i = 0; i < 10; i++)
    assert_int_equal (skp_transfer_recv (senders[i % 2], data, sizeof data, 0),
                      i == 3 ? 12 : i);
  close (senders[0]);
  close (senders[1]);
  end ();
}

/* The second of four cannot be sent: one went, why, and then the rest.  */
static void
a_bad_datagram_is_told (void **state)
{
  (void)state;
  int error;
  struct skp_address good;
  begin (4, 16, 1);
  good = to;
  add (0, 10);
  skp_address_parse (&to, "[::1]:1");
  add (1, 10);
  to = good;
  add (2, 10), add (3, 10);
  assert_int_equal (skp_batch_send (batch, out, 0, 0, &error), 1);
  assert_int_equal (error, -EAFNOSUPPORT);
  assert_int_equal (skp_batch_send (batch, out, 2, 0, &error), 2);
  assert_int_equal (error, 0);
  assert_int_equal (skp_batch_send (batch, out, 4, 0, &error), 0);
  assert_int_equal (skp_batch_send (batch, -1, 0, 0, &error), 0);
  assert_int_equal (error, -EBADF);
  end ();
}

static void
a_full_socket_is_told (void **state)
{
  (void)state;
  int error;
  begin (2000, 1, 0);
  need_room ();
  forced.again = 1500;
  for (size_t i = 0; i < 2000; i++)
    add (i, 1);
  assert_int_equal (skp_batch_send (batch, out, 0, 0, &error), 1500);
  assert_int_equal (error, -EAGAIN);
  forced.again = 0;
  assert_int_equal (skp_batch_send (batch, out, 1500, 0, &error), 500);
  assert_int_equal (error, 0);
  expect (0, 2000, 1);
  end ();
}

static void
more_than_one_call_holds (void **state)
{
  (void)state;
  begin (3000, 4, 0);
  need_room ();
  for (size_t i = 0; i < 3000; i++)
    add (i, 4);
  send_all (3000);
  assert_true (forced.calls == 3);
  assert_int_equal (skp_batch_recv (batch, in, 0), 3000);
  for (size_t i = 0; i < 3000; i++)
    {
      size_t length;
      assert_int_equal (at (i, &length)[0], (unsigned char)i);
    }
  end ();
}

static void
a_buffer_is_cut (void **state)
{
  (void)state;
  begin (4, 8, 0);
  assert_int_equal (skp_batch_add_segments (batch, "x", 1, 0, &to), -EMSGSIZE);
  assert_int_equal (skp_batch_add_segments (batch, "x", 1, 9, &to), -EMSGSIZE);
  assert_int_equal (skp_batch_add_segments (batch, "x", 0, 8, &to), 0);
  assert_int_equal (skp_batch_add_segments (batch, "aaabbbc", 7, 3, &to), 3);
  assert_int_equal (skp_batch_add_segments (batch, "ddeeff", 6, 2, &to), 1);
  assert_int_equal (skp_batch_add_segments (batch, "g", 1, 1, &to), -ENOSPC);
  send_all (4);
  expect ('a', 2, 3), expect ('c', 1, 1), expect ('d', 1, 2);
  end ();
}

static void
a_full_batch_takes_no_more (void **state)
{
  (void)state;
  begin (2, 4, 0);
  assert_int_equal (skp_batch_add (batch, "12345", 5, &to), -EMSGSIZE);
  assert_int_equal (skp_batch_add (batch, "1234", 4, &to), 0);
  assert_int_equal (skp_batch_add (batch, NULL, 4, NULL), 1);
  assert_int_equal (skp_batch_add (batch, "", 0, &to), -ENOSPC);
  skp_batch_clear (batch);
  assert_int_equal (skp_batch_add (batch, "", 0, &to), 0);
  end ();
}

static void
descriptors_in_datagrams_are_closed (void **state)
{
  (void)state;
  int pair[2];
  unsigned char control[64];
  struct iovec slice = { "x", 1 };
  struct skp_batch *small;
  assert_int_equal (skp_socket_pair (AF_UNIX, SOCK_DGRAM, 0, pair), 0);
  struct skp_control_item item = { SOL_SOCKET, SCM_RIGHTS, pair, sizeof pair };
  ssize_t length = skp_control_append (control, sizeof control, 0, &item);
  struct skp_message message = { .slices = &slice,
                                 .count = 1,
                                 .control = control,
                                 .control_length = (size_t)length };
  for (int i = 0; i < 4; i++)
    assert_int_equal (skp_message_send (pair[0], &message, 0), 1);
  assert_int_equal (skp_batch_open (&small, 4, 8, 0, NULL), 0);
  int before = descriptors_open ();
  assert_int_equal (skp_batch_recv (small, pair[1], 0), 4);
  assert_int_equal (descriptors_open (), before);
  skp_batch_close (small);
  close (pair[0]);
  close (pair[1]);
}

static void
impossible_batches_are_refused (void **state)
{
  (void)state;
  struct skp_batch *none;
  unsigned char bytes[64];
  assert_int_equal (skp_batch_open (&none, 0, 1, 0, NULL), -EINVAL);
  assert_int_equal (skp_batch_open (&none, 1, 0, 0, NULL), -EINVAL);
  assert_int_equal (skp_batch_open (&none, 1, 65536, 0, NULL), -EINVAL);
  assert_int_equal (skp_batch_open (&none, SIZE_MAX / 2, 3, 0, NULL), -EINVAL);
  assert_int_equal (skp_batch_memory (8, 8, 0), 65536);
  assert_int_equal (skp_batch_memory (8, 8, 1), 8 * 65536);
  assert_int_equal (skp_batch_open (&none, 8, 8, 0, bytes), 0);
  assert_ptr_equal (skp_batch_bytes (none), bytes);
  skp_batch_close (none);
  skp_batch_close (NULL);
}

TESTS (TEST (long_datagrams_are_cut), TEST (echo_goes_to_the_senders),
       TEST (a_bad_datagram_is_told), TEST (a_full_socket_is_told),
       TEST (more_than_one_call_holds), TEST (a_buffer_is_cut),
       TEST (a_full_batch_takes_no_more),
       TEST (descriptors_in_datagrams_are_closed),
       TEST (impossible_batches_are_refused));
