/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <sockport/message.h>
#include <sockport/socket.h>

/* What a test asks of the next system calls.  */
static struct
{
  int interruptions; /* this many recvmsg end with EINTR */
  size_t room;       /* control room that recvmsg sees, if not 0 */
  size_t most;       /* bytes that one sendmsg moves, if not 0 */
} forced;

long __real_syscall (long number, ...);
long __wrap_syscall (long number, long a, long b, long c, long d, long e,
                     long f);

long
__wrap_syscall (long number, long a, long b, long c, long d, long e, long f)
{
  struct msghdr *header = (struct msghdr *)b;
  struct iovec cut;

  if (number == SYS_recvmsg && forced.interruptions > 0)
    {
      forced.interruptions--;
      errno = EINTR;
      return -1;
    }
  if (number == SYS_recvmsg && forced.room)
    header->msg_controllen = forced.room;
  if (number == SYS_sendmsg && forced.most)
    {
      cut = header->msg_iov[0];
      if (cut.iov_len > forced.most)
        cut.iov_len = forced.most;
      header->msg_iov = &cut;
      header->msg_iovlen = 1;
    }
  return __real_syscall (number, a, b, c, d, e, f);
}

static int pair[2];

static void
open_pair (int type)
{
  memset (&forced, 0, sizeof forced);
  assert_int_equal (skp_socket_pair (AF_UNIX, type, 0, pair), 0);
}

static void
close_pair (void)
{
  close (pair[0]);
  close (pair[1]);
}

/* Send COUNT descriptors, all of them copies of one end of the pair, in as many
   control messages as ITEMS, with SIZE bytes of data.  */
static ssize_t
send_rights (int count, int items, size_t size)
{
  int fds[254];
  unsigned char control[2048];
  struct iovec slice = { "data", size };
  ssize_t end = 0;

  for (int i = 0; i < count; i++)
    fds[i] = pair[0];
  for (int i = 0; i < items; i++)
    {
      struct skp_control_item item
          = { SOL_SOCKET, SCM_RIGHTS, fds, (size_t)count * sizeof (int) };
      end = skp_control_append (control, sizeof control, (size_t)end, &item);
      assert_true (end > 0);
    }
  struct skp_message message = { .slices = &slice,
                                 .count = 1,
                                 .control = control,
                                 .control_length = (size_t)end };
  return skp_message_send (pair[0], &message, 0);
}

static struct skp_message received;
static unsigned char received_control[2048];
static char received_data[16];

static ssize_t
receive (size_t room, int flags)
{
  static struct iovec slice = { received_data, sizeof received_data };
  received = (struct skp_message){ .slices = &slice,
                                   .count = 1,
                                   .control = received_control,
                                   .control_length = room };
  return skp_message_recv (pair[1], &received, flags);
}

static size_t
rights_received (void)
{
  struct skp_control_item item;
  size_t at = 0, count = 0;
  while (
      skp_control_next (received.control, received.control_length, &at, &item)
      > 0)
    {
      assert_int_equal (item.type, SCM_RIGHTS);
      for (size_t i = 0; i < item.length / sizeof (int); i++)
        {
          int fd;
          memcpy (&fd, (const char *)item.bytes + i * sizeof fd, sizeof fd);
          assert_int_equal (fcntl (fd, F_GETFD), FD_CLOEXEC);
          count++;
        }
    }
  return count;
}

static int
close_rights (void)
{
  return skp_control_close (received.control, received.control_length);
}

static void
any_number_of_descriptors_passes (void **state)
{
  (void)state;
  const int counts[] = { 0, 1, 4, 253 };
  const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
  for (size_t t = 0; t < 3; t++)
    for (size_t i = 0; i < 4; i++)
      {
        open_pair (types[t]);
        assert_int_equal (send_rights (counts[i], 1, 4), 4);
        assert_int_equal (receive (sizeof received_control, 0), 4);
        assert_int_equal (rights_received (), counts[i]);
        assert_int_equal (received.flags & (MSG_CTRUNC | MSG_TRUNC), 0);
        assert_int_equal (close_rights (), counts[i]);
        close_pair ();
      }
}

