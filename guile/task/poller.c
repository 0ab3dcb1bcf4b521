/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The poller of a loop: which port each watched descriptor belongs to, and
   waiting outside Guile mode so that asyncs end the wait.  What becomes of an
   event is the loop's business (module/sockport/loop.scm).  */

#include "poller.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <gc/gc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sockport/poller.h>
#include <sockport/socket.h>

__thread struct scm_skp__hints scm_skp__hints;
__thread const char *scm_skp__wanted;
__thread struct scm_skp__turn scm_skp__turn;

/* Other threads wake a poller and forget ports; under this lock, what they look
   into neither ends nor moves.  Nothing allocates or throws while it is held.
 */
static pthread_mutex_t shared = PTHREAD_MUTEX_INITIALIZER;

/* A thread that a fork did not copy may have held it.  */
static void
shared_reset (void)
{
  pthread_mutex_init (&shared, NULL);
}

__attribute__ ((constructor)) static void
shared_init (void)
{
  pthread_atfork (NULL, NULL, shared_reset);
}

static void
release (struct loop_poller *p)
{
  pthread_mutex_lock (&shared);
  struct skp_poller *core = p->core;
  unsigned char *hints = p->hints.hint;
  p->core = NULL;
  p->hints = (struct scm_skp__hints){ NULL, 0 };
  pthread_mutex_unlock (&shared);
  if (!core)
    return;
  skp_poller_close (core);
  close (p->pipe[0]);
  close (p->pipe[1]);
  if (scm_skp__hints.hint == hints)
    {
      scm_skp__hints = (struct scm_skp__hints){ NULL, 0 };
      scm_skp__turn = (struct scm_skp__turn){ 0, 0 };
    }
  free (hints);
}

static void
finalize (void *p)
{
  release (p);
}

struct loop_poller *
scm_skp__poller (SCM poller)
{
  if (!SCM_POINTER_P (poller))
    scm_wrong_type_arg_msg ("run-tasks", 1, poller, "poller");
  return (struct loop_poller *)SCM_POINTER_VALUE (poller);
}

static inline struct loop_poller *
poller_of (SCM poller, const char *who)
{
  struct loop_poller *p = scm_skp__poller (poller);
  if (!p->core)
    scm_misc_error (who, "this loop has ended", SCM_EOL);
  return p;
}

static int
open_parts (struct loop_poller *p)
{
  if (TEMP_FAILURE_RETRY (pipe2 (p->pipe, O_CLOEXEC | O_NONBLOCK)) < 0)
    return -errno;
  int err = skp_poller_open (&p->core);
  if (err == 0)
    err = skp_poller_watch (p->core, p->pipe[0]);
  if (err < 0)
    {
      skp_poller_close (p->core);
      close (p->pipe[0]);
      close (p->pipe[1]);
      p->core = NULL;
    }
  return err;
}

static SCM
poller_open (void)
{
  struct loop_poller *p = scm_gc_malloc (sizeof *p, "poller");
  *p = (struct loop_poller){ .core = NULL };
  SCM poller = scm_from_pointer (p, finalize);
  int err = open_parts (p);
  if (err < 0)
    scm_skp__error (err, "run-tasks");
  return poller;
}

static SCM
poller_close (SCM poller)
{
  release (scm_skp__poller (poller));
  return SCM_UNSPECIFIED;
}

static void
grow (struct loop_poller *p, size_t needed)
{
  size_t size = p->owners ? p->owners->size : 64;
  while (size < needed)
    size *= 2;
  struct owners *larger
      = scm_gc_malloc (sizeof *larger + size * sizeof (scm_t_bits), "poller");
  *larger = (struct owners){ .size = size };
  unsigned char *hints = scm_malloc (size), *old = p->hints.hint;
  memset (hints, SCM_SKP__HINT_NONE, size);
  pthread_mutex_lock (&shared);
  for (size_t i = 0; i < size; i++)
    larger->owner[i]
        = p->owners && i < p->owners->size ? p->owners->owner[i] : 0;
  if (old)
    memcpy (hints, old, p->hints.count);
  p->hints = scm_skp__hints = (struct scm_skp__hints){ hints, size };
  p->owners = larger;
  pthread_mutex_unlock (&shared);
  free (old);
}

/* FD if it is watched for OWNER, -1 - FD if it is from now on, #f if there is
   nothing to wait for: it is always ready, or closed.  */
