/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A port of TLS and what it has; what the files of libguile-sockport-tls share.
 */

#ifndef SCM_SKP_TLS_STREAM_H
#define SCM_SKP_TLS_STREAM_H

#include <libguile.h>
#include <pthread.h>
#include <sockport/tls.h>

/* TLS is NULL once the port is closed.  The lock is held while a step runs, so
   that no other thread frees it meanwhile.  AWAITS is what the last attempt to
   read, and the last to write, has to wait for.  The bytes AT to END of QUEUE
   were written where nothing could wait.  DROPPED: the collector closes the
   port.  */
struct stream
{
  pthread_mutex_t lock;
  struct skp_tls *tls;
  SCM sock;
  int fd; /* SOCK's, as TLS knows it */
  int awaits[2];
  int client, lenient, flushing, dropped;
  char *queue;
  size_t at, end, room;
};

/* What is passed when it begins to the procedures that are called in Scheme. */
extern SCM scm_skp__tls_failed;

extern scm_t_port_type *scm_skp__tls_type;

/* The stream of PORT, the argument POS of WHO, a port of TLS.  */
struct stream *scm_skp__tls_stream (SCM port, int pos, const char *who);

/* As WHO, throw for N, which a step on PORT has answered; or, where there is no
   port, a function of TLS.  */
_Noreturn void scm_skp__tls_fail (SCM port, ssize_t n, const char *who);

/* The context in CONTEXT, the argument POS of WHO.  */
struct skp_tls_context *scm_skp__tls_context (SCM context, int pos,
                                              const char *who);

/* May a step of S use the socket?  The lock is held.  */
int scm_skp__tls_usable (struct stream *s);

/* Send what is queued, and that no more comes: 0, -EAGAIN or another error. The
   lock is held.  */
ssize_t scm_skp__tls_end (struct stream *s, int *events);

/* What libguile calls to close PORT, and what leaves SOCK to it.  */
void scm_skp__tls_close (SCM port);
void scm_skp__tls_own (SCM port, SCM sock);

void scm_skp__tls_define (const char *name, int required, SCM (*function) ());
void scm_skp__tls_init_port (void);
void scm_skp__tls_init_certificate (void);
void scm_skp__tls_init_context (void);
void scm_skp__tls_init_peer (void);

#endif /* SCM_SKP_TLS_STREAM_H */
