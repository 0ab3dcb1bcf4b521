/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Ports of sockets, their descriptors, and O_NONBLOCK as the user has set it.
 */

#ifndef SCM_SKP_PORT_H
#define SCM_SKP_PORT_H

#include <libguile.h>

#include "error.h"

/* The descriptor of PORT, an open file port.  */
static inline int
scm_skp__fd (SCM port, int pos, const char *who)
{
  if (!SCM_OPFPORTP (port))
    scm_skp__refuse_fd (port, pos, who);
  return SCM_FPORT_FDES (port);
}

/* A socket port that owns FD, unbuffered, for reading and writing.  FD is
   closed if making the port throws.  */
SCM scm_skp__port (int fd);

/* PORT is closed: what would be called when the collector has found it dropped
   is not any more, because an object for which something is called lives until
   the next collection, with all that it refers to.  */
void scm_skp__finalizer_forget (SCM port);

/* Around a call of the core that sets O_NONBLOCK for a moment.  Nothing may
   throw between the two.  */
void scm_skp__mode_lock (void);
void scm_skp__mode_unlock (void);

/* Has the user set O_NONBLOCK on FD?  1, 0 or a negative errno.  */
int scm_skp__nonblocking (int fd);

#endif /* SCM_SKP_PORT_H */
