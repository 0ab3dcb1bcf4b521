/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What every poller has whatever the kernel's interface: waking, and being the
   property of one process.  */

#include <sockport/poller.h>

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os.h"
#include "poller-backend.h"

struct skp_poller
{
  const struct skp__poller_backend *backend;
  int set;
  int bell; /* an eventfd in the set */
  atomic_int woken;
  atomic_int sleeping;
  atomic_int waking; /* by so many, who will write to the bell */
  /* A page that fork fills with zeros (MADV_WIPEONFORK, madvise(2)): 1 in the
     process that opened the poller, and cheaper to look at than getpid.  */
  const volatile int *ours;
};

static int
open_page (struct skp_poller *poller)
{
  size_t size = (size_t)sysconf (_SC_PAGESIZE);
  int *page = mmap (NULL, size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED)
    return -errno;
  int err = SKP__CALL (madvise (page, size, MADV_WIPEONFORK));
  if (err < 0)
    {
      munmap (page, size);
      return err;
    }
  *page = 1;
  poller->ours = page;
  return 0;
}

static int
open_set (struct skp_poller *poller)
{
  int err = open_page (poller);
  if (err < 0)
    return err;
  poller->set = poller->backend->open ();
  if (poller->set < 0)
    return poller->set;
  poller->bell = SKP__CALL (eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (poller->bell < 0)
    return poller->bell;
  return poller->backend->watch (poller->set, poller->bell);
}

int
skp_poller_open (struct skp_poller **poller)
{
  struct skp_poller *made = calloc (1, sizeof *made);
  if (!made)
    return -ENOMEM;
  made->backend = &skp__poller_epoll;
  made->set = made->bell = -1;
  int err = open_set (made);
  if (err < 0)
    skp_poller_close (made);
  else
    *poller = made;
  return err < 0 ? err : 0;
}

void
skp_poller_close (struct skp_poller *poller)
{
  if (!poller)
    return;
  /* Not for those who stayed in the parent.  */
  while (atomic_load (&poller->waking) && *poller->ours)
    sched_yield ();
  if (poller->bell >= 0)
    close (poller->bell);
  if (poller->set >= 0)
    close (poller->set);
  if (poller->ours)
    munmap ((void *)poller->ours, (size_t)sysconf (_SC_PAGESIZE));
  free (poller);
}

int
skp_poller_watch (struct skp_poller *poller, int fd)
{
  return *poller->ours ? poller->backend->watch (poller->set, fd) : -ECHILD;
}

int
skp_poller_forget (struct skp_poller *poller, int fd)
{
  return *poller->ours ? poller->backend->forget (poller->set, fd) : -ECHILD;
}

/* The bell is never read: each write is an edge of its own.  */
static int
without_bell (const struct skp_poller *poller, struct skp_poller_event *events,
              int count)
{
  int kept = 0;
  for (int i = 0; i < count; i++)
    if (events[i].fd != poller->bell)
      events[kept++] = events[i];
  return kept;
}

/* `sleeping' is set before `woken' is looked at, and skp_poller_wake_begin
   does it the other way round, so that one of the two sees the other.  A wake
   that has ended this wait does not end the next one as well.  */
int
skp_poller_wait (struct skp_poller *poller, struct skp_poller_event *events,
                 int count, int64_t timeout_ns)
{
  if (!*poller->ours)
    return -ECHILD;
  if (count < 1)
    return -EINVAL;
  int sleeps = timeout_ns != 0;
  if (sleeps)
    {
      atomic_store (&poller->sleeping, 1);
      timeout_ns = atomic_exchange (&poller->woken, 0) ? 0 : timeout_ns;
    }
  int n = poller->backend->wait (poller->set, events, count, timeout_ns);
  if (sleeps)
    {
      atomic_store_explicit (&poller->sleeping, 0, memory_order_relaxed);
      atomic_store (&poller->woken, 0);
    }
  return n > 0 ? without_bell (poller, events, n) : n;
}

int
skp_poller_wake_begin (struct skp_poller *poller)
{
  if (!*poller->ours)
    return -ECHILD;
  if (atomic_exchange (&poller->woken, 1) || !atomic_load (&poller->sleeping))
    return 0;
  atomic_fetch_add (&poller->waking, 1);
  return 1;
}

int
skp_poller_wake_end (struct skp_poller *poller)
{
  uint64_t one = 1;
  ssize_t n = skp__write (poller->bell, &one, sizeof one);
  /* Full: the bell has rung two to the power of 64 times, and rings.  */
  int err = n >= 0 || n == -EAGAIN ? 0 : (int)n;
  if (err < 0)
    atomic_store (&poller->woken, 0);
  atomic_fetch_sub (&poller->waking, 1);
  return err;
}

int
skp_poller_wake (struct skp_poller *poller)
{
  int due = skp_poller_wake_begin (poller);
  return due == 1 ? skp_poller_wake_end (poller) : due;
}
