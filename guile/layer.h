/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Ports that lie over a socket and change what goes through it, as those of TLS
   do.  They are of another library, which hands over what it can do; whoever
   receives, sends or waits here does it by that.  No libguile-sockport is bound
   to that library.  */

#ifndef SCM_SKP_LAYER_H
#define SCM_SKP_LAYER_H

#include <libguile.h>
#include <sys/types.h>

/* Those that return a number return one >= 0, -EAGAIN or another error, for
   which FAIL throws.  */
struct scm_skp__layer
{
  const scm_t_port_type *type;
  SCM (*below) (SCM port); /* the socket */
  ssize_t (*recv) (SCM port, void *bytes, size_t size);
  ssize_t (*send) (SCM port, const void *bytes, size_t size);
  ssize_t (*queue) (SCM port, const void *bytes, size_t size);
  ssize_t (*flush) (SCM port);
  int (*queued) (SCM port); /* is there something in the queue?  */
  void (*flushing) (SCM port, int begins);
  ssize_t (*end) (SCM port);
  /* 0 to read, 1 to write: what the last attempt in DIRECTION waits for.  */
  int (*awaits) (SCM port, int direction);
  void (*fail) (SCM port, ssize_t n, const char *who);
};

/* NULL until that library is loaded.  */
extern const struct scm_skp__layer *scm_skp__layer;

static inline int
scm_skp__layered (SCM port)
{
  return scm_skp__layer && SCM_PORTP (port)
         && SCM_PORT_TYPE (port) == scm_skp__layer->type;
}

/* The socket below PORT, whose *DIRECTION becomes that which PORT waits in; any
   other PORT itself.  */
static inline SCM
scm_skp__bottom (SCM port, size_t *direction)
{
  if (!scm_skp__layered (port))
    return port;
  if (direction)
    *direction = (size_t)scm_skp__layer->awaits (port, (int)*direction);
  return scm_skp__layer->below (port);
}

/* The bottom of PORT, an open file port or a port over one, and how it receives
   and sends: as skp_transfer_recv, skp_transfer_send and skp_message_send for a
   file port.  */
struct iovec;

/* What recv! and send do on a layered PORT, with what their primitives answer.
 */
SCM scm_skp__layer_receive (const char *who, SCM port, SCM buffer, SCM flags,
                            SCM start, SCM end);
SCM scm_skp__layer_transmit (SCM port, SCM message, SCM flags, SCM start,
                             SCM end);

ssize_t scm_skp__port_recv (SCM port, void *bytes, size_t size);
ssize_t scm_skp__port_send (SCM port, const struct iovec *slices, int count);
int scm_skp__port_fd (SCM port, int pos, const char *who);
_Noreturn void scm_skp__port_fail (SCM port, ssize_t n, const char *who);

void scm_skp__init_layer (void);

#endif /* SCM_SKP_LAYER_H */
