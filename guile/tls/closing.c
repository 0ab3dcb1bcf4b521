/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How a port of TLS is closed, by the user or by the collector, and its socket
   with it.  */

#include "stream.h"

#include <gc/gc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sockport/guile.h>

/* What libguile has the collector call for a port that was dropped.  */
static _Atomic (GC_finalization_proc) libguile_closes;

/* What is still buffered is written as far as that is possible at once.  That
   it is not concerns nobody, and must not leave the port open.  */
static void
close_dropped (void *object, void *data)
{
  SCM port = SCM_PACK_POINTER (object);
  struct stream *s = (struct stream *)SCM_STREAM (port);
  pthread_mutex_lock (&s->lock);
  s->dropped = 1;
  pthread_mutex_unlock (&s->lock);
  atomic_load (&libguile_closes) (object, data);
  scm_skp__tls_close (port);
}

/* Have the collector not call PROC for PORT; what a guardian has it call
   stays.  */
static void
forget (SCM port, GC_finalization_proc proc)
{
  GC_finalization_proc found = NULL;
  void *data = NULL;
  GC_register_finalizer_no_order (SCM2PTR (port), NULL, NULL, &found, &data);
  if (found && found != proc)
    GC_register_finalizer_no_order (SCM2PTR (port), found, data, NULL, NULL);
}

/* From here on PORT alone closes SOCK.  The collector would close what was
   dropped in any order, and in more than one thread: a descriptor that is
   closed under PORT is soon another's, who would get what PORT says last.  */
void
scm_skp__tls_own (SCM port, SCM sock)
{
  GC_finalization_proc closes = NULL;
  void *data = NULL;
  GC_register_finalizer_no_order (SCM2PTR (port), close_dropped, NULL, &closes,
                                  &data);
  atomic_store (&libguile_closes, closes);
  forget (sock, closes);
}

static void
say_end (struct stream *s)
{
  struct skp_tls *below = s->tls;
  int events;
  scm_skp__tls_end (s, &events);
  while ((below = skp_tls_below (below)))
    skp_tls_end (below, &events);
}

/* Tell the peer if that is possible at once, and never wait for it.  Without a
   session, which another port has taken, the socket is not this one's.  */
void
scm_skp__tls_close (SCM port)
{
  struct stream *s = (struct stream *)SCM_STREAM (port);
  pthread_mutex_lock (&s->lock);
  struct skp_tls *tls = s->tls;
  if (scm_skp__tls_usable (s))
    say_end (s);
  s->tls = NULL;
  free (s->queue);
  s->queue = NULL;
  s->at = s->end = s->room = 0;
  pthread_mutex_unlock (&s->lock);
  skp_tls_free (tls);
  if (tls && SCM_OPFPORTP (s->sock))
    scm_skp_close_port (s->sock);
  forget (port, close_dropped);
}
