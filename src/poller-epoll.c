/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The poller's backend for Linux: epoll(7), edge-triggered.  */

#include "poller-backend.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>

#include "os.h"

#define NS_PER_MS INT64_C (1000000)

/* How many events one call fetches at most, from the stack.  */
#define BATCH 256

static int
set_open (void)
{
  return SKP__CALL (epoll_create1 (EPOLL_CLOEXEC));
}

static int
set_watch (int set, int fd)
{
  struct epoll_event event
      = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
          .data = { .fd = fd } };
  int result = SKP__CALL (epoll_ctl (set, EPOLL_CTL_ADD, fd, &event));
  if (result == -EEXIST)
    result = SKP__CALL (epoll_ctl (set, EPOLL_CTL_MOD, fd, &event));
  return result;
}

static int
set_forget (int set, int fd)
{
  return SKP__CALL (epoll_ctl (set, EPOLL_CTL_DEL, fd, NULL));
}

static int
to_milliseconds (int64_t timeout_ns)
{
  if (timeout_ns < 0)
    return -1;
  int64_t ms = timeout_ns / NS_PER_MS + (timeout_ns % NS_PER_MS != 0);
  return ms < INT32_MAX ? (int)ms : INT32_MAX;
}

/* Linux before 5.11 knows milliseconds only; the wait gets longer, never
   shorter.  */
static int
fetch (int set, struct epoll_event *ready, int count, int64_t timeout_ns)
{
  if (timeout_ns > 0 && timeout_ns % NS_PER_MS)
    {
      int n = skp__epoll_wait_ns (set, ready, count, timeout_ns);
      if (n != -ENOSYS)
        return n;
    }
  return skp__epoll_wait (set, ready, count, to_milliseconds (timeout_ns));
}

static int
set_wait (int set, struct skp_poller_event *events, int count,
          int64_t timeout_ns)
{
  static const uint32_t both = EPOLLERR | EPOLLHUP;
  struct epoll_event ready[BATCH];
  int n = fetch (set, ready, count < BATCH ? count : BATCH, timeout_ns);
  for (int i = 0; i < n; i++)
    {
      uint32_t bits = ready[i].events;
      events[i].fd = ready[i].data.fd;
      events[i].ready
          = (bits & (EPOLLIN | EPOLLRDHUP | both) ? SKP_POLLER_READ : 0)
            | (bits & (EPOLLOUT | both) ? SKP_POLLER_WRITE : 0)
            | (bits & (EPOLLRDHUP | EPOLLPRI | both) ? SKP_POLLER_MORE : 0);
    }
  return n;
}

const struct skp__poller_backend skp__poller_epoll
    = { set_open, set_watch, set_forget, set_wait };

int
skp_poller_set_open (void)
{
  return set_open ();
}

int
skp_poller_set_add (int set, int fd, int ready)
{
  struct epoll_event event
      = { .events = (ready & SKP_POLLER_READ ? EPOLLIN : 0U)
                    | (ready & SKP_POLLER_WRITE ? EPOLLOUT : 0U),
          .data = { .fd = fd } };
  int err = SKP__CALL (epoll_ctl (set, EPOLL_CTL_ADD, fd, &event));
  return err == -EEXIST ? SKP__CALL (epoll_ctl (set, EPOLL_CTL_MOD, fd, &event))
                        : err;
}
