/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The functions of the core that move data or wait for it, each in the
   situations in which it makes other calls.  */

#include "fault.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

static const char data[] = "0123456789";

/* What one end of a pair of TYPE does; the other end has sent DATA.  */
#define ON_PAIR(name, type, call)                                              \
  static long name (void)                                                      \
  {                                                                            \
    int fds[2], fd;                                                            \
    open_pair (type, fds);                                                     \
    fd = fds[0];                                                               \
    assert_int_equal (send (fds[1], data, 10, 0), 10);                         \
    long result = PROBE (call);                                                \
    close_pair (fds);                                                          \
    return result;                                                             \
  }

static const struct skp_address nowhere;
ON_PAIR (probe_recv, SOCK_STREAM,
         skp_transfer_recv (fd, output.transfer.data, 10, 0))
ON_PAIR (probe_send, SOCK_STREAM, skp_transfer_send (fd, data, 10, 0))
ON_PAIR (probe_recvfrom, SOCK_DGRAM,
         skp_transfer_recvfrom (fd, output.transfer.data, 10, 0,
                                &output.transfer.address))
ON_PAIR (probe_sendto, SOCK_DGRAM,
         skp_transfer_sendto (fd, data, 10, 0, &nowhere))
ON_PAIR (probe_read, SOCK_STREAM,
         skp_stream_read (fd, output.transfer.data, 10))
ON_PAIR (probe_write, SOCK_STREAM, skp_stream_write (fd, data, 10))

/* The same for the ends of a pipe with room for more than DATA, which is in it.
 */
#define ON_PIPE(name, end, call)                                               \
  static long name (void)                                                      \
  {                                                                            \
    int ends[2], fd;                                                           \
    assert_int_equal (pipe2 (ends, O_CLOEXEC), 0);                             \
    fd = ends[end];                                                            \
    assert_int_equal (write (ends[1], data, 10), 10);                          \
    long result = PROBE (call);                                                \
    close_pair (ends);                                                         \
    return result;                                                             \
  }

ON_PIPE (probe_read_pipe, 0, skp_stream_read (fd, output.transfer.data, 10))
ON_PIPE (probe_write_pipe, 1, skp_stream_write (fd, data, 10))

#define MANY 1500

static struct iovec many[MANY];

static void
fill_many (size_t size)
{
  for (size_t i = 0; i < MANY; i++)
    many[i] = (struct iovec){ output.message.data + i * size, size };
}

static long
send_message (int type, size_t count, size_t size)
{
  int fds[2];
  struct skp_message message = { .slices = many, .count = count };
  fill_many (size);
  open_pair (type, fds);
  long result = PROBE (skp_message_send (fds[0], &message, 0));
  close_pair (fds);
  return result;
}

static long
probe_message_send (void)
{
  return send_message (SOCK_STREAM, 3, 2);
}

static long
probe_message_send_stream (void)
{
  return send_message (SOCK_STREAM, MANY, 2);
}

static long
probe_message_send_whole (void)
{
  return send_message (SOCK_DGRAM, MANY, 2);
}

static long
recv_message (int type, size_t count)
{
  int fds[2];
  char bytes[2 * MANY];
  memset (bytes, 'x', sizeof bytes);
  fill_many (2);
  open_pair (type, fds);
  assert_int_equal (send (fds[1], bytes, sizeof bytes, 0), sizeof bytes);
  output.message.message
      = (struct skp_message){ .slices = many,
                              .count = count,
                              .address = &output.message.address,
                              .control = output.message.control,
                              .control_length = 64 };
  long result = PROBE (skp_message_recv (fds[0], &output.message.message, 0));
  close_pair (fds);
  return result;
}

static long
probe_message_recv (void)
{
  return recv_message (SOCK_STREAM, 3);
}

static long
probe_message_recv_stream (void)
{
  return recv_message (SOCK_STREAM, MANY);
}

static long
probe_message_recv_whole (void)
{
  return recv_message (SOCK_DGRAM, MANY);
}

/* Two descriptors, of which closing fails.  */
static long
probe_control_close (void)
{
  int fds[2];
  unsigned char control[64];
  open_pair (SOCK_STREAM, fds);
  struct skp_control_item item = { SOL_SOCKET, SCM_RIGHTS, fds, sizeof fds };
  long end = skp_control_append (control, sizeof control, 0, &item);
  long result = PROBE (skp_control_close (control, (size_t)end));
  assert_int_equal (skp_control_close (control, (size_t)end), 0);
  return result;
}

static long
probe_batch_open (void)
{
  struct skp_batch **made = (void *)&output.pointer;
  long result = PROBE (skp_batch_open (made, 4, 64, 1, NULL));
  if (result >= 0)
    skp_batch_close (*made);
  return result;
}

/* A batch of UDP sockets, which has received COUNT datagrams.  */
static long
batch_call (int sending)
{
  struct skp_address address;
  struct skp_batch *batch;
  int error = 0, fd = skp_socket_open (AF_INET, SOCK_DGRAM, 0);
  skp_address_parse (&address, "127.0.0.1:0");
  skp_socket_bind (fd, &address);
  skp_socket_name (fd, &address);
  assert_int_equal (skp_batch_open (&batch, 4, 64, 1, NULL), 0);
  if (!sending)
    assert_int_equal (skp_transfer_sendto (fd, data, 10, 0, &address), 10);
  for (int i = 0; sending && i < 4; i++)
    skp_batch_add (batch, data, 10, &address);
  long result = sending ? PROBE (skp_batch_send (batch, fd, 0, 0, &error))
                        : PROBE (skp_batch_recv (batch, fd, 0));
  skp_batch_close (batch);
  close (fd);
  return result == 0 && error < 0 ? error : result;
}

