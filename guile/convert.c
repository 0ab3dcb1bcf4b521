/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* See convert.h.  Addresses are in address.c, buffers in slice.c.  */

#include "convert.h"

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

/* What fport_option NOT_SEEKABLE is in libguile, whose header hides it: it
   spares the two system calls with which libguile would examine a descriptor
   that is known to be a new socket.  */
#define FPORT_NOT_SEEKABLE 2U

void
scm_skp__define (const struct scm_skp__primitive *primitives, size_t count)
{
  for (size_t i = 0; i < count; i++)
    {
      const struct scm_skp__primitive *p = &primitives[i];
      scm_c_define_gsubr (p->name, p->required, p->optional, p->rest,
                          __extension__(scm_t_subr) p->function);
    }
}

void
scm_skp__error (long negative_errno, const char *who)
{
  errno = (int)-negative_errno;
  scm_syserror (who);
}

SCM
scm_skp__count (ssize_t n, const char *who)
{
  if (n == -EAGAIN)
    return SCM_BOOL_F;
  if (n < 0)
    scm_skp__error (n, who);
  return SCM_I_MAKINUM (n);
}

void
scm_skp__error_closed (const char *who)
{
  scm_syserror_msg (who, "the port was closed while waiting", SCM_EOL, EBADF);
}

void
scm_skp__refuse_fd (SCM port, int pos, const char *who)
{
  scm_wrong_type_arg_msg (who, pos, port, "open file port");
}

void
scm_skp__refuse_integer (SCM value, int pos, const char *who)
{
  if (scm_is_exact_integer (value))
    scm_out_of_range_pos (who, value, scm_from_int (pos));
  scm_wrong_type_arg_msg (who, pos, value, "exact integer");
}

static void
close_pending (void *fd)
{
  close (*(int *)fd);
}

SCM
scm_skp__port (int fd)
{
  static atomic_long known_bits;
  static SCM name;
  long mode_bits = atomic_load_explicit (&known_bits, memory_order_acquire);
  if (!mode_bits)
    {
      /* Several threads may do this at once, to the same end.  */
      name = scm_permanent_object (scm_from_utf8_symbol ("socket"));
      mode_bits = scm_mode_bits ((char[]){ "r+0" });
      atomic_store_explicit (&known_bits, mode_bits, memory_order_release);
    }
  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler (close_pending, &fd, 0);
  scm_t_fport *stream = scm_gc_malloc_pointerless (sizeof *stream, "file port");
  *stream = (scm_t_fport){ .fdes = fd, .options = FPORT_NOT_SEEKABLE };
  SCM port = scm_c_make_port (scm_file_port_type, (unsigned long)mode_bits,
                              (scm_t_bits)stream);
  scm_dynwind_end ();
  scm_set_port_filename_x (port, name);
  return port;
}
