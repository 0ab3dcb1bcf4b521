/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What a primitive is, what it returns, and what (sockport primitive) loads. */

#ifndef SCM_SKP_PRIMITIVE_H
#define SCM_SKP_PRIMITIVE_H

#include <libguile.h>
#include <sys/types.h>

/* A primitive, for scm_skp__define.  */
struct scm_skp__primitive
{
  const char *name;
  int required, optional, rest;
  SCM (*function) ();
};

/* Define COUNT PRIMITIVES in the current module.  */
void scm_skp__define (const struct scm_skp__primitive *primitives,
                      size_t count);

/* What a primitive that tries once returns:

     n           done; n, or what else it is to return
     #f          nothing was done: it would have to wait for what it does
     -n          n were moved, and a blocking call would go on
     full        nothing was done, and it waits for room at the other end
     refused     not between these two: another way has to be found
     connecting  a number below all others: a connection has begun
   (MSG_FASTOPEN)

   and it throws for an error.  Here for the result N of the core.  */
#define SCM_SKP__FULL scm_from_latin1_symbol ("full")
#define SCM_SKP__REFUSED scm_from_latin1_symbol ("refused")
#define SCM_SKP__CONNECTING SCM_I_MAKINUM (SCM_MOST_NEGATIVE_FIXNUM)
SCM scm_skp__count (ssize_t n, const char *who);

void scm_skp__init_address (void);
void scm_skp__init_batch (void);
void scm_skp__init_bulk (void);
void scm_skp__init_byte_order (void);
void scm_skp__init_connect (void);
void scm_skp__init_constant (void);
void scm_skp__init_file (void);
void scm_skp__init_http_input (void);
void scm_skp__init_http_memory (void);
void scm_skp__init_http_output (void);
void scm_skp__init_http_request (void);
void scm_skp__init_http_response (void);
void scm_skp__init_http_send (void);
void scm_skp__init_http_client (void);
void scm_skp__init_scheme_port (void);
void scm_skp__init_interface (void);
void scm_skp__init_control (void);
void scm_skp__init_layer (void);
void scm_skp__init_descriptor (void);
void scm_skp__init_message (void);
void scm_skp__init_option (void);
void scm_skp__init_poller (void);
void scm_skp__init_port_buffer (void);
void scm_skp__init_print (void);
void scm_skp__init_process (void);
void scm_skp__init_proxy_header (void);
void scm_skp__init_resolve (void);
void scm_skp__init_resolve_entry (void);
void scm_skp__init_socket (void);
void scm_skp__init_stream (void);
void scm_skp__init_chaos (void);
void scm_skp__init_task (void);
void scm_skp__init_dynamic_stack (void);
void scm_skp__init_structure (void);
void scm_skp__init_transfer (void);
void scm_skp__init_wait (void);
void scm_skp__init_websocket (void);

#endif /* SCM_SKP_PRIMITIVE_H */
