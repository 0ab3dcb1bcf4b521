/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The header of the PROXY protocol, versions 1 and 2, with which a proxy says
   whom it speaks for, before anything else is sent.  */

#ifndef SKP_PROXY_HEADER_H
#define SKP_PROXY_HEADER_H

#include <sys/types.h>
#include <sockport/address.h>

SKP_BEGIN_DECLS

/* Both addresses have length 0 when the proxy speaks for itself, or does not
   know.  */
struct skp_proxy_header
{
  int version;
  struct skp_address source;
  struct skp_address destination;
};

/* Read the header that BYTES begin with.  How many bytes it takes; -EAGAIN when
   all SIZE of them belong to a header that is not whole; -EPROTO for what is
   none.  */
SKP_API ssize_t skp_proxy_header_read (struct skp_proxy_header *header,
                                       const void *bytes, size_t size);

SKP_END_DECLS

#endif /* SKP_PROXY_HEADER_H */
