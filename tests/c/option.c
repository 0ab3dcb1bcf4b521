/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <sockport/option.h>
#include <sockport/socket.h>

static void
rows_are_found_by_level_and_number (void **state)
{
  (void)state;
  const struct skp_option *option;
  size_t count = 0;
  for (; (option = skp_option_at (count)); count++)
    {
      assert_ptr_equal (skp_option_find (option->level, option->number),
                        option);
      assert_true (option->kind < SKP_OPTION_KINDS);
      assert_true (option->kind != SKP_OPTION_STRUCTURE || option->structure);
      assert_true (strlen (option->purpose) > 0);
    }
  assert_true (count >= 250);
  assert_null (skp_option_at ((size_t)-1));
}

/* SO_RCVTIMEO is 20, and so is IPV6_JOIN_GROUP: the number means nothing by
   itself.  */
static void
a_number_alone_is_no_option (void **state)
{
  (void)state;
  assert_int_equal (skp_option_find (SOL_SOCKET, 20)->kind, SKP_OPTION_TIMEVAL);
  assert_int_equal (skp_option_find (IPPROTO_IPV6, 20)->kind,
                    SKP_OPTION_MEMBERSHIP);
  assert_int_equal (skp_option_find (IPPROTO_IP, 21)->kind, SKP_OPTION_INT);
  assert_null (skp_option_find (IPPROTO_SCTP, 20));
  assert_null (skp_option_find (-1, -1));
  assert_null (skp_option_find (SOL_SOCKET, -1));
}

static void
names_are_found_as_people_write_them (void **state)
{
  (void)state;
  static const struct
  {
    const char *name;
    int family, level, number;
  } known[]
      = { { "SO_KEEPALIVE", AF_UNSPEC, SOL_SOCKET, SO_KEEPALIVE },
          { "keepalive", AF_INET, SOL_SOCKET, SO_KEEPALIVE },
          { "so-keepalive", AF_INET, SOL_SOCKET, SO_KEEPALIVE },
          { "tcp-keepidle", AF_INET, IPPROTO_TCP, TCP_KEEPIDLE },
          { "mcast-join-group", AF_UNSPEC, IPPROTO_IP, MCAST_JOIN_GROUP },
          { "mcast-join-group", AF_INET6, IPPROTO_IPV6, MCAST_JOIN_GROUP },
          { "ipv6-add-membership", AF_INET6, IPPROTO_IPV6, IPV6_JOIN_GROUP },
          { "vm-sockets-buffer-size", AF_VSOCK, AF_VSOCK, 0 } };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    {
      const struct skp_option *option
          = skp_option_named (known[i].name, known[i].family);
      assert_non_null (option);
      assert_int_equal (option->level, known[i].level);
      assert_int_equal (option->number, known[i].number);
    }
  assert_null (skp_option_named ("", AF_INET));
  assert_null (skp_option_named ("keepaliv", AF_INET));
  assert_null (skp_option_named (
      "a-name-that-is-much-longer-than-any-option-has-ever-been-in-the-kernel",
      AF_INET));
}

static void
options_apply_to_families_and_types (void **state)
{
  (void)state;
  const struct skp_option *nodelay = skp_option_named ("tcp-nodelay", 0);
  assert_true (skp_option_applies (nodelay, AF_INET, SOCK_STREAM));
  assert_true (skp_option_applies (nodelay, AF_INET6, SOCK_STREAM));
  assert_false (skp_option_applies (nodelay, AF_INET, SOCK_DGRAM));
  assert_false (skp_option_applies (nodelay, AF_UNIX, SOCK_STREAM));
  assert_false (skp_option_applies (nodelay, 1000, SOCK_STREAM));
  assert_false (skp_option_applies (nodelay, AF_INET, 1000));
  assert_false (skp_option_applies (nodelay, AF_INET, -1));
  assert_false (skp_option_applies (nodelay, -1, SOCK_STREAM));
  assert_true (skp_option_applies (skp_option_named ("rcvbuf", 0), 1000, 1000));
}

