/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* O_NONBLOCK as the user has set it.  connect, sendfile and splice have no flag
   that keeps them from waiting, so the core sets it for the time of the call;
   other threads must neither notice that nor do the same meanwhile, since
   then the one would clear what the other has set.  */

#include "convert.h"

#include <pthread.h>
#include <sockport/socket.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The thread that holds it does not exist in the child.  */
static void
reset (void)
{
  pthread_mutex_init (&lock, NULL);
}

__attribute__ ((constructor)) static void
init (void)
{
  pthread_atfork (NULL, NULL, reset);
}

void
scm_skp__mode_lock (void)
{
  pthread_mutex_lock (&lock);
}

void
scm_skp__mode_unlock (void)
{
  pthread_mutex_unlock (&lock);
}

int
scm_skp__nonblocking (int fd)
{
  int result = skp_socket_nonblocking (fd);
  if (result <= 0)
    return result;
  scm_skp__mode_lock ();
  result = skp_socket_nonblocking (fd);
  scm_skp__mode_unlock ();
  return result;
}
