/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What connect-to does for a single address, until it would have to wait.  */

#include "loop.h"
#include "port.h"
#include "primitive.h"
#include "value.h"

#include <sockport/connect.h>

/* A port that is connected to ADDRESS, of IPv4 or IPv6; a list of one that is
   still being connected, or the errno for which there is none.  */
static SCM
connect_begin (SCM address, SCM no_delay, SCM nonblocking)
{
  struct skp_address made;
  int fd, flags = (scm_is_true (no_delay) ? SKP_CONNECT_NO_DELAY : 0)
                  | (scm_is_true (nonblocking) ? SKP_CONNECT_NONBLOCKING : 0);
  scm_skp__address_to (&made, address, 1, "connect-to");
  int result = skp_connect_begin (&fd, &made, flags);
  if (result < 0)
    return scm_from_int (-result);
  SCM port = scm_skp__port (fd);
  /* A task whose turn is over waits, though it need not.  */
  if (result > 0 && scm_skp__turn_over () && !scm_skp__below_c ())
    result = 0;
  return result > 0 ? port : scm_list_1 (port);
}

void
scm_skp__init_connect (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%connect-begin", 3, 0, 0, connect_begin },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
