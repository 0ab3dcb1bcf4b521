/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The functions of the core that make, name and set sockets, interfaces and
   processes, each in the situations in which it makes other calls.  */

#include "fault.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <linux/filter.h>

union output output, before;

void
open_pair (int type, int fds[2])
{
  assert_int_equal (socketpair (AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
}

void
close_pair (const int fds[2])
{
  close (fds[0]);
  close (fds[1]);
}

int
open_listener (int *caller, struct skp_address *address)
{
  int fd = skp_socket_open (AF_INET, SOCK_STREAM, 0);
  assert_int_equal (skp_address_parse (address, "127.0.0.1:0"), 0);
  assert_int_equal (skp_socket_bind (fd, address), 0);
  assert_int_equal (skp_socket_listen (fd, 8), 0);
  assert_int_equal (skp_socket_name (fd, address), 0);
  if (caller)
    {
      *caller = skp_socket_open (AF_INET, SOCK_STREAM, 0);
      assert_int_equal (
          connect (*caller, (void *)&address->storage, address->length), 0);
    }
  return fd;
}

static long
and_close (long fd)
{
  if (fd >= 0)
    close ((int)fd);
  return fd < 0 ? fd : 0;
}

static long
probe_open (void)
{
  return and_close (PROBE (skp_socket_open (AF_INET, SOCK_STREAM, 0)));
}

static long
probe_pair (void)
{
  long result
      = PROBE (skp_socket_pair (AF_UNIX, SOCK_STREAM, 0, output.numbers));
  if (result == 0)
    close_pair (output.numbers);
  return result;
}

static long
probe_bind (void)
{
  struct skp_address address;
  int fd = skp_socket_open (AF_INET, SOCK_STREAM, 0);
  skp_address_parse (&address, "127.0.0.1:0");
  long result = PROBE (skp_socket_bind (fd, &address));
  close (fd);
  return result;
}

static long
probe_listen (void)
{
  int fd = skp_socket_open (AF_INET, SOCK_STREAM, 0);
  long result = PROBE (skp_socket_listen (fd, 8));
  close (fd);
  return result;
}

static long
probe_accept (void)
{
  struct skp_address address;
  int caller, fd = open_listener (&caller, &address);
  long result = PROBE (skp_socket_accept (fd, 0, &output.address));
  close (caller);
  close (fd);
  return and_close (result);
}

static long
accept_nonblocking (int (*accept) (int, int, struct skp_address *))
{
  struct skp_address address;
  int caller, fd = open_listener (&caller, &address);
  assert_int_equal (skp_socket_set_nonblocking (fd, 1), 0);
  long result = PROBE (accept (fd, 0, &output.address));
  close (caller);
  close (fd);
  return and_close (result);
}

static long
probe_accept_now (void)
{
  return accept_nonblocking (skp_socket_accept_now);
}

static long
probe_accept_next (void)
{
  return accept_nonblocking (skp_socket_accept_next);
}

/* Nobody has come: a call that waited would wait for ever.  */
static long
probe_accept_none (void)
{
  struct skp_address address;
  int fd = open_listener (NULL, &address);
  long result = PROBE (skp_socket_accept (fd, 0, NULL));
  close (fd);
  return and_close (result);
}

static long
connect_in_mode (int nonblocking)
{
  struct skp_address address;
  int listener = open_listener (NULL, &address);
  int fd = skp_socket_open (AF_INET, SOCK_STREAM, 0);
  skp_socket_set_nonblocking (fd, nonblocking);
  long result = PROBE (skp_socket_connect (fd, &address));
  /* The fourth call puts the mode back.  */
  if (run.fail != 3 || run.error == EINTR)
    assert_int_equal (skp_socket_nonblocking (fd), nonblocking);
  close (fd);
  close (listener);
  return result;
}

static long
probe_connect (void)
{
  return connect_in_mode (0);
}

static long
probe_connect_nonblocking (void)
{
  return connect_in_mode (1);
}

static long
connect_begin (int flags)
{
  struct skp_address address;
  int listener = open_listener (NULL, &address);
  output.numbers[0] = -1;
  long result = PROBE (skp_connect_begin (&output.numbers[0], &address, flags));
  if (result >= 0)
    close (output.numbers[0]);
  close (listener);
  return result;
}

static long
probe_connect_begin (void)
{
  return connect_begin (SKP_CONNECT_NO_DELAY);
}

static long
probe_connect_begin_nonblocking (void)
{
  return connect_begin (SKP_CONNECT_NONBLOCKING);
}

/* What only needs one end of a pair of type TYPE.  */
#define ON_PAIR(name, type, call)                                              \
  static long name (void)                                                      \
  {                                                                            \
    int fds[2], fd;                                                            \
    open_pair (type, fds);                                                     \
    fd = fds[0];                                                               \
    long result = PROBE (call);                                                \
    close_pair (fds);                                                          \
    return result;                                                             \
  }

ON_PAIR (probe_error, SOCK_STREAM, skp_socket_error (fd))
ON_PAIR (probe_connected, SOCK_STREAM, skp_socket_connected (fd))
ON_PAIR (probe_shutdown, SOCK_STREAM, skp_socket_shutdown (fd, SHUT_WR))
ON_PAIR (probe_name, SOCK_STREAM, skp_socket_name (fd, &output.address))
ON_PAIR (probe_peer, SOCK_STREAM, skp_socket_peer (fd, &output.address))
ON_PAIR (probe_adopt, SOCK_STREAM,
         skp_socket_adopt (fd, &output.numbers[0], &output.numbers[1],
                           &output.numbers[2]))
ON_PAIR (probe_nonblocking, SOCK_STREAM, skp_socket_nonblocking (fd))
ON_PAIR (probe_set_nonblocking, SOCK_STREAM, skp_socket_set_nonblocking (fd, 1))
ON_PAIR (probe_stream, SOCK_DGRAM, skp_socket_stream (fd))
ON_PAIR (probe_tcp, SOCK_DGRAM, skp_socket_tcp (fd))
ON_PAIR (probe_patience, SOCK_STREAM, skp_socket_patience_us (fd, 0))

static long
get_option (int number)
{
  int fds[2];
  open_pair (SOCK_STREAM, fds);
  output.option.length = sizeof output.option.bytes;
  long result = PROBE (skp_option_get (
      fds[0], SOL_SOCKET, number, output.option.bytes, &output.option.length));
  close_pair (fds);
  return result;
}

static long
probe_option_get (void)
{
  return get_option (SO_TYPE);
}

ON_PAIR (probe_option_get_int, SOCK_STREAM,
         skp_option_get_int (fd, SOL_SOCKET, SO_TYPE, &output.numbers[0]))

static long
probe_option_get_filter (void)
{
  return get_option (SO_GET_FILTER);
}

static long
probe_option_get_peer_name (void)
{
  return get_option (SO_PEERNAME);
}

static const int on = 1;
ON_PAIR (probe_option_set, SOCK_STREAM,
         skp_option_set (fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on))
static const struct sock_filter accept_all = BPF_STMT (BPF_RET, 0xffff);
ON_PAIR (probe_option_set_filter, SOCK_STREAM,
         skp_option_set_filter (fd, SOL_SOCKET, SO_ATTACH_FILTER, &accept_all,
                                sizeof accept_all))

static long
probe_interface_index (void)
{
  return PROBE (skp_interface_index ("lo", 2));
}

static long
probe_interface_name (void)
{
  return PROBE (skp_interface_name (1, output.name));
}

static long
probe_interface_list (void)
{
  struct skp_interface **list = (void *)&output.pointer;
  long result = PROBE (skp_interface_list (list));
  if (result >= 0)
    {
      for (long i = 0; i < result; i++)
        assert_true ((*list)[i].index > 0 || run.error == ENODEV);
      free (*list);
    }
  return result;
}

static long
probe_process_open (void)
{
  pid_t child = fork ();
  if (child == 0)
    _exit (0);
  long result = and_close (PROBE (skp_process_open (child)));
  assert_int_equal (waitpid (child, NULL, 0), child);
  return result;
}

static long
probe_scope (void)
{
  return PROBE (skp_address_parse (&output.address, "[fe80::1%lo]:80"));
}

static long
probe_websocket_key (void)
{
  return PROBE (skp_websocket_key (output.name));
}

static long
probe_websocket_mask (void)
{
  return PROBE (skp_websocket_new_mask (output.bytes));
}

static long
open_file (enum skp_file_links links)
{
  long result
      = PROBE (skp_file_open (&output.file, "/proc/self", "maps", links));
  return result < 0 ? result : and_close (output.file.fd);
}

static long
probe_file_open (void)
{
  return open_file (SKP_FILE_ALL_LINKS);
}

static long
probe_file_open_beneath (void)
{
  return open_file (SKP_FILE_BENEATH);
}

const struct operation socket_operations[]
    = { { "socket_open", probe_open },
        { "socket_pair", probe_pair },
        { "socket_bind", probe_bind },
        { "socket_listen", probe_listen },
        { "socket_accept", probe_accept },
        { "socket_accept, none there", probe_accept_none },
        { "socket_accept_now", probe_accept_now },
        { "socket_accept_next", probe_accept_next },
        { "socket_connect", probe_connect },
        { "socket_connect, non-blocking", probe_connect_nonblocking },
        { "connect_begin", probe_connect_begin },
        { "connect_begin, non-blocking", probe_connect_begin_nonblocking },
        { "socket_error", probe_error },
        { "socket_connected", probe_connected },
        { "socket_shutdown", probe_shutdown },
        { "socket_name", probe_name },
        { "socket_peer", probe_peer },
        { "socket_adopt", probe_adopt },
        { "socket_nonblocking", probe_nonblocking },
        { "socket_set_nonblocking", probe_set_nonblocking },
        { "socket_stream", probe_stream },
        { "socket_tcp", probe_tcp },
        { "socket_patience", probe_patience },
        { "option_get", probe_option_get },
        { "option_get_int", probe_option_get_int },
        { "option_get, SO_GET_FILTER", probe_option_get_filter },
        { "option_get, SO_PEERNAME", probe_option_get_peer_name },
        { "option_set", probe_option_set },
        { "option_set_filter", probe_option_set_filter },
        { "interface_index", probe_interface_index },
        { "interface_name", probe_interface_name },
        { "interface_list", probe_interface_list },
        { "process_open", probe_process_open },
        { "address_parse, scope by name", probe_scope },
        { "websocket_key", probe_websocket_key },
        { "websocket_new_mask", probe_websocket_mask },
        { "file_open", probe_file_open },
        { "file_open, beneath", probe_file_open_beneath },
        { NULL, NULL } };
