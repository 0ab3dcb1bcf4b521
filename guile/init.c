/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What (sockport primitive) loads.  */

#include "primitive.h"

#include <sockport/guile.h>

static void (*const inits[]) (void) = {
  scm_skp__init_address,       scm_skp__init_batch,
  scm_skp__init_bulk,          scm_skp__init_control,
  scm_skp__init_descriptor,    scm_skp__init_message,
  scm_skp__init_byte_order,    scm_skp__init_connect,
  scm_skp__init_constant,      scm_skp__init_interface,
  scm_skp__init_option,        scm_skp__init_socket,
  scm_skp__init_structure,     scm_skp__init_transfer,
  scm_skp__init_wait,          scm_skp__init_poller,
  scm_skp__init_print,         scm_skp__init_process,
  scm_skp__init_stream,        scm_skp__init_chaos,
  scm_skp__init_task,          scm_skp__init_dynamic_stack,
  scm_skp__init_websocket,     scm_skp__init_file,
  scm_skp__init_proxy_header,  scm_skp__init_resolve,
  scm_skp__init_http_input,    scm_skp__init_http_memory,
  scm_skp__init_http_output,   scm_skp__init_http_request,
  scm_skp__init_http_response, scm_skp__init_resolve_entry,
  scm_skp__init_http_client,   scm_skp__init_scheme_port,
  scm_skp__init_layer,         scm_skp__init_http_send,
  scm_skp__init_port_buffer,
};

void
scm_skp_init (void)
{
  for (size_t i = 0; i < sizeof inits / sizeof *inits; i++)
    inits[i]();
}
