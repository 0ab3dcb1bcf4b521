/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Ports whose reading and writing are procedures of Scheme, so that nothing of
   C is on the stack when they wait: Guile's own custom ports cannot be
   suspended before 3.0.10.  What is written by C, by display say, is handed to
   a third procedure, which must not wait.  */

#include "primitive.h"

static scm_t_port_type *type;

/* (READ stream bytes start count) and the others, for all such ports.  */
static SCM queue_procedure, close_procedure;

static SCM
stream_of (SCM port)
{
  if (!SCM_PORTP (port) || SCM_PORT_TYPE (port) != type)
    scm_wrong_type_arg_msg ("http-request", 1, port, "port of a body");
  return SCM_PACK (SCM_STREAM (port));
}

static size_t
write_from_c (SCM port, SCM src, size_t start, size_t count)
{
  scm_call_4 (queue_procedure, port, src, scm_from_size_t (start),
              scm_from_size_t (count));
  return count;
}

static void
close_port (SCM port)
{
  scm_call_1 (close_procedure, port);
}

static void
port_sizes (SCM port, size_t *read_size, size_t *write_size)
{
  (void)port;
  *read_size = *write_size = 16384;
}

static SCM
set_procedures (SCM read, SCM write, SCM queue, SCM close)
{
  scm_set_port_scm_read (type, scm_permanent_object (read));
  scm_set_port_scm_write (type, scm_permanent_object (write));
  queue_procedure = scm_permanent_object (queue);
  close_procedure = scm_permanent_object (close);
  return SCM_UNSPECIFIED;
}

/* A port for reading, or for writing, of STREAM.  */
static SCM
make_port (SCM stream, SCM output, SCM encoding)
{
  return scm_c_make_port_with_encoding (
      type, (scm_is_true (output) ? SCM_WRTNG : SCM_RDNG) | SCM_OPN,
      scm_string_to_symbol (scm_string_upcase (encoding)),
      scm_from_latin1_symbol ("error"), SCM_UNPACK (stream));
}

void
scm_skp__init_scheme_port (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%set-scheme-port-procedures!", 4, 0, 0, set_procedures },
    { "%make-scheme-port", 3, 0, 0, make_port },
    { "%scheme-port-stream", 1, 0, 0, stream_of },
  };
  type = scm_make_port_type ("http-body", NULL, write_from_c);
  scm_set_port_close (type, close_port);
  scm_set_port_get_natural_buffer_sizes (type, port_sizes);
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
