/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* When a transfer is complete, and waiting until it is: what transfer.c and
   message.c share.  */

#ifndef SCM_SKP_COMPLETE_H
#define SCM_SKP_COMPLETE_H

#include "error.h"
#include "primitive.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

/* A call of WHO that moves bytes, its arguments converted.  */
struct scm_skp__call
{
  const char *who;
  SCM sock;
  int flags;
  int instant;                  /* it never waits */
  int events;                   /* what it waits for, POLLIN or POLLOUT */
  size_t target;                /* how many bytes of a stream it waits for */
  const struct skp_address *to; /* where it sends to, or NULL */
};

/* How many of SIZE bytes CALL, which receives and is about to be made, waits
   for (recv(2), SO_RCVLOWAT of socket(7)); 0 if any will do.  */
size_t scm_skp__receive_target (const struct scm_skp__call *call, size_t size);

/* 1 when a low-water mark was set.  */
extern _Atomic int scm_skp__low_water;

/* Is SOCK's type SOCK_STREAM?  */
int scm_skp__is_stream (SCM sock);

/* Would CALL go on after MOVED bytes?  */
static inline int
scm_skp__unfinished (const struct scm_skp__call *call, size_t moved)
{
  return moved > 0 && moved < call->target && scm_skp__is_stream (call->sock);
}

/* Has a connection begun (sendto(2)), which sends nothing before it is made? */
static inline int
scm_skp__connecting (ssize_t n, int flags)
{
  return n == -EINPROGRESS || (n == -EALREADY && flags & MSG_FASTOPEN);
}

_Noreturn static inline void
scm_skp__call_failed (const struct scm_skp__call *call, ssize_t n)
{
  scm_skp__error_at (n, call->who, SCM_FPORT_FDES (call->sock), call->to);
}

/* What a primitive returns for N, the negative result of CALL, if it has to
   wait; else the error is thrown.  */
static inline SCM
scm_skp__later (const struct scm_skp__call *call, ssize_t n)
{
  if (!call->instant && n == -EAGAIN)
    return SCM_BOOL_F;
  if (!call->instant && scm_skp__connecting (n, call->flags))
    return SCM_SKP__CONNECTING;
  scm_skp__call_failed (call, n);
}

/* Go on with CALL by NOW, which moves what is left after MOVED bytes, or all
   again where it only looks (MSG_PEEK), until all is moved, the input ends, an
   error comes, or the socket does not wait any longer.  Returns how many bytes
   were moved; what came after the first of them is left for the next call to
   meet.  */
size_t scm_skp__complete (struct scm_skp__call *call,
                          ssize_t (*now) (struct scm_skp__call *call,
                                          size_t moved));

/* Let some time pass, more the more TIMES this was done in a row: the way to
   wait for what no event reports.  */
void scm_skp__pause (SCM sock, int times, const char *who);

#endif /* SCM_SKP_COMPLETE_H */