/* Sockets that between them have every option.  */
static const struct
{
  int family, type, protocol;
} sorts[] = { { AF_INET, SOCK_STREAM, 0 },
              { AF_INET, SOCK_DGRAM, 0 },
              { AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE },
              { AF_INET, SOCK_RAW, IPPROTO_ICMP },
              { AF_INET6, SOCK_STREAM, 0 },
              { AF_INET6, SOCK_DGRAM, 0 },
              { AF_INET6, SOCK_RAW, IPPROTO_ICMPV6 },
              { AF_UNIX, SOCK_STREAM, 0 },
              { AF_NETLINK, SOCK_RAW, 0 },
              { AF_PACKET, SOCK_RAW, 0 },
              { AF_VSOCK, SOCK_STREAM, 0 } };
#define SORTS (sizeof sorts / sizeof *sorts)

/* How many bytes the kernel must answer: FROM to TO.  */
static void
expected_size (const struct skp_option *option, size_t *from, size_t *to)
{
  static const size_t sizes[SKP_OPTION_KINDS]
      = { [SKP_OPTION_INT] = 4,
          [SKP_OPTION_BOOL] = 4,
          [SKP_OPTION_UINT] = 4,
          [SKP_OPTION_WIDE] = 8,
          [SKP_OPTION_LINGER] = 8,
          [SKP_OPTION_TIMEVAL] = sizeof (struct timeval),
          [SKP_OPTION_INTERFACE] = 4,
          [SKP_OPTION_NETWORK_INTERFACE] = 4,
          [SKP_OPTION_ADDRESS_INTERFACE] = 4,
          [SKP_OPTION_DESCRIPTOR] = 4 };
  *from = *to = sizes[option->kind];
  if (option->kind == SKP_OPTION_STRUCTURE)
    *to = option->structure->size;
  else if (*to == 0)
    *to = 512;
}

/* Read OPTION from FD and write the value back; 1 if it could be read.  */
static int
round_trip (int fd, const struct skp_option *option)
{
  char value[512] = { 0 };
  size_t from, to;
  expected_size (option, &from, &to);
  socklen_t length = (socklen_t)to;
  int result
      = skp_option_get (fd, option->level, option->number, value, &length);
  if (result < 0)
    return 0;
  assert_true (length >= from && length <= to);
  if (!(option->access & SKP_OPTION_W) || from == 0)
    return 1;
  result = skp_option_set (fd, option->level, option->number, value, length);
  /* No right to it, or not in this state: but never a wrong size.  */
  if (result == -EINVAL)
    assert_true (option->number == PACKET_FANOUT
                 || option->number == IPV6_CHECKSUM
                 || option->number == IPV6_V6ONLY);
  return 1;
}

static void
every_row_reads_and_writes_its_size (void **state)
{
  (void)state;
  const struct skp_option *option;
  size_t read = 0;
  int fds[SORTS];
  for (size_t k = 0; k < SORTS; k++)
    fds[k] = socket (sorts[k].family, sorts[k].type, sorts[k].protocol);
  for (size_t i = 0; (option = skp_option_at (i)); i++)
    {
      int done = 0;
      for (size_t k = 0; k < SORTS; k++)
        if (fds[k] >= 0 && (option->access & SKP_OPTION_R)
            && skp_option_applies (option, sorts[k].family, sorts[k].type))
          done |= round_trip (fds[k], option);
      read += done;
    }
  for (size_t k = 0; k < SORTS; k++)
    if (fds[k] >= 0)
      close (fds[k]);
  assert_true (read >= 140); /* without the right to raw sockets */
}

/* SO_GET_FILTER counts instructions: the room is given in bytes all the same,
   and what lies behind it must not be touched.  */
static void
a_filter_comes_back_whole_and_never_beyond_its_room (void **state)
{
  (void)state;
  struct sock_filter program[3]
      = { BPF_STMT (BPF_LD | BPF_IMM, 1), BPF_STMT (BPF_LD | BPF_IMM, 2),
          BPF_STMT (BPF_RET | BPF_K, 100) };
  struct sock_filter back[8];
  int fd = socket (AF_INET, SOCK_DGRAM, 0);
  socklen_t length = sizeof back;

  assert_int_equal (skp_option_set_filter (fd, SOL_SOCKET, SO_ATTACH_FILTER,
                                           program, sizeof program),
                    0);
  memset (back, 0x55, sizeof back);
  assert_int_equal (
      skp_option_get (fd, SOL_SOCKET, SO_GET_FILTER, back, &length), 0);
  assert_int_equal (length, sizeof program);
  assert_memory_equal (back, program, sizeof program);
  assert_int_equal (((unsigned char *)back)[sizeof program], 0x55);

  memset (back, 0x55, sizeof back);
  length = 2 * sizeof *back;
  assert_int_equal (
      skp_option_get (fd, SOL_SOCKET, SO_GET_FILTER, back, &length), -EINVAL);
  assert_int_equal (((unsigned char *)back)[0], 0x55);

  assert_int_equal (skp_option_set_filter (fd, SOL_SOCKET, SO_ATTACH_FILTER,
                                           program, sizeof program - 1),
                    -EINVAL);
  assert_int_equal (skp_option_set_filter (fd, SOL_SOCKET, SO_ATTACH_FILTER,
                                           program, 8 * 4097),
                    -EINVAL);
  close (fd);
}

