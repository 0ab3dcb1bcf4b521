/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How a plain thread waits: in poll, outside Guile mode, with a pipe of its own
   that asyncs and closing ports write to.  Tasks and fibers do not come here.
 */

#include "wait.h"
#include "layer.h"
#include "loop.h"
#include "port.h"
#include "primitive.h"
#include "value.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <sockport/guile.h>

_Static_assert(POLLIN == 1 && POLLOUT == 4, "(sockport io wait)");
#include <sockport/socket.h>

#define NS INT64_C (1000000000)

/* Without a descriptor left for the pipe, a waiting thread looks up this often
   instead of being woken.  */
#define BLIND_NS (50 * NS / 1000)

/* The pipe of this thread, and the process that made it: after a fork, the
   child would share it with its parent.  */
static __thread struct wake_pipe
{
  pid_t pid;
  int ends[2];
} wake_pipe;

static pthread_once_t wake_pipe_once = PTHREAD_ONCE_INIT;
static pthread_key_t wake_pipe_key;

/* The threads that wait, so that a close can wake them.  */
struct waiter
{
  SCM port;
  int wake_fd;
  int closed;
  struct waiter *next;
};

static pthread_mutex_t waiters_lock = PTHREAD_MUTEX_INITIALIZER;
static struct waiter *waiters;
static atomic_int waiters_count;

int64_t
scm_skp__monotonic_ns (void)
{
  struct timespec now;
  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * NS + now.tv_nsec;
}

static void
wake_pipe_close (void *pipe)
{
  struct wake_pipe *p = pipe;
  if (p->pid == getpid ())
    {
      close (p->ends[0]);
      close (p->ends[1]);
    }
}

static void
wake_pipe_key_make (void)
{
  pthread_key_create (&wake_pipe_key, wake_pipe_close);
}

/* The pipe of this thread, or NULL if there can be none.  */
static struct wake_pipe *
wake_pipe_get (void)
{
  pid_t pid = getpid ();
  if (wake_pipe.pid == pid)
    return &wake_pipe;
  wake_pipe.pid = 0;
  if (TEMP_FAILURE_RETRY (pipe2 (wake_pipe.ends, O_CLOEXEC | O_NONBLOCK)) < 0)
    return NULL;
  wake_pipe.pid = pid;
  pthread_once (&wake_pipe_once, wake_pipe_key_make);
  pthread_setspecific (wake_pipe_key, &wake_pipe);
  return &wake_pipe;
}

static void
waiters_add (struct waiter *waiter)
{
  pthread_mutex_lock (&waiters_lock);
  waiter->next = waiters;
  waiters = waiter;
  atomic_fetch_add (&waiters_count, 1);
  /* A close that came before could not see this waiter.  */
  if (SCM_NIMP (waiter->port)
      && (!SCM_OPPORTP (waiter->port) || scm_skp__closing (waiter->port)))
    waiter->closed = 1;
  pthread_mutex_unlock (&waiters_lock);
}

static void
waiters_remove (struct waiter *waiter)
{
  pthread_mutex_lock (&waiters_lock);
  struct waiter **at = &waiters;
  while (*at != waiter)
    at = &(*at)->next;
  *at = waiter->next;
  atomic_fetch_sub (&waiters_count, 1);
  pthread_mutex_unlock (&waiters_lock);
}

static void
take (void)
{
  pthread_mutex_lock (&waiters_lock);
}

static void
leave (void)
{
  pthread_mutex_unlock (&waiters_lock);
}

/* The threads of the parent that wait do not exist in the child.  */
static void
leave_in_child (void)
{
  waiters = NULL;
  atomic_store (&waiters_count, 0);
  leave ();
  /* Now: later their numbers may be others'.  */
  if (wake_pipe.pid)
    {
      close (wake_pipe.ends[0]);
      close (wake_pipe.ends[1]);
      wake_pipe.pid = 0;
    }
}

__attribute__ ((constructor)) static void
waiters_init (void)
{
  pthread_atfork (take, leave, leave_in_child);
}

