/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the primitives of recv! and send return, and those of their calls that
   need little more than the system call, which they make in line.  */

#ifndef SCM_SKP_PLAIN_H
#define SCM_SKP_PLAIN_H

#include "../src/direct.h"
#include "complete.h"
#include "loop.h"
#include "port.h"

/* What a primitive returns for N, the result.  */
static inline SCM
scm_skp__tried (const struct scm_skp__call *call, ssize_t n)
{
  if (n < 0)
    return scm_skp__later (call, n);
  scm_skp__turn_moved ((size_t)n);
  return SCM_I_MAKINUM (scm_skp__unfinished (call, (size_t)n) ? -n : n);
}

/* Most calls have no flags and a whole bytevector.  */
static inline int
scm_skp__receives_plainly (SCM sock, SCM buffer, SCM flags)
{
  return SCM_UNBNDP (flags) && SCM_OPFPORTP (sock)
         && SCM_MUTABLE_BYTEVECTOR_P (buffer) && !scm_skp__low_water;
}

/* Where no loop runs, with its turns and hints.  */
static inline SCM
scm_skp__receive_plainly (const char *who, SCM sock, SCM buffer,
                          struct skp_address *from)
{
  ssize_t n = skp__direct_receive (SCM_FPORT_FDES (sock),
                                   SCM_BYTEVECTOR_CONTENTS (buffer),
                                   SCM_BYTEVECTOR_LENGTH (buffer), from);
  scm_remember_upto_here_2 (sock, buffer);
  if (n >= 0)
    return SCM_I_MAKINUM (n);
  struct scm_skp__call call = { .who = who, .sock = sock };
  return scm_skp__later (&call, n);
}

/* Where one does.  */
static inline SCM
scm_skp__receive_in_loop (const char *who, SCM sock, SCM buffer)
{
  int fd = SCM_FPORT_FDES (sock);
  if (scm_skp__drained (fd) || scm_skp__turn_over ())
    return SCM_BOOL_F;
  SCM n = scm_skp__receive_plainly (who, sock, buffer, NULL);
  if (scm_is_false (n) || SCM_I_INUM (n) <= 0)
    return n;
  scm_skp__turn_moved ((size_t)SCM_I_INUM (n));
  if ((size_t)SCM_I_INUM (n) < SCM_BYTEVECTOR_LENGTH (buffer))
    scm_skp__note_drained (fd);
  return n;
}

/* SIZE bytes of MESSAGE, or of a part of it, at BYTES.  */
__attribute__ ((always_inline)) static inline SCM
scm_skp__send_plainly (const char *who, SCM sock, SCM message,
                       const void *bytes, size_t size,
                       const struct skp_address *to)
{
  ssize_t n = skp__direct_send (SCM_FPORT_FDES (sock), bytes, size, to);
  scm_remember_upto_here_2 (sock, message);
  if (n >= 0 && (size_t)n == size)
    {
      scm_skp__turn_moved (size);
      return SCM_I_MAKINUM (n);
    }
  struct scm_skp__call call
      = { .who = who, .sock = sock, .target = size, .to = to };
  return scm_skp__tried (&call, n);
}

#endif /* SCM_SKP_PLAIN_H */
