/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Waiting for many descriptors at once.

   A poller belongs to one thread, which watches and waits; any thread may wake
   it.  Each descriptor is registered once, for both directions, and reports
   changes (edges), not states: whoever is informed that one is ready uses it
   until it returns -EAGAIN before waiting again.  There is no limit on
   descriptors but the system's.

   After fork, a poller is the parent's: in the child every function but
   skp_poller_close returns -ECHILD, so that the child cannot disturb what it
   shares with its parent in the kernel.  */

#ifndef SKP_POLLER_H
#define SKP_POLLER_H

#include <stdint.h>
#include <sockport/api.h>

SKP_BEGIN_DECLS

struct skp_poller;

/* What a descriptor is ready for.  */
#define SKP_POLLER_READ 1
#define SKP_POLLER_WRITE 2
#define SKP_POLLER_MORE 4

/* Descriptor FD can be read or written (READY, an or of the above), or would
   return an end of file or an error.  It may also be reported too often.  With
   SKP_POLLER_MORE, something else than data has come, an end of file, an error
   or urgent data: that a read then returns less than was asked for does not
   mean that the next would return nothing.  */
struct skp_poller_event
{
  int32_t fd;
  uint32_t ready;
};

/* A new poller, which the caller closes.  */
SKP_API int skp_poller_open (struct skp_poller **poller);

/* Close POLLER, in the process that opened it or in its child.  NULL is
   allowed.  */
SKP_API void skp_poller_close (struct skp_poller *poller);

/* Report FD from now on, what it is ready for at once included.  Watching again
   what is watched makes its present state be reported anew.  -EPERM: FD is a
   kind of file that is always ready.  Closing the last descriptor of an open
   file ends it.  */
SKP_API int skp_poller_watch (struct skp_poller *poller, int fd);

/* Report FD no more; -ENOENT if it is not watched.  */
SKP_API int skp_poller_forget (struct skp_poller *poller, int fd);

/* Store up to COUNT (at least 1) events and return their number, after at most
   TIMEOUT_NS nanoseconds; 0 does not wait, -1 waits for ever.  This is the one
   function that waits.  0 when the time is up or after skp_poller_wake, -EINTR
   when a signal arrived.  */
SKP_API int skp_poller_wait (struct skp_poller *poller,
                             struct skp_poller_event *events, int count,
                             int64_t timeout_ns);

/* End the wait that goes on, or else the next one that would sleep, at once.
   From any thread and from a signal's handler; costs a system call only while
   the owner sleeps.  */
SKP_API int skp_poller_wake (struct skp_poller *poller);

/* The same in two steps, for those who hold a lock that whoever is woken would
   meet: the first, under the lock, returns 1 if the owner sleeps, and then the
   second, without it, makes the system call.  Between the two POLLER may be
   closed, which takes until the second is done.  */
SKP_API int skp_poller_wake_begin (struct skp_poller *poller);
SKP_API int skp_poller_wake_end (struct skp_poller *poller);

/* A new descriptor that stands for several: it is readable as long as one of
   those added to it is ready, FD for the directions in READY.  So whoever can
   wait for one descriptor can wait for the first of many.  Close it with
   close(2); a descriptor that is closed leaves by itself.  For one that was
   added before, READY counts from now on.  */
SKP_API int skp_poller_set_open (void);
SKP_API int skp_poller_set_add (int set, int fd, int ready);

SKP_END_DECLS

#endif /* SKP_POLLER_H */