void
scm_skp__wake_waiters (SCM port)
{
  if (atomic_load (&waiters_count) == 0)
    return;
  pthread_mutex_lock (&waiters_lock);
  for (struct waiter *w = waiters; w; w = w->next)
    if (scm_is_eq (w->port, port))
      {
        w->closed = 1;
        if (w->wake_fd >= 0 && write (w->wake_fd, "", 1) < 0)
          {
            /* Full: it is being woken already.  */
          }
      }
  pthread_mutex_unlock (&waiters_lock);
}

struct poll_call
{
  struct pollfd fds[2];
  int64_t timeout_ns; /* -1: none */
  int result;
};

static void *
do_poll (void *data)
{
  struct poll_call *call = data;
  struct timespec timeout
      = { call->timeout_ns / NS, (long)(call->timeout_ns % NS) };
  int n = ppoll (call->fds, 2, call->timeout_ns < 0 ? NULL : &timeout, NULL);
  call->result = n < 0 ? -errno : n;
  return NULL;
}

static void
drain (int fd)
{
  char bytes[64];
  while (read (fd, bytes, sizeof bytes) == sizeof bytes)
    continue;
}

/* One poll outside Guile mode, this thread being known to those who wake.  */
static void
poll_outside (SCM port, struct poll_call *call, struct wake_pipe *pipe)
{
  struct waiter waiter = { .port = port, .wake_fd = pipe ? pipe->ends[1] : -1 };
  waiters_add (&waiter);
  if (!waiter.closed)
    scm_without_guile (do_poll, call);
  waiters_remove (&waiter);
  if (pipe)
    {
      scm_c_wait_finished ();
      if (call->fds[1].revents)
        drain (pipe->ends[0]);
    }
  if (waiter.closed)
    call->result = -EBADF;
}

/* The time until DEADLINE_NS, at most MOST_NS; -1 for ever.  */
static int64_t
remaining (int64_t deadline_ns, int64_t most_ns)
{
  if (deadline_ns < 0)
    return most_ns;
  int64_t left = deadline_ns - scm_skp__monotonic_ns ();
  left = left > 0 ? left : 0;
  return most_ns >= 0 && most_ns < left ? most_ns : left;
}

/* The descriptor of PORT, which may be one.  */
static int
descriptor (SCM port, const char *who)
{
  if (SCM_I_INUMP (port))
    return (int)SCM_I_INUM (port);
  if (!SCM_PORTP (port) || !SCM_FPORTP (port))
    scm_wrong_type_arg_msg (who, 1, port, "port that can be waited for");
  if (!SCM_OPFPORTP (port) || scm_skp__closing (port))
    scm_skp__error_closed (who);
  return SCM_FPORT_FDES (port);
}

/* What is to be waited for in place of PORT, and for which *EVENTS.  */
static SCM
waited (SCM port, int *events)
{
  size_t direction = *events == POLLOUT;
  SCM bottom = scm_skp__bottom (port, &direction);
  if (*events && !scm_is_eq (bottom, port))
    *events = direction ? POLLOUT : POLLIN;
  return bottom;
}

int
scm_skp__wait (SCM port, int events, int64_t deadline_ns, const char *who)
{
  port = waited (port, &events);
  for (;;)
    {
      int fd = descriptor (port, who);
      struct wake_pipe *pipe = wake_pipe_get ();
      struct poll_call call
          = { .fds = { { .fd = fd, .events = (short)events },
                       { .fd = pipe ? pipe->ends[0] : -1, .events = POLLIN } },
              .timeout_ns = remaining (deadline_ns, pipe ? -1 : BLIND_NS),
              .result = -EINTR };
      /* No event is waited for: an error or hang-up must not end the pause. */
      if (events == 0)
        call.fds[0].fd = -1;
      if (!pipe || !scm_c_prepare_to_wait_on_fd (pipe->ends[1]))
        poll_outside (port, &call, pipe);
      if (call.result == -EBADF || call.fds[0].revents & POLLNVAL)
        scm_skp__error_closed (who);
      if (call.fds[0].revents)
        return call.fds[0].revents == POLLERR ? SCM_SKP__ERRORS : 1;
      if (call.result < 0 && call.result != -EINTR)
        scm_skp__error (call.result, who);
      scm_async_tick ();
      /* What was interrupted has not looked.  */
      if (call.result == 0 && deadline_ns >= 0
          && scm_skp__monotonic_ns () >= deadline_ns)
        return 0;
    }
}

