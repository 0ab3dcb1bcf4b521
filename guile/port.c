/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Ports, and O_NONBLOCK as the user has set it.  connect, sendfile and splice
   have no flag that keeps them from waiting, so the core sets it for the time
   of the call; other threads must neither notice that nor do the same
   meanwhile, since then the one would clear what the other has set.  */

#include "port.h"

#include <gc/gc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include <sockport/socket.h>

/* What fport_option NOT_SEEKABLE is in libguile, whose header hides it: it
   spares the two system calls with which libguile would examine a descriptor
   that is known to be a new socket.  */
#define FPORT_NOT_SEEKABLE 2U

/* What libguile has the collector call for a port that was dropped.  */
static _Atomic (GC_finalization_proc) port_finalizer;

static void
finalizer_learn (SCM port)
{
  GC_finalization_proc proc = NULL;
  void *data = NULL;
  GC_register_finalizer_no_order (SCM2PTR (port), NULL, NULL, &proc, &data);
  GC_register_finalizer_no_order (SCM2PTR (port), proc, data, NULL, NULL);
  if (!data)
    atomic_store (&port_finalizer, proc);
}

void
scm_skp__finalizer_forget (SCM port)
{
  GC_finalization_proc ours = atomic_load (&port_finalizer), proc = NULL;
  void *data = NULL;
  if (!ours || SCM_OPENP (port))
    return;
  GC_register_finalizer_no_order (SCM2PTR (port), NULL, NULL, &proc, &data);
  /* A guardian's, or another's.  */
  if (proc && proc != ours)
    GC_register_finalizer_no_order (SCM2PTR (port), proc, data, NULL, NULL);
}

static void
close_pending (void *fd)
{
  close (*(int *)fd);
}

SCM
scm_skp__port (int fd)
{
  static atomic_long known_bits;
  static SCM name;
  long mode_bits = atomic_load_explicit (&known_bits, memory_order_acquire);
  if (!mode_bits)
    {
      /* Several threads may do this at once, to the same end.  */
      name = scm_permanent_object (scm_from_utf8_symbol ("socket"));
      mode_bits = scm_mode_bits ((char[]){ "r+0" });
      atomic_store_explicit (&known_bits, mode_bits, memory_order_release);
    }
  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler (close_pending, &fd, 0);
  scm_t_fport *stream = scm_gc_malloc_pointerless (sizeof *stream, "file port");
  *stream = (scm_t_fport){ .fdes = fd, .options = FPORT_NOT_SEEKABLE };
  SCM port = scm_c_make_port (scm_file_port_type, (unsigned long)mode_bits,
                              (scm_t_bits)stream);
  scm_dynwind_end ();
  scm_set_port_filename_x (port, name);
  if (!atomic_load (&port_finalizer))
    finalizer_learn (port);
  return port;
}

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
