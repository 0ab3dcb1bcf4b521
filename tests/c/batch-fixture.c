/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "batch-fixture.h"

#include <sys/syscall.h>

struct forced forced;

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

int in, out;
struct skp_address to;
struct skp_batch *batch;
static int roomy;

int
open_udp (struct skp_address *address)
{
  int fd = skp_socket_open (AF_INET, SOCK_DGRAM, 0), room = 4 << 20;
  assert_int_equal (skp_address_parse (address, "127.0.0.1:0"), 0);
  assert_int_equal (skp_socket_bind (fd, address), 0);
  assert_int_equal (skp_socket_name (fd, address), 0);
  roomy = skp_option_set (fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room)
          >= 0;
  skp_option_set (fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
  return fd;
}

void
begin (size_t slots, size_t size, int offload)
{
  struct skp_address own;
  memset (&forced, 0, sizeof forced);
  in = open_udp (&to);
  out = open_udp (&own);
  assert_int_equal (skp_batch_open (&batch, slots, size, offload, NULL), 0);
}

void
end (void)
{
  close (in);
  close (out);
  skp_batch_close (batch);
}

const unsigned char *
at (size_t index, size_t *length)
{
  size_t count;
  const struct skp_datagram *datagrams = skp_batch_datagrams (batch, &count);
  assert_true (index < count);
  *length = datagrams[index].length;
  return skp_batch_bytes (batch) + datagrams[index].start;
}

void
add (size_t number, size_t length)
{
  unsigned char data[65535];
  memset (data, (int)number, length);
  assert_true (skp_batch_add (batch, data, length, &to) >= 0);
}

void
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

void
send_all (size_t count)
{
  int error;
  assert_int_equal (skp_batch_send (batch, out, 0, 0, &error), count);
  assert_int_equal (error, 0);
}

void
need_room (void)
{
  if (roomy)
    return;
  end ();
  skip ();
}
