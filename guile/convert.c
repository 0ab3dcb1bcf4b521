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

SCM
scm_skp__count (ssize_t n, const char *who)
{
  if (n == -EAGAIN)
    return SCM_BOOL_F;
  if (n < 0)
    scm_skp__error (n, who);
  return SCM_I_MAKINUM (n);
}

int64_t
scm_skp__big_integer (SCM value, int64_t low, int64_t high, int pos,
                      const char *who)
{
  /* The range is looked at first, because libguile's conversions crash on some
     integers.  */
  if (!scm_is_exact_integer (value)
      || !scm_is_signed_integer (value, low, high))
    scm_skp__refuse_integer (value, low, high, pos, who);
  return scm_to_int64 (value);
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
