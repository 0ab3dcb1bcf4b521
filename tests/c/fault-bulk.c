/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The functions of the core that move much data, each in the situations in
   which it makes other calls.  */

#include "fault.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sockport/bulk.h>
#include <sockport/transfer.h>

static const char data[16] = "ten bytes, more";

static long
probe_send_file (void)
{
  int fds[2], file = open ("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  open_pair (SOCK_STREAM, fds);
  output.offset = 0;
  long result = PROBE (skp_bulk_send_file (fds[0], file, &output.offset, 10));
  close_pair (fds);
  close (file);
  return result;
}

/* To a file that is opened for appending, from *OFFSET or the position.  */
static long
copy_file (int64_t *offset)
{
  int file = open ("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  int log = memfd_create ("log", MFD_CLOEXEC);
  assert_int_equal (fcntl (log, F_SETFL, O_APPEND), 0);
  long result = PROBE (skp_bulk_send_file (log, file, offset, 10));
  close (log);
  close (file);
  return result;
}

static long
probe_copy_file (void)
{
  output.offset = 0;
  return copy_file (&output.offset);
}

static long
probe_copy_file_from_position (void)
{
  return copy_file (NULL);
}

static long
probe_at_mark (void)
{
  int fds[2];
  open_pair (SOCK_STREAM, fds);
  long result = PROBE (skp_transfer_at_mark (fds[0]));
  close_pair (fds);
  return result;
}

static long
probe_bulk_write (void)
{
  int fds[2];
  open_pair (SOCK_STREAM, fds);
  long result = PROBE (skp_bulk_write (fds[0], data, 10));
  close_pair (fds);
  return result;
}

static long
probe_share (void)
{
  long result = PROBE (skp_bulk_share (0));
  if (result >= 0)
    close ((int)result);
  return result < 0 ? result : 0;
}

static long
probe_splice (void)
{
  int fds[2], ends[2];
  open_pair (SOCK_STREAM, fds);
  assert_int_equal (pipe2 (ends, O_CLOEXEC), 0);
  assert_int_equal (write (ends[1], data, 10), 10);
  long result = PROBE (skp_bulk_splice (fds[0], ends[0], 10));
  close_pair (ends);
  close_pair (fds);
  return result;
}

static long
probe_pipe (void)
{
  long result = PROBE (skp_bulk_pipe (output.numbers, 65536));
  if (result >= 0)
    close_pair (output.numbers);
  return result;
}

const struct operation bulk_operations[]
    = { { "transfer_at_mark", probe_at_mark },
        { "bulk_send_file", probe_send_file },
        { "bulk_send_file, copied", probe_copy_file },
        { "bulk_send_file, copied from the position",
          probe_copy_file_from_position },
        { "bulk_write", probe_bulk_write },
        { "bulk_share", probe_share },
        { "bulk_splice", probe_splice },
        { "bulk_pipe", probe_pipe },
        { NULL, NULL } };
