/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The header of the PROXY protocol as Scheme values.  */

#include "primitive.h"
#include "value.h"

#include <errno.h>
#include <sockport/proxy-header.h>

/* Read the header that BYTES begin with, up to END: #f if it is not whole, a
   negative errno, or a list of its size, source and destination; each is #f if
   it is not known.  */
static SCM
proxy_header (SCM bytes, SCM end)
{
  static const char who[] = "receive-proxy-header";
  struct skp_proxy_header header;
  if (!SCM_BYTEVECTOR_P (bytes))
    scm_wrong_type_arg_msg (who, 1, bytes, "bytevector");
  int64_t size = scm_skp__integer (
      end, 0, (int64_t)SCM_BYTEVECTOR_LENGTH (bytes), 2, who);
  ssize_t result = skp_proxy_header_read (
      &header, SCM_BYTEVECTOR_CONTENTS (bytes), (size_t)size);
  if (result < 0)
    return result == -EAGAIN ? SCM_BOOL_F : scm_from_ssize_t (result);
  return scm_list_3 (scm_from_ssize_t (result),
                     scm_skp__address_from (&header.source),
                     scm_skp__address_from (&header.destination));
}

void
scm_skp__init_proxy_header (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%proxy-header", 2, 0, 0, proxy_header },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