static void
adopting_tells_what_a_socket_is (void **state)
{
  (void)state;
  int family = 0, type = 0, protocol = -1, pipes[2];
  int fd = socket (AF_INET6, SOCK_DGRAM, 0);
  assert_int_equal (fcntl (fd, F_GETFD), 0);
  assert_int_equal (skp_socket_adopt (fd, &family, &type, &protocol), 0);
  assert_int_equal (family, AF_INET6);
  assert_int_equal (type, SOCK_DGRAM);
  assert_int_equal (protocol, IPPROTO_UDP);
  assert_int_equal (fcntl (fd, F_GETFD), FD_CLOEXEC);
  close (fd);
  assert_int_equal (pipe (pipes), 0);
  assert_int_equal (skp_socket_adopt (pipes[0], &family, &type, &protocol),
                    -ENOTSOCK);
  assert_int_equal (fcntl (pipes[0], F_GETFD), 0);
  assert_int_equal (family, AF_INET6);
  close (pipes[0]);
  close (pipes[1]);
  assert_int_equal (skp_socket_adopt (-1, &family, &type, &protocol), -EBADF);
}

static void
failures_are_the_kernels (void **state)
{
  (void)state;
  int value = 1, fd = socket (AF_INET, SOCK_DGRAM, 0);
  socklen_t length = sizeof value;
  assert_int_equal (skp_option_get (-1, SOL_SOCKET, SO_TYPE, &value, &length),
                    -EBADF);
  assert_int_equal (
      skp_option_get (fd, IPPROTO_TCP, TCP_NODELAY, &value, &length),
      -EOPNOTSUPP);
  assert_int_equal (skp_option_set (fd, SOL_SOCKET, SO_TYPE, &value, length),
                    -ENOPROTOOPT);
  assert_int_equal (skp_option_set (fd, SOL_SOCKET, SO_REUSEADDR, &value, 1),
                    -EINVAL);
  close (fd);
}

static void
ints_are_read_by_a_shorter_way (void **state)
{
  (void)state;
  int value, fd = skp_socket_open (AF_INET, SOCK_STREAM, 0);
  const struct
  {
    int fd, level, number, result, value;
  } rows[] = {
    { fd, SOL_SOCKET, SO_TYPE, 0, SOCK_STREAM },
    { fd, SOL_SOCKET, SO_KEEPALIVE, 0, 0 },
    { fd, IPPROTO_IP, IP_MULTICAST_TTL, 0, 1 },
    /* Another kind, and no row.  */
    { fd, SOL_SOCKET, SO_LINGER, -ENOMSG, 7 },
    { fd, SOL_SOCKET, 12345, -ENOMSG, 7 },
    { -1, SOL_SOCKET, SO_TYPE, -EBADF, 7 },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    {
      value = 7;
      assert_int_equal (skp_option_get_int (rows[i].fd, rows[i].level,
                                            rows[i].number, &value),
                        rows[i].result);
      assert_int_equal (value, rows[i].value);
    }
  close (fd);
}

TESTS (TEST (rows_are_found_by_level_and_number),
       TEST (a_number_alone_is_no_option),
       TEST (names_are_found_as_people_write_them),
       TEST (options_apply_to_families_and_types),
       TEST (ints_are_read_by_a_shorter_way),
       TEST (every_row_reads_and_writes_its_size),
       TEST (a_filter_comes_back_whole_and_never_beyond_its_room),
       TEST (adopting_tells_what_a_socket_is), TEST (failures_are_the_kernels));