int64_t
scm_skp__block_deadline (SCM port, int events, const char *who)
{
  /* It was open when the call that has to wait began.  */
  int fd = descriptor (waited (port, &events), who);
  int nonblocking = scm_skp__nonblocking (fd);
  if (nonblocking != 0)
    scm_skp__error (nonblocking < 0 ? nonblocking : -EAGAIN, who);
  int64_t patience_us = skp_socket_patience_us (fd, events == POLLOUT);
  return patience_us ? scm_skp__monotonic_ns () + patience_us * 1000 : -1;
}

static int
block_until (SCM port, int events, int64_t deadline_ns, const char *who)
{
  int ready = scm_skp__wait (port, events, deadline_ns, who);
  if (!ready)
    scm_skp__error (-EAGAIN, who);
  return ready;
}

int
scm_skp__block (SCM port, int events, const char *who)
{
  return block_until (port, events, scm_skp__block_deadline (port, events, who),
                      who);
}

static const char *
who_to (SCM who, char *text, size_t size)
{
  size_t length
      = scm_to_locale_stringbuf (scm_symbol_to_string (who), text, size - 1);
  text[length < size ? length : size - 1] = '\0';
  return text;
}

static int64_t
deadline_to (SCM deadline_ns)
{
  return scm_is_false (deadline_ns) ? -1 : scm_to_int64 (deadline_ns);
}

/* Until DEADLINE, which is #f for none, and if absent the socket's own.  */
static SCM
block (SCM port, SCM events, SCM who, SCM deadline)
{
  char text[32];
  int bits = (int)scm_skp__integer (events, 0, INT16_MAX, 2, "wait");
  if (scm_skp__turn_was_over ())
    return SCM_BOOL_T;
  const char *name = who_to (who, text, sizeof text);
  int ready = SCM_UNBNDP (deadline)
                  ? scm_skp__block (port, bits, name)
                  : block_until (port, bits, deadline_to (deadline), name);
  return scm_from_bool (ready != SCM_SKP__ERRORS);
}

static SCM
block_deadline (SCM port, SCM events, SCM who)
{
  char text[32];
  int bits = (int)scm_skp__integer (events, 0, INT16_MAX, 2, "wait");
  int64_t deadline_ns
      = scm_skp__block_deadline (port, bits, who_to (who, text, sizeof text));
  return deadline_ns < 0 ? SCM_BOOL_F : scm_from_int64 (deadline_ns);
}

static SCM
wait_until (SCM port, SCM events, SCM deadline_ns, SCM who)
{
  char text[32];
  int64_t deadline = deadline_to (deadline_ns);
  int bits = (int)scm_skp__integer (events, 0, INT16_MAX, 2, "wait");
  int ready
      = scm_skp__wait (port, bits, deadline, who_to (who, text, sizeof text));
  return ready == SCM_SKP__ERRORS ? scm_from_utf8_symbol ("errors")
                                  : scm_from_bool (ready);
}

/* A port that becomes readable after NS nanoseconds.  */
static SCM
timer_port (SCM ns)
{
  int64_t after = scm_skp__integer (ns, 1, INT64_MAX, 1, "timer");
  struct itimerspec when = { .it_value = { after / NS, (long)(after % NS) } };
  int fd = TEMP_FAILURE_RETRY (timerfd_create (CLOCK_MONOTONIC, TFD_CLOEXEC));
  if (fd < 0)
    scm_syserror ("timer");
  (void)TEMP_FAILURE_RETRY (timerfd_settime (fd, 0, &when, NULL));
  return scm_skp__port (fd);
}

static SCM
monotonic (void)
{
  return scm_from_int64 (scm_skp__monotonic_ns ());
}

void
scm_skp__init_wait (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%block", 3, 1, 0, block },
    { "%block-deadline", 3, 0, 0, block_deadline },
    { "%wait", 4, 0, 0, wait_until },
    { "%timer-port", 1, 0, 0, timer_port },
    { "monotonic-ns", 0, 0, 0, monotonic },
  };
  scm_skp__init_closing ();
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
