/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Which port each descriptor that a loop watches belongs to, and forgetting it
   when the port is closed.  */

#include "poller.h"
#include "../primitive.h"
#include "../value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sockport/socket.h>

static void
grow_slots (SCM loop, size_t needed)
{
  SCM old = scm_skp__field (loop, LOOP_SLOTS);
  size_t size = SCM_SIMPLE_VECTOR_LENGTH (old);
  if (needed <= size)
    return;
  SCM larger
      = scm_c_make_vector (needed > 2 * size ? needed : 2 * size, SCM_BOOL_F);
  for (size_t i = 0; i < size; i++)
    SCM_SIMPLE_VECTOR_SET (larger, i, SCM_SIMPLE_VECTOR_REF (old, i));
  scm_skp__set_field (loop, LOOP_SLOTS, larger);
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
  scm_skp__shared_take ();
  for (size_t i = 0; i < size; i++)
    larger->owner[i]
        = p->owners && i < p->owners->size ? p->owners->owner[i] : 0;
  if (old)
    memcpy (hints, old, p->hints.count);
  p->hints = scm_skp__hints = (struct scm_skp__hints){ hints, size };
  p->owners = larger;
  scm_skp__shared_leave ();
  free (old);
}

/* The owner of a descriptor of which nothing is known: it is watched anew for
   each wait, which makes the kernel report at once whether it is ready.  */
#define OWNER_UNKNOWN 1

enum
{
  OTHERS_NONE,
  OTHERS_WAIT,
  OTHERS_CLOSED /* one of them by a port that is closed */
};

static int
other (SCM entry, SCM port)
{
  if (!scm_skp__is_task (entry))
    return OTHERS_WAIT;
  SCM its = scm_skp__field (entry, TASK_PORT);
  if (scm_is_eq (its, port))
    return OTHERS_NONE;
  return SCM_OPFPORTP (its) ? OTHERS_WAIT : OTHERS_CLOSED;
}

/* Does something wait for the descriptor of SLOT by another port than PORT?  */
static int
others_wait (SCM slots, size_t slot, SCM port)
{
  SCM entry = SCM_SIMPLE_VECTOR_REF (slots, slot);
  int most = OTHERS_NONE;
  for (; scm_is_pair (entry); entry = SCM_CDR (entry))
    {
      int this = other (SCM_CAR (entry), port);
      most = this > most ? this : most;
    }
  if (SCM_IMP (entry))
    return most;
  int last = other (entry, port);
  return last > most ? last : most;
}

/* PORT is not the one that FD was watched for.  Either that one was closed and
   the descriptor is used again, and then what waits has to go on; or the ports
   share it, and then it has no owner.  */
static void
own (struct loop_poller *p, SCM loop, int fd, scm_t_bits owner, SCM port)
{
  SCM slots = scm_skp__field (loop, LOOP_SLOTS);
  int found = OTHERS_NONE;
  for (size_t i = 0; i < 2; i++)
    {
      size_t slot = 2 * (size_t)fd + i;
      int here = others_wait (slots, slot, port);
      if (here == OTHERS_CLOSED
          || (here && p->owners->owner[fd] != OWNER_UNKNOWN))
        scm_skp__wake_slot (loop, slot, SCM_BOOL_F);
      found |= here;
    }
  if (found)
    owner = 0;
  scm_skp__shared_take ();
  p->owners->owner[fd] = owner ? owner : OWNER_UNKNOWN;
  p->hints.hint[fd] = owner && skp_socket_tcp (fd) ? SCM_SKP__HINT_UNREAD
                                                   : SCM_SKP__HINT_NONE;
  scm_skp__shared_leave ();
}

int
scm_skp__arm (SCM loop, int fd, scm_t_bits owner, SCM port)
{
  struct loop_poller *p
      = scm_skp__poller_of (scm_skp__field (loop, LOOP_POLLER), "wait");
  if (!p->owners || (size_t)fd >= p->owners->size)
    grow (p, (size_t)fd + 1);
  grow_slots (loop, 2 * (size_t)fd + 2);
  int err = skp_poller_watch (p->core, fd);
  if (err == -EPERM)
    return NOT_LEFT_READY;
  if (err == -EBADF)
    return NOT_LEFT_CLOSED;
  if (err < 0)
    scm_skp__error (err, "wait");
  own (p, loop, fd, owner, port);
  return 0;
}

/* Have the next wait for PORT here ask the kernel whether it is ready now:
   watching it again does.  */
static SCM
renew (SCM port)
{
  if (!scm_skp__running || !SCM_OPFPORTP (port))
    return SCM_UNSPECIFIED;
  struct loop_poller *p = scm_skp__poller_in (scm_skp__running);
  size_t fd = (size_t)SCM_FPORT_FDES (port);
  scm_skp__shared_take ();
  if (p->owners && fd < p->owners->size)
    p->owners->owner[fd] = OWNER_UNKNOWN;
  scm_skp__shared_leave ();
  return SCM_UNSPECIFIED;
}

static void
forget (struct loop_poller *p, int fd)
{
  if (p->forgotten_count == p->forgotten_size)
    {
      size_t size = p->forgotten_size ? 2 * p->forgotten_size : 16;
      int *larger = realloc (p->forgotten, size * sizeof *larger);
      if (!larger)
        return;
      p->forgotten = larger;
      p->forgotten_size = size;
    }
  p->forgotten[p->forgotten_count++] = fd;
  p->owners->owner[fd] = 0;
  p->hints.hint[fd] = SCM_SKP__HINT_NONE;
  skp_poller_forget (p->core, fd);
  atomic_store (&p->news, 1);
  skp_poller_wake (p->core);
}

/* Have every loop forget FD, if it is OWNER's there or may be; 0 is anybody. */
static void
forget_everywhere (size_t fd, scm_t_bits owner)
{
  scm_skp__shared_take ();
  for (struct loop_poller *p = scm_skp__pollers; p; p = p->next)
    {
      scm_t_bits its = p->core && p->owners && fd < p->owners->size
                           ? p->owners->owner[fd]
                           : 0;
      if (its && (!owner || its == owner || its == OWNER_UNKNOWN))
        forget (p, (int)fd);
    }
  scm_skp__shared_leave ();
}

void
scm_skp__forget (SCM port)
{
  if (SCM_OPFPORTP (port))
    forget_everywhere ((size_t)SCM_FPORT_FDES (port),
                       (scm_t_bits)SCM_STREAM (port));
}

/* FD stands for another file now.  */
static SCM
forget_descriptor (SCM fd)
{
  forget_everywhere ((size_t)scm_skp__integer (fd, 0, INT32_MAX, 1, "dup2"), 0);
  return SCM_UNSPECIFIED;
}

/* What waits for a descriptor that was forgotten goes on.  */
void
scm_skp__take_forgotten (struct loop_poller *p, SCM loop)
{
  for (;;)
    {
      scm_skp__shared_take ();
      int fd = p->forgotten_count ? p->forgotten[--p->forgotten_count] : -1;
      scm_skp__shared_leave ();
      if (fd < 0)
        return;
      for (size_t i = 0; i < 2; i++)
        scm_skp__wake_slot (loop, 2 * (size_t)fd + i, SCM_BOOL_F);
    }
}

void
scm_skp__init_watch (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%forget-descriptor", 1, 0, 0, forget_descriptor },
    { "%renew", 1, 0, 0, renew },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
