/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What a kernel's interface for waiting has to offer to poller.c: a set of
   descriptors, itself a descriptor.  epoll is the one there is; kqueue and poll
   have their place beside it.  All return >= 0 or -errno.  */

#ifndef SKP_POLLER_BACKEND_H
#define SKP_POLLER_BACKEND_H

#include <sockport/poller.h>

struct skp__poller_backend
{
  int (*open) (void);
  int (*watch) (int set, int fd);
  int (*forget) (int set, int fd);
  int (*wait) (int set, struct skp_poller_event *events, int count,
               int64_t timeout_ns);
};

extern const struct skp__poller_backend skp__poller_epoll;

#endif /* SKP_POLLER_BACKEND_H */
