/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Waiting for a port, and what ends it; see wait.c and closing.c. */

#ifndef SCM_SKP_WAIT_H
#define SCM_SKP_WAIT_H

#include <libguile.h>
#include <stdatomic.h>
#include <stdint.h>

/* The flags with which receiving never waits, in blocking mode either: the
   error queue (recv(2)) and urgent data (tcp_recv_urg in Linux).  */
#define SCM_SKP__RECEIVE_INSTANT (MSG_DONTWAIT | MSG_ERRQUEUE | MSG_OOB)

/* Wait until PORT is readable (POLLIN) or writable (POLLOUT), as a blocking
   call of WHO would: outside Guile mode, woken by asyncs and by a close, at
   most for the socket's SO_RCVTIMEO or SO_SNDTIMEO.  Throws EAGAIN if PORT is
   in non-blocking mode or that time has passed, EBADF if it was closed.
   Returns as scm_skp__wait.  */
int scm_skp__block (SCM port, int events, const char *who);

/* When such a wait has to end; -1: never.  */
int64_t scm_skp__block_deadline (SCM port, int events, const char *who);

/* The same without regard to mode and options: 1 when ready, 0 when the
   monotonic clock has reached DEADLINE_NS (-1: never).  SCM_SKP__ERRORS says
   that there is an error and nothing else: if the call does not meet it then,
   it is in the queue of errors, which ends every wait as long as it is not
   empty.  */
#define SCM_SKP__ERRORS 2
int scm_skp__wait (SCM port, int events, int64_t deadline_ns, const char *who);

/* The monotonic clock.  */
int64_t scm_skp__monotonic_ns (void);

/* Is PORT being closed, by another than what runs here?  */
extern atomic_int scm_skp__closing_count;
int scm_skp__in_closing (SCM port);

static inline int
scm_skp__closing (SCM port)
{
  return atomic_load (&scm_skp__closing_count) && scm_skp__in_closing (port);
}

/* Wake the threads that wait for PORT, which is being closed.  */
void scm_skp__wake_waiters (SCM port);
void scm_skp__init_closing (void);

#endif /* SCM_SKP_WAIT_H */