static SCM
arm (struct loop_poller *p, int fd, scm_t_bits owner)
{
  struct owners *owners = p->owners;
  if (scm_skp__watched (p, fd, owner))
    return SCM_I_MAKINUM (fd);
  if (!owners || (size_t)fd >= owners->size)
    grow (p, (size_t)fd + 1);
  int err = skp_poller_watch (p->core, fd);
  if (err == -EPERM)
    return SCM_BOOL_F;
  if (err < 0)
    scm_skp__error (err, "wait");
  p->owners->owner[fd] = owner;
  p->hints.hint[fd]
      = skp_socket_tcp (fd) ? SCM_SKP__HINT_UNREAD : SCM_SKP__HINT_NONE;
  return SCM_I_MAKINUM (-1 - fd);
}

/* The same for PORT; #t if it is not a file port.  */
static SCM
poller_arm (SCM poller, SCM port)
{
  struct loop_poller *p = poller_of (poller, "wait");
  if (!SCM_OPFPORTP (port))
    return scm_from_bool (SCM_OPPORTP (port));
  return arm (p, SCM_FPORT_FDES (port), (scm_t_bits)SCM_STREAM (port));
}

/* The same for a port that is not a file port and waits for descriptor FD.  */
static SCM
poller_arm_fd (SCM poller, SCM fd, SCM port)
{
  struct loop_poller *p = poller_of (poller, "wait");
  return arm (p, (int)scm_skp__integer (fd, 0, INT32_MAX, 2, "wait"),
              SCM_UNPACK (port));
}

/* Watch PORT's descriptor no more.  The descriptor, or #f if it was not
   watched.  Any thread may ask.  */
static SCM
poller_forget (SCM poller, SCM port)
{
  struct loop_poller *p = scm_skp__poller (poller);
  if (!SCM_OPFPORTP (port))
    return SCM_BOOL_F;
  size_t fd = (size_t)SCM_FPORT_FDES (port);
  pthread_mutex_lock (&shared);
  struct owners *owners = p->owners;
  int watched
      = p->core && scm_skp__watched (p, (int)fd, (scm_t_bits)SCM_STREAM (port));
  if (watched)
    {
      owners->owner[fd] = 0;
      p->hints.hint[fd] = SCM_SKP__HINT_NONE;
      skp_poller_forget (p->core, (int)fd);
    }
  pthread_mutex_unlock (&shared);
  return watched ? SCM_I_MAKINUM ((scm_t_signed_bits)fd) : SCM_BOOL_F;
}

struct wait_call
{
  struct skp_poller *core;
  struct skp_poller_event *events;
  int count;
  int64_t timeout_ns;
  int result;
};

static void *
do_wait (void *data)
{
  struct wait_call *call = data;
  call->result = skp_poller_wait (call->core, call->events, call->count,
                                  call->timeout_ns);
  return NULL;
}

/* Once something else than data has come, nothing is known any more.  */
static void
note_event (struct loop_poller *p, const struct skp_poller_event *event)
{
  size_t fd = (size_t)event->fd;
  if (fd >= p->hints.count || p->hints.hint[fd] == SCM_SKP__HINT_NONE)
    return;
  if (event->ready & SKP_POLLER_MORE)
    p->hints.hint[fd] = SCM_SKP__HINT_NONE;
  else if (event->ready & SKP_POLLER_READ)
    p->hints.hint[fd] = SCM_SKP__HINT_UNREAD;
}

static void
drain_pipe (struct loop_poller *p)
{
  char bytes[64];
  while (read (p->pipe[0], bytes, sizeof bytes) > 0)
    continue;
}

/* What waits in LOOP for EVENT goes on; 0 if that is left for Scheme.  */
static int
dispatch (SCM loop, struct skp_poller_event *event)
{
  static const unsigned bits[] = { SKP_POLLER_READ, SKP_POLLER_WRITE };
  for (size_t i = 0; i < 2; i++)
    if (event->ready & bits[i]
        && scm_skp__edge (loop, 2 * (size_t)event->fd + i))
      event->ready &= ~bits[i];
  return !(event->ready & (SKP_POLLER_READ | SKP_POLLER_WRITE));
}

