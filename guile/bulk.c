/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sendfile and splice.  The primitives try once (SCM_SKP__FULL says of %splice
   that it waits for room); n is 0 at the end of the input.  */

#include "loop.h"
#include "port.h"
#include "primitive.h"
#include "value.h"

#include <errno.h>
#include <unistd.h>
#include <sockport/bulk.h>
#include <sockport/stream.h>

#define FILE_MOST INT64_C (0x0fffffffffffffff)

/* A port's descriptor, or a number, as Guile's own sendfile takes it.  */
static int
descriptor (SCM port, int pos, const char *who)
{
  return SCM_I_INUMP (port)
             ? (int)scm_skp__integer (port, 0, INT32_MAX, pos, who)
             : scm_skp__fd (port, pos, who);
}

/* As much of SIZE bytes as one call may move: a number that is a fixnum where
   those have 30 bits, and a size_t.  */
static size_t
at_once (int64_t size)
{
  return (size_t)(size < SCM_MOST_POSITIVE_FIXNUM ? size
                                                  : SCM_MOST_POSITIVE_FIXNUM);
}

/* MOVED of COUNT bytes have gone already.  */
static SCM
send_file (SCM moved, SCM out, SCM in, SCM count, SCM offset)
{
  static const char who[] = "sendfile";
  int to = descriptor (out, 1, who), from = descriptor (in, 2, who);
  int64_t size = scm_skp__integer (count, 0, FILE_MOST, 3, who);
  int64_t at = scm_is_false (offset)
                   ? 0
                   : scm_skp__integer (offset, 0, FILE_MOST, 4, who);
  int64_t gone = scm_skp__integer (moved, 0, size, 3, who);
  at += gone;
  size -= gone;
  if (size == 0)
    return SCM_INUM0;
  if (scm_skp__turn_over ())
    return SCM_BOOL_F;
  scm_skp__mode_lock ();
  ssize_t n = skp_bulk_send_file (to, from, scm_is_false (offset) ? NULL : &at,
                                  at_once (size));
  scm_skp__mode_unlock ();
  if (n == -ESPIPE && scm_is_false (offset))
    return SCM_SKP__REFUSED;
  return scm_skp__count (n, who);
}

/* The procedures that share the following are distinguished by FILE.  */
static const char *
name (SCM file)
{
  return scm_is_true (file) ? "sendfile" : "splice";
}

/* COUNT 0 checks the arguments.  */
static SCM
splice_some (SCM out, SCM in, SCM count, SCM file)
{
  const char *who = name (file);
  int to = scm_skp__fd (out, 1, who), from = scm_skp__fd (in, 2, who);
  int64_t size = scm_skp__integer (count, 0, FILE_MOST, 3, who);
  if (size == 0)
    return SCM_INUM0;
  if (scm_skp__turn_over ())
    return SCM_BOOL_F;
  scm_skp__mode_lock ();
  ssize_t n = skp_bulk_splice (to, from, at_once (size));
  scm_skp__mode_unlock ();
  if (n == -EAGAIN)
    return skp_bulk_full (to) ? SCM_SKP__FULL : SCM_BOOL_F;
  return n == -EINVAL ? SCM_SKP__REFUSED : scm_skp__count (n, who);
}

static SCM
is_full (SCM out, SCM file)
{
  return scm_from_bool (skp_bulk_full (scm_skp__fd (out, 1, name (file))));
}

/* Read what IN has into BUFFER, a bytevector.  */
static SCM
take_some (SCM in, SCM buffer, SCM file)
{
  const char *who = name (file);
  struct scm_skp__slice slice;
  int fd = scm_skp__fd (in, 2, who);
  scm_skp__in_slice (&slice, buffer, SCM_UNDEFINED, SCM_UNDEFINED, 2, 3, who);
  if (scm_skp__turn_over ())
    return SCM_BOOL_F;
  ssize_t n = skp_stream_read (fd, slice.bytes, slice.size);
  scm_remember_upto_here_1 (buffer);
  return scm_skp__count (n, who);
}

/* Write what is in BUFFER from START to END.  */
static SCM
give_some (SCM out, SCM buffer, SCM start, SCM end, SCM file)
{
  const char *who = name (file);
  struct scm_skp__slice slice;
  int fd = scm_skp__fd (out, 1, who);
  scm_skp__out_slice (&slice, buffer, start, end, 2, 3, who);
  if (scm_skp__turn_over ())
    return SCM_BOOL_F;
  ssize_t n = skp_bulk_write (fd, slice.bytes, slice.size);
  scm_remember_upto_here_1 (buffer);
  return scm_skp__count (n, who);
}

static void
close_end (void *fd)
{
  close (*(int *)fd);
}

/* A pipe of SIZE bytes: a pair of ports to read from and to write to.  */
static SCM
splice_pipe (SCM size, SCM file)
{
  const char *who = name (file);
  int ends[2];
  int64_t room = scm_skp__integer (size, 1, INT32_MAX, 1, who);
  int err = skp_bulk_pipe (ends, (size_t)room);
  if (err < 0)
    scm_skp__error (err, who);
  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler (close_end, &ends[1], 0);
  SCM in = scm_skp__port (ends[0]);
  scm_dynwind_end ();
  return scm_cons (in, scm_skp__port (ends[1]));
}

/* A port of its own for the open file of a descriptor's number.  */
static SCM
share_port (SCM number)
{
  int fd = skp_bulk_share (descriptor (number, 1, "sendfile"));
  if (fd < 0)
    scm_skp__error (fd, "sendfile");
  return scm_skp__port (fd);
}

void
scm_skp__init_bulk (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%sendfile", 5, 0, 0, send_file },
    { "%splice", 4, 0, 0, splice_some },
    { "%full?", 2, 0, 0, is_full },
    { "%take-some", 3, 0, 0, take_some },
    { "%give-some", 5, 0, 0, give_some },
    { "%splice-pipe", 2, 0, 0, splice_pipe },
    { "%share-port", 1, 0, 0, share_port },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
