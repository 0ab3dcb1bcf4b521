/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How a step of a session ends; its lock is held.  */

#ifndef SKP_TLS_STEP_H
#define SKP_TLS_STEP_H

#include "internal.h"

/* Warnings say nothing that ends a session, but somebody may send nothing else.
 */
#define MOST_WARNINGS 16

/* To be called before GnuTLS may use the socket.  */
static inline void
skp__tls_begin (struct skp_tls *tls)
{
  tls->blocked = tls->socket_error = 0;
}

/* -EAGAIN, with what to poll for.  */
int skp__tls_later (struct skp_tls *tls, int *events);

/* The error for CODE, which ends the session; the peer is told.  */
int skp__tls_fail (struct skp_tls *tls, int code);

/* The same, without ending it.  */
int skp__tls_error_of (struct skp_tls *tls, int code);

#endif /* SKP_TLS_STEP_H */
