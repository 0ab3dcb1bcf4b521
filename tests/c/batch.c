/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <sockport/batch.h>
#include <sockport/control.h>
#include <sockport/message.h>
#include <sockport/option.h>
#include <sockport/socket.h>
#include <sockport/transfer.h>

/* What a test asks of sendmmsg, and what it saw.  */
static struct
{
  int refuse; /* the errno for a joined message that comes first */
  int again;  /* after this many messages the socket is full, if not 0 */
  int calls, messages, joined;
} forced;

long __real_syscall (long number, ...);
long __wrap_syscall (long number, long a, long b, long c, long d, long e,
                     long f);

long
__wrap_syscall (long number, long a, long b, long c, long d, long e, long f)
{
  struct mmsghdr *headers = (struct mmsghdr *)b;
  if (number == SYS_sendmmsg)
    {
      forced.calls++;
      for (long i = 0; i < c; i++)
        forced.joined += headers[i].msg_hdr.msg_controllen > 0;
      if (forced.refuse && headers[0].msg_hdr.msg_controllen > 0)
        {
          errno = forced.refuse;
          return -1;
        }
      if (forced.again && forced.messages >= forced.again)
        {
          errno = EAGAIN;
          return -1;
        }
      if (forced.again && c > forced.again - forced.messages)
        c = forced.again - forced.messages;
    }
  long n = __real_syscall (number, a, b, c, d, e, f);
  if (number == SYS_sendmmsg && n > 0)
    forced.messages += (int)n;
  return n;
}

static int in, out; /* two UDP sockets */
static struct skp_address to;
static struct skp_batch *batch;

static int
open_udp (struct skp_address *address)
{
  int fd = skp_socket_open (AF_INET, SOCK_DGRAM, 0), room = 4 << 20;
  assert_int_equal (skp_address_parse (address, "127.0.0.1:0"), 0);
  assert_int_equal (skp_socket_bind (fd, address), 0);
  assert_int_equal (skp_socket_name (fd, address), 0);
  skp_option_set (fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  skp_option_set (fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
  return fd;
}

static void
begin (size_t slots, size_t size, int offload)
{
  struct skp_address own;
  memset (&forced, 0, sizeof forced);
  in = open_udp (&to);
  out = open_udp (&own);
  assert_int_equal (skp_batch_open (&batch, slots, size, offload, NULL), 0);
}

static void
end (void)
{
  close (in);
  close (out);
  skp_batch_close (batch);
}

static const unsigned char *
at (size_t index, size_t *length)
{
  size_t count;
  const struct skp_datagram *datagrams = skp_batch_datagrams (batch, &count);
  assert_true (index < count);
  *length = datagrams[index].length;
  return skp_batch_bytes (batch) + datagrams[index].start;
}

/* A datagram of LENGTH bytes that say its NUMBER.  */
static void
add (size_t number, size_t length)
{
  unsigned char data[65535];
  memset (data, (int)number, length);
  assert_true (skp_batch_add (batch, data, length, &to) >= 0);
}

/* The next datagrams on `in' are COUNT ones, those of `add', LENGTH long.  */
static void
expect (size_t first, size_t count, size_t length)
{
  for (size_t i = 0; i < count; i++)
    {
      unsigned char data[65535];
      assert_int_equal (skp_transfer_recv (in, data, sizeof data, 0), length);
      if (length > 0)
        assert_int_equal (data[length - 1], (unsigned char)(first + i));
    }
}

static void
send_all (size_t count)
{
  int error;
  assert_int_equal (skp_batch_send (batch, out, 0, 0, &error), count);
  assert_int_equal (error, 0);
}

static void
equal_sizes_are_joined (void **state)
{
  (void)state;
  begin (256, 100, 1);
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
  assert_int_equal (skp_batch_open (&batch, 8, 150, 0, NULL), 0);
  assert_int_equal (skp_batch_recv (batch, in, 0), 2);
  const struct skp_datagram *datagrams = skp_batch_datagrams (batch, &count);
  assert_int_equal (datagrams[0].length, 100);
  assert_int_equal (datagrams[0].cut, 0);
  assert_int_equal (datagrams[1].length, 50);
  assert_int_equal (datagrams[1].cut, 1);
  end ();
}

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
  assert_int_equal (skp_batch_memory (8, 8, 0), 64);
  assert_int_equal (skp_batch_memory (8, 8, 1), 8 * 65536);
  assert_int_equal (skp_batch_open (&none, 8, 8, 0, bytes), 0);
  assert_ptr_equal (skp_batch_bytes (none), bytes);
  skp_batch_close (none);
  skp_batch_close (NULL);
}

TESTS (TEST (equal_sizes_are_joined), TEST (a_shorter_one_ends_a_run),
       TEST (destinations_are_not_mixed), TEST (refused_joining_falls_back),
       TEST (joined_ones_stay_below_the_largest_payload),
       TEST (other_sockets_are_never_given_joined_ones),
       TEST (joined_ones_are_split),
       TEST (joined_ones_for_small_slots_are_cut_and_say_so),
       TEST (long_datagrams_are_cut), TEST (echo_goes_to_the_senders),
       TEST (a_bad_datagram_is_told), TEST (a_full_socket_is_told),
       TEST (more_than_one_call_holds), TEST (a_full_batch_takes_no_more),
       TEST (descriptors_in_datagrams_are_closed),
       TEST (impossible_batches_are_refused));
