/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* See complete.h.  */

#include "complete.h"
#include "port.h"
#include "wait.h"

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
scm_skp__receive_target (const struct scm_skp__call *call, size_t size)
{
  int mark, fd = SCM_FPORT_FDES (call->sock), flags = call->flags;
  socklen_t length = sizeof mark;
  /* What is looked at does not go away, so the end behind it is never met.  */
  if (flags & MSG_PEEK && (flags & MSG_WAITALL || scm_skp__low_water)
      && skp_socket_ended (fd))
    return 0;
  if (flags & MSG_WAITALL)
    return size;
  if (call->instant || !scm_skp__low_water
      || skp_option_get (fd, SOL_SOCKET, SO_RCVLOWAT, &mark, &length) < 0)
    return 0;
  return (size_t)mark < size ? (size_t)mark : size;
}

/* The first pause; the longest is 64 times that.  */
#define PAUSE_NS INT64_C (1000000)
#define PAUSE_DOUBLINGS 6

void
scm_skp__pause (SCM sock, int times, const char *who)
{
  int64_t pause_ns = PAUSE_NS
                     << (times < PAUSE_DOUBLINGS ? times : PAUSE_DOUBLINGS);
  scm_skp__wait (sock, 0, scm_skp__monotonic_ns () + pause_ns, who);
}

static int
must_wait (const struct scm_skp__call *call, ssize_t n)
{
  if (call->instant)
    return 0;
  return n == -EAGAIN
         || (scm_skp__connecting (n, call->flags)
             && scm_skp__nonblocking (scm_skp__fd (call->sock, 1, call->who))
                    == 0);
}

static int
time_left (int64_t deadline_ns)
{
  return deadline_ns < 0 || scm_skp__monotonic_ns () < deadline_ns;
}

/* Wait for EVENTS.  STALLS counts the waits in a row that led to nothing: a
   datagram socket is writable while the queue of the UNIX socket that it sends
   to is full, and nothing but the time keeps a queue of errors from ending
   every wait.  Returns 0 when the time is up.  */
static int
wait_for (const struct scm_skp__call *call, int events, int stalls,
          int64_t deadline_ns)
{
  if (stalls > 0 && events == POLLOUT)
    scm_skp__pause (call->sock, stalls, call->who);
  int ready = scm_skp__wait (call->sock, events, deadline_ns, call->who);
  if (stalls > 0 && events == POLLIN && ready == SCM_SKP__ERRORS)
    scm_skp__pause (call->sock, stalls, call->who);
  return ready && (stalls == 0 || time_left (deadline_ns));
}

/* Wait after MOVED bytes; 0 when those have to do, because the socket does not
   wait or has waited for long enough.  *DEADLINE_NS is 0 at first.  Where only
   time helps, TIMES is how often it was let pass, else -1.  */
static int
wait_on (const struct scm_skp__call *call, size_t moved, int stalls, int times,
         int64_t *deadline_ns)
{
  if (moved > 0
      && scm_skp__nonblocking (scm_skp__fd (call->sock, 1, call->who)))
    return 0;
  if (*deadline_ns == 0)
    *deadline_ns
        = scm_skp__block_deadline (call->sock, call->events, call->who);
  if (times >= 0)
    {
      scm_skp__pause (call->sock, times, call->who);
      return time_left (*deadline_ns);
    }
  if (wait_for (call, call->events, stalls, *deadline_ns))
    return 1;
  if (moved == 0)
    scm_skp__call_failed (call, -EAGAIN);
  return 0;
}

/* A poll for input waits for the low-water mark, of which a part has been taken
   by then.  */
static int
past_mark (const struct scm_skp__call *call, size_t moved)
{
  return moved > 0 && call->events == POLLIN && !(call->flags & MSG_WAITALL);
}

size_t
scm_skp__complete (struct scm_skp__call *call,
                   ssize_t (*now) (struct scm_skp__call *, size_t))
{
  int looking = call->flags & MSG_PEEK;
  size_t moved = 0;
  int64_t deadline_ns = 0;
  for (int stalls = 0, looks = 0;; stalls++)
    {
      ssize_t n = now (call, looking ? 0 : moved);
      if (must_wait (call, n))
        {
          if (!wait_on (call, moved, stalls,
                        past_mark (call, moved) ? stalls : -1, &deadline_ns))
            return moved;
          continue;
        }
      if (n < 0 && moved == 0)
        scm_skp__call_failed (call, n);
      if (n <= 0)
        return moved;
      moved = looking ? (size_t)n : moved + (size_t)n;
      if (!scm_skp__unfinished (call, moved))
        return moved;
      stalls = -1;
      /* No event says that there is more than has been looked at.  */
      if (looking && !wait_on (call, moved, 0, ++looks, &deadline_ns))
        return moved;
    }
}
