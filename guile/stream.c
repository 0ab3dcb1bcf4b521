/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How Guile's suspendable port procedures read and write file ports. libguile's
   own way blocks on a descriptor in blocking mode, and with it every task of
   the thread; this one never does, so that they go to the waiter instead.  */

#include "stream.h"
#include "loop.h"
#include "port.h"
#include "primitive.h"

#include <errno.h>
#include <sockport/stream.h>

/* What the last attempt of this thread has found: that descriptor N would have
   to be waited for, 2N + 1 to read and 2N + 2 to write.  */
static __thread size_t tried __attribute__ ((tls_model ("initial-exec")));

/* (PROC port direction) waits for PORT as what runs here has to, or returns #f.
 */
static SCM wait_for_c;

/* Where the waiter of those who read is, and the one that has the loop wait. */
static SCM read_waiter, loop_waiter;

SCM
scm_skp__would_block (SCM port, size_t direction)
{
  tried = 2 * (size_t)SCM_FPORT_FDES (port) + 1 + direction;
  return SCM_BOOL_F;
}

/* Was that the last attempt, and has nothing waited since?  */
static SCM
was_tried (SCM port, SCM direction)
{
  size_t fd = (size_t)scm_skp__fd (port, 1, "wait");
  int same = tried == 2 * fd + 1 + (size_t)SCM_I_INUM (direction);
  tried = 0;
  return scm_from_bool (same);
}

/* What of libguile is in C, display say, calls these too, and would then wait
   in poll for as long as it takes, with every task of the thread.  In a thread
   without tasks nobody is kept waiting, but deadlines have to end what writes.
 */
static int
is_to_try_again (SCM port, size_t direction)
{
  return (scm_skp__below_c () || (direction == 1 && !scm_skp__in_loop ()))
         && scm_is_true (
             scm_call_2 (wait_for_c, port, SCM_I_MAKINUM (direction)));
}

int
scm_skp__loop_waits (void)
{
  return scm_skp__in_loop ()
         && scm_is_eq (scm_fluid_ref (read_waiter), loop_waiter);
}

/* Is it known that there is nothing to read, and is the loop going to wait for
   more?  Another waiter has to hear what the kernel says.  */
static inline int
is_drained (SCM port)
{
  return scm_skp__drained (scm_skp__fd (port, 1, "fport_read"))
         && scm_skp__loop_waits () && scm_skp__can_leave_here ();
}

ssize_t
scm_skp__read_some (SCM port, void *bytes, size_t size)
{
  ssize_t n;
  do
    n = skp_stream_read (scm_skp__fd (port, 1, "fport_read"), bytes, size);
  while (n == -EAGAIN && is_to_try_again (port, 0));
  if (n > 0 && (size_t)n < size)
    scm_skp__note_drained (SCM_FPORT_FDES (port));
  return n;
}

/* libguile has checked the arguments, which are its own buffer's.  */
static SCM
file_read (SCM port, SCM buffer, SCM start, SCM count)
{
  signed char *bytes = SCM_BYTEVECTOR_CONTENTS (buffer) + SCM_I_INUM (start);
  size_t size = (size_t)SCM_I_INUM (count);
  if (scm_skp__turn_over () && !scm_skp__below_c ())
    return SCM_BOOL_F;
  if (is_drained (port))
    return scm_skp__would_block (port, 0);
  ssize_t n = scm_skp__read_some (port, bytes, size);
  return n == -EAGAIN ? scm_skp__would_block (port, 0)
                      : scm_skp__count (n, "fport_read");
}

ssize_t
scm_skp__write_some (SCM port, const void *bytes, size_t size)
{
  ssize_t n = -EAGAIN;
  if (!scm_skp__turn_over () || scm_skp__below_c ())
    do
      n = skp_stream_write (scm_skp__fd (port, 1, "fport_write"), bytes, size);
    while (n == -EAGAIN && is_to_try_again (port, 1));
  if (n == -EAGAIN)
    scm_skp__would_block (port, 1);
  return n;
}

static ssize_t
write_slice (SCM port, SCM buffer, SCM start, SCM count)
{
  return scm_skp__write_some (
      port, SCM_BYTEVECTOR_CONTENTS (buffer) + SCM_I_INUM (start),
      (size_t)SCM_I_INUM (count));
}

static SCM
file_write (SCM port, SCM buffer, SCM start, SCM count)
{
  ssize_t n = write_slice (port, buffer, start, count);
  return n == -EAGAIN ? SCM_BOOL_F : scm_skp__count (n, "fport_write");
}

/* The same, but an error is returned, its negative number, for `write_failed'.
 */
static SCM
write_or_errno (SCM port, SCM buffer, SCM start, SCM count)
{
  ssize_t n = write_slice (port, buffer, start, count);
  return n == -EAGAIN ? SCM_BOOL_F : SCM_I_MAKINUM ((scm_t_signed_bits)n);
}

static SCM
write_failed (SCM n)
{
  return scm_skp__count (SCM_I_INUM (n), "fport_write");
}

/* A port type does not keep its procedures alive.  */
static SCM
procedure (const char *name, SCM (*function) (SCM, SCM, SCM, SCM), SCM around,
           size_t direction)
{
  SCM proc
      = scm_c_make_gsubr (name, 4, 0, 0, __extension__(scm_t_subr) function);
  return scm_permanent_object (
      scm_call_2 (around, proc, SCM_I_MAKINUM (direction)));
}

/* Is PORT one that nothing waits for?  */
static SCM
string_port (SCM port)
{
  return scm_from_bool (SCM_STRPORTP (port));
}

/* For all file ports of the process.  (AROUND try direction) returns what is
   called in place of TRY; the fluid FLUID has WAITER in tasks.  */
static SCM
hook_file_ports (SCM proc, SCM around, SCM fluid, SCM waiter)
{
  wait_for_c = scm_permanent_object (proc);
  read_waiter = scm_permanent_object (fluid);
  loop_waiter = scm_permanent_object (waiter);
  scm_set_port_scm_read (scm_file_port_type,
                         procedure ("file-read", file_read, around, 0));
  scm_set_port_scm_write (scm_file_port_type,
                          procedure ("file-write", file_write, around, 1));
  return SCM_UNSPECIFIED;
}

void
scm_skp__init_stream (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%tried?", 2, 0, 0, was_tried },
    { "%string-port?", 1, 0, 0, string_port },
    { "%write-or-errno", 4, 0, 0, write_or_errno },
    { "%write-failed", 1, 0, 0, write_failed },
    { "%hook-file-ports!", 4, 0, 0, hook_file_ports },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
