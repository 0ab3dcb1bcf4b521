/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* When a transfer is complete, and waiting until it is: what transfer.c and
   message.c share.  */

#ifndef SCM_SKP_COMPLETE_H
#define SCM_SKP_COMPLETE_H

#include "convert.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

/* How many of SIZE bytes a receiving call on a stream that is about to be made
   waits for (recv(2), SO_RCVLOWAT of socket(7)); 0 if any will do.  */
size_t scm_skp__receive_target (SCM sock, int flags, size_t size);

/* 1 when a low-water mark was set.  */
extern _Atomic int scm_skp__low_water;

/* What a primitive returns that has begun a connection (MSG_FASTOPEN of
   sendto(2)), and sends nothing before that has been made.  */
#define SCM_SKP__CONNECTING SCM_I_MAKINUM (SCM_MOST_NEGATIVE_FIXNUM)

static inline int
scm_skp__connecting (ssize_t n, int flags)
{
  return n == -EINPROGRESS || (n == -EALREADY && flags & MSG_FASTOPEN);
}

/* What a primitive returns for N if it has to wait, else undefined.  */
static inline SCM
scm_skp__later (ssize_t n, int flags, int instant)
{
  if (instant)
    return SCM_UNDEFINED;
  return n == -EAGAIN                     ? SCM_BOOL_F
         : scm_skp__connecting (n, flags) ? SCM_SKP__CONNECTING
                                          : SCM_UNDEFINED;
}

/* What to wait for after MOVED bytes in scm_skp__complete_wait: a poll for
   input waits for the low-water mark, and part of that has been taken.  */
static inline int
scm_skp__waited (int events, int flags, size_t moved)
{
  return moved > 0 && events == POLLIN && !(flags & MSG_WAITALL) ? 0 : events;
}

/* Does a call that got N have to wait?  */
int scm_skp__must_wait (SCM sock, ssize_t n, int flags, int instant,
                        const char *who);

/* Is SOCK's type SOCK_STREAM?  */
int scm_skp__is_stream (SCM sock);

/* Wait after MOVED bytes, in a call of WHO that goes on until all is moved; 0
   when those have to do, because the socket does not wait or has waited for
   long enough.  *DEADLINE_NS is 0 at first.  STALLS counts the waits in a row
   that led to nothing: a datagram socket is writable while the queue of the
   UNIX socket it sends to is full, and nothing tells when there is room; and
   nothing but the time keeps a queue of errors from ending every wait.  EVENTS
   0 waits for nothing but time, more each time.  */
int scm_skp__complete_wait (SCM sock, const char *who, int events, size_t moved,
                            int stalls, int64_t *deadline_ns);

#endif /* SCM_SKP_COMPLETE_H */
