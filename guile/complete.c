/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* See complete.h.  */

#include "complete.h"

#include <sockport/option.h>
#include <sockport/socket.h>

int
scm_skp__is_stream (SCM sock)
{
  return skp_socket_stream (SCM_FPORT_FDES (sock));
}

_Atomic int scm_skp__low_water;

/* The low-water mark is asked for only once one was set in this process.  */
size_t
scm_skp__receive_target (SCM sock, int flags, size_t size)
{
  int mark;
  socklen_t length = sizeof mark;
  /* What is looked at does not go away, so the end behind it is never met.  */
  if (flags & MSG_PEEK && (flags & MSG_WAITALL || scm_skp__low_water)
      && skp_socket_ended (SCM_FPORT_FDES (sock)))
    return 0;
  if (flags & MSG_WAITALL)
    return size;
  if (flags & SCM_SKP__RECEIVE_INSTANT || !scm_skp__low_water
      || skp_option_get (SCM_FPORT_FDES (sock), SOL_SOCKET, SO_RCVLOWAT, &mark,
                         &length)
             < 0)
    return 0;
  return (size_t)mark < size ? (size_t)mark : size;
}

int
scm_skp__must_wait (SCM sock, ssize_t n, int flags, int instant,
                    const char *who)
{
  if (instant)
    return 0;
  if (n == -EAGAIN)
    return 1;
  return scm_skp__connecting (n, flags)
         && scm_skp__nonblocking (scm_skp__fd (sock, 1, who)) == 0;
}

/* Let some time pass, more each time.  */
static void
pause_awhile (SCM sock, int stalls, const char *who)
{
  int64_t pause_ns = INT64_C (1000000) << (stalls < 6 ? stalls : 6);
  scm_skp__wait (sock, 0, scm_skp__monotonic_ns () + pause_ns, who);
}

int
scm_skp__complete_wait (SCM sock, const char *who, int events, size_t moved,
                        int stalls, int64_t *deadline_ns)
{
  if (moved > 0 && scm_skp__nonblocking (scm_skp__fd (sock, 1, who)))
    return 0;
  if (*deadline_ns == 0)
    *deadline_ns
        = scm_skp__block_deadline (sock, events ? events : POLLIN, who);
  if (events == 0)
    {
      pause_awhile (sock, stalls, who);
      return *deadline_ns < 0 || scm_skp__monotonic_ns () < *deadline_ns;
    }
  if (stalls > 0 && events == POLLOUT)
    pause_awhile (sock, stalls, who);
  int ready = scm_skp__wait (sock, events, *deadline_ns, who);
  if (stalls > 0 && events == POLLIN && ready == SCM_SKP__ERRORS)
    pause_awhile (sock, stalls, who);
  if (ready
      && (stalls == 0 || *deadline_ns < 0
          || scm_skp__monotonic_ns () < *deadline_ns))
    return 1;
  if (moved == 0)
    scm_skp__error (-EAGAIN, who);
  return 0;
}