/* The number of events that are left for Scheme: not that of the pipe.  */
static int
take_events (struct loop_poller *p, SCM loop, struct wait_call *call)
{
  int kept = 0;
  for (int i = 0; i < call->result; i++)
    if (call->events[i].fd == p->pipe[0])
      drain_pipe (p);
    else
      {
        note_event (p, &call->events[i]);
        if (!dispatch (loop, &call->events[i]))
          call->events[kept++] = call->events[i];
      }
  return kept;
}

/* Forget what is known of the socket PORT; #f if that was nothing.  Before a
   wait is given up, and where another than the loop waits.  */
static SCM
poller_doubt (SCM port)
{
  if (!SCM_OPFPORTP (port) || !scm_skp__drained (SCM_FPORT_FDES (port)))
    return SCM_BOOL_F;
  scm_skp__hints.hint[SCM_FPORT_FDES (port)] = SCM_SKP__HINT_UNREAD;
  return SCM_BOOL_T;
}

/* The number of events stored in LOOP's bytevector (struct skp_poller_event),
   after at most TIMEOUT_NS, that Scheme has to deal with: those that concern
   tasks alone are dealt with.  Guile mode is left only to wait longer than
   nothing.  */
static SCM
poller_wait (SCM loop, SCM timeout_ns)
{
  struct loop_poller *p
      = poller_of (scm_skp__field (loop, LOOP_POLLER), "run-tasks");
  SCM events = scm_skp__field (loop, LOOP_EVENTS);
  struct wait_call call
      = { .core = p->core,
          .events = (struct skp_poller_event *)SCM_BYTEVECTOR_CONTENTS (events),
          .count = (int)(SCM_BYTEVECTOR_LENGTH (events)
                         / sizeof (struct skp_poller_event)) };
  scm_skp__hints = p->hints;
  do_wait (&call);
  if (call.result == 0 && !scm_is_eq (timeout_ns, SCM_INUM0))
    {
      call.timeout_ns
          = scm_skp__integer (timeout_ns, -1, INT64_MAX, 2, "run-tasks");
      if (!scm_c_prepare_to_wait_on_fd (p->pipe[1]))
        {
          scm_without_guile (do_wait, &call);
          scm_c_wait_finished ();
        }
    }
  if (call.result < 0 && call.result != -EINTR)
    scm_skp__error (call.result, "run-tasks");
  int kept = call.result > 0 ? take_events (p, loop, &call) : 0;
  scm_remember_upto_here_2 (events, loop);
  return SCM_I_MAKINUM (kept);
}

/* Any thread may call this, at any time.  */
static SCM
poller_wake (SCM poller)
{
  struct loop_poller *p = scm_skp__poller (poller);
  pthread_mutex_lock (&shared);
  if (p->core)
    skp_poller_wake (p->core);
  pthread_mutex_unlock (&shared);
  return SCM_UNSPECIFIED;
}

/* Was POLLER opened by this process?  Not if it forked since.  */
static SCM
poller_ours (SCM poller)
{
  struct loop_poller *p = scm_skp__poller (poller);
  return scm_from_bool (p->core && skp_poller_forget (p->core, -1) != -ECHILD);
}

/* Let the heap have BYTES at least.  A collection marks everything that lives,
   Guile's own modules included, so its cost is spread over what is allocated
   until the next: with the few megabytes that a small program has, collecting
   costs more than taking the continuations that fill them.  */
static SCM
reserve_heap (SCM bytes)
{
  size_t wanted
      = (size_t)scm_skp__integer (bytes, 0, INT32_MAX, 1, "run-tasks");
  size_t size = GC_get_heap_size ();
  if (size < wanted)
    GC_expand_hp (wanted - size);
  return SCM_UNSPECIFIED;
}

void
scm_skp__init_poller (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%poller-open", 0, 0, 0, poller_open },
    { "%poller-close", 1, 0, 0, poller_close },
    { "%poller-arm", 2, 0, 0, poller_arm },
    { "%poller-arm-fd", 3, 0, 0, poller_arm_fd },
    { "%poller-forget", 2, 0, 0, poller_forget },
    { "%poller-wait", 2, 0, 0, poller_wait },
    { "%poller-wake", 1, 0, 0, poller_wake },
    { "%poller-doubt", 1, 0, 0, poller_doubt },
    { "%poller-ours?", 1, 0, 0, poller_ours },
    { "%reserve-heap", 1, 0, 0, reserve_heap },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