static long
probe_batch_send (void)
{
  return batch_call (1);
}

static long
probe_batch_recv (void)
{
  return batch_call (0);
}

static long
probe_poller_open (void)
{
  struct skp_poller **made = (void *)&output.pointer;
  long result = PROBE (skp_poller_open (made));
  if (result >= 0)
    skp_poller_close (*made);
  return result;
}

enum
{
  WATCH,
  WATCH_AGAIN,
  FORGET,
  WAIT,
  WAIT_NS,
  WAKE
};

static long
poller_call (int which)
{
  struct skp_poller *poller;
  int fds[2];
  long result;
  open_pair (SOCK_STREAM, fds);
  assert_int_equal (skp_poller_open (&poller), 0);
  if (which != WATCH)
    assert_int_equal (skp_poller_watch (poller, fds[0]), 0);
  switch (which)
    {
    case WATCH:
    case WATCH_AGAIN:
      result = PROBE (skp_poller_watch (poller, fds[0]));
      break;
    case FORGET:
      result = PROBE (skp_poller_forget (poller, fds[0]));
      break;
    default:
      result = PROBE (skp_poller_wait (
          poller, output.events, 4, which == WAIT ? 1000000000 : 1234567890));
    }
  skp_poller_close (poller);
  close_pair (fds);
  return result;
}

static long
probe_set_open (void)
{
  long result = PROBE (skp_poller_set_open ());
  if (result >= 0)
    close ((int)result);
  return result >= 0 ? 0 : result;
}

static long
set_add (int times)
{
  int fds[2], set = skp_poller_set_open ();
  open_pair (SOCK_STREAM, fds);
  for (int i = 1; i < times; i++)
    assert_int_equal (skp_poller_set_add (set, fds[0], SKP_POLLER_READ), 0);
  long result = PROBE (skp_poller_set_add (set, fds[0], SKP_POLLER_WRITE));
  close (set);
  close_pair (fds);
  return result;
}

static long
probe_set_add (void)
{
  return set_add (1);
}

static long
probe_set_add_again (void)
{
  return set_add (2);
}

static long
probe_watch (void)
{
  return poller_call (WATCH);
}

static long
probe_watch_again (void)
{
  return poller_call (WATCH_AGAIN);
}

static long
probe_forget (void)
{
  return poller_call (FORGET);
}

static long
probe_wait (void)
{
  return poller_call (WAIT);
}

static long
probe_wait_ns (void)
{
  return poller_call (WAIT_NS);
}

/* One poller waits again and again in its thread until STOP, never long: a bell
   that is said to ring already wakes nobody.  */
static struct
{
  struct skp_poller *poller;
  atomic_int stop;
} sleeper;

static void *
sleep_on (void *unused)
{
  struct skp_poller_event event;
  while (!atomic_load (&sleeper.stop))
    skp_poller_wait (sleeper.poller, &event, 1, 20000000);
  return unused;
}

/* Only a sleeper costs a call.  One that was not woken still can be.  */
static long
probe_wake (void)
{
  pthread_t thread;
  long result;
  atomic_store (&sleeper.stop, 0);
  assert_int_equal (skp_poller_open (&sleeper.poller), 0);
  assert_int_equal (pthread_create (&thread, NULL, sleep_on, NULL), 0);
  do
    result = PROBE (skp_poller_wake (sleeper.poller));
  while (run.count == 0);
  atomic_store (&sleeper.stop, 1);
  assert_int_equal (skp_poller_wake (sleeper.poller), 0);
  pthread_join (thread, NULL);
  skp_poller_close (sleeper.poller);
  return result;
}

const struct operation transfer_operations[]
    = { { "transfer_recv", probe_recv },
        { "transfer_send", probe_send },
        { "transfer_recvfrom", probe_recvfrom },
        { "transfer_sendto", probe_sendto },
        { "stream_read", probe_read },
        { "stream_write", probe_write },
        { "stream_read, pipe", probe_read_pipe },
        { "stream_write, pipe", probe_write_pipe },
        { "message_send", probe_message_send },
        { "message_send, many slices", probe_message_send_stream },
        { "message_send, many slices as one", probe_message_send_whole },
        { "message_recv", probe_message_recv },
        { "message_recv, many slices", probe_message_recv_stream },
        { "message_recv, many slices as one", probe_message_recv_whole },
        { "control_close", probe_control_close },
        { "batch_open", probe_batch_open },
        { "batch_send", probe_batch_send },
        { "batch_recv", probe_batch_recv },
        { "poller_set_open", probe_set_open },
        { "poller_set_add", probe_set_add },
        { "poller_set_add, again", probe_set_add_again },
        { "poller_open", probe_poller_open },
        { "poller_watch", probe_watch },
        { "poller_watch, again", probe_watch_again },
        { "poller_forget", probe_forget },
        { "poller_wait", probe_wait },
        { "poller_wait, nanoseconds", probe_wait_ns },
        { "poller_wake", probe_wake },
        { NULL, NULL } };