static void
too_many_descriptors_are_refused (void **state)
{
  (void)state;
  open_pair (SOCK_STREAM);
  assert_int_equal (send_rights (254, 1, 4), -EINVAL);
  assert_int_equal (send_rights (127, 2, 4), -EINVAL);
  assert_int_equal (receive (64, 0), -EAGAIN);
  close_pair ();
}

static void
two_items_arrive_as_one (void **state)
{
  (void)state;
  open_pair (SOCK_STREAM);
  assert_int_equal (send_rights (2, 2, 4), 4);
  assert_int_equal (receive (sizeof received_control, 0), 4);
  assert_int_equal (rights_received (), 4);
  assert_int_equal (close_rights (), 4);
  close_pair ();
}

static void
peeking_makes_descriptors_of_its_own (void **state)
{
  (void)state;
  open_pair (SOCK_STREAM);
  assert_int_equal (send_rights (3, 1, 4), 4);
  for (int i = 0; i < 3; i++)
    {
      assert_int_equal (receive (sizeof received_control, MSG_PEEK), 4);
      assert_int_equal (rights_received (), 3);
      assert_int_equal (close_rights (), 3);
    }
  assert_int_equal (receive (sizeof received_control, 0), 4);
  assert_int_equal (close_rights (), 3);
  close_pair ();
}

/* Every room from none to enough: what came is told, nothing leaks.  */
static void
cut_control_data_leaks_nothing (void **state)
{
  (void)state;
  const size_t header = CMSG_LEN (0), whole = CMSG_SPACE (4 * sizeof (int));
  for (size_t room = 0; room <= whole + 8; room++)
    {
      open_pair (SOCK_DGRAM);
      assert_int_equal (send_rights (4, 1, 4), 4);
      assert_int_equal (receive (room, 0), 4);
      size_t fit = room < header ? 0 : (room - header) / sizeof (int);
      if (fit > 4)
        fit = 4;
      assert_int_equal (rights_received (), fit);
      assert_int_equal (!!(received.flags & MSG_CTRUNC), fit < 4);
      assert_int_equal (close_rights (), fit);
      close_pair ();
    }
}

static void
forced_rooms_are_believed (void **state)
{
  (void)state;
  open_pair (SOCK_STREAM);
  assert_int_equal (send_rights (4, 1, 4), 4);
  forced.room = CMSG_LEN (2 * sizeof (int));
  assert_int_equal (receive (sizeof received_control, 0), 4);
  assert_int_equal (rights_received (), 2);
  assert_true (received.flags & MSG_CTRUNC);
  assert_int_equal (close_rights (), 2);
  close_pair ();
}

static void
a_full_descriptor_table_cuts (void **state)
{
  (void)state;
  struct rlimit limit, lower;
  open_pair (SOCK_STREAM);
  assert_int_equal (send_rights (8, 1, 4), 4);
  assert_int_equal (getrlimit (RLIMIT_NOFILE, &limit), 0);
  int first = dup (pair[0]); /* the lowest free number */
  close (first);
  lower = limit;
  lower.rlim_cur = (rlim_t)first + 3;
  assert_int_equal (setrlimit (RLIMIT_NOFILE, &lower), 0);
  ssize_t n = receive (sizeof received_control, 0);
  size_t came = rights_received ();
  close_rights ();
  setrlimit (RLIMIT_NOFILE, &limit);
  assert_int_equal (n, 4);
  assert_int_equal (came, 3);
  assert_true (received.flags & MSG_CTRUNC);
  close_pair ();
}

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

TESTS (TEST (any_number_of_descriptors_passes),
       TEST (too_many_descriptors_are_refused), TEST (two_items_arrive_as_one),
       TEST (peeking_makes_descriptors_of_its_own),
       TEST (cut_control_data_leaks_nothing), TEST (forced_rooms_are_believed),
       TEST (a_full_descriptor_table_cuts), TEST (interruptions_are_not_seen),
       TEST (more_slices_than_the_kernel_takes),
       TEST (a_cut_datagram_fills_what_there_is),
       TEST (too_large_a_message_is_refused),
       TEST (a_short_write_ends_the_call), TEST (empty_datagrams_are_datagrams),
       TEST (control_messages_need_a_byte_on_a_stream),
       TEST (addresses_go_and_come), TEST (bad_descriptors_and_closed_peers));
