/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* htons and its siblings.  Network order is big-endian, so each way of each
   width is the same exchange of bytes, or none.  */

#include "primitive.h"
#include "value.h"

#include <arpa/inet.h>
#include <sockport/guile.h>

static SCM
swap_short (SCM value, const char *who)
{
  return scm_from_uint16 (
      htons ((uint16_t)scm_skp__integer (value, 0, UINT16_MAX, 1, who)));
}

static SCM
swap_long (SCM value, const char *who)
{
  return scm_from_uint32 (
      htonl ((uint32_t)scm_skp__integer (value, 0, UINT32_MAX, 1, who)));
}

SCM
scm_skp_htons (SCM value)
{
  return swap_short (value, "htons");
}

SCM
scm_skp_ntohs (SCM value)
{
  return swap_short (value, "ntohs");
}

SCM
scm_skp_htonl (SCM value)
{
  return swap_long (value, "htonl");
}

SCM
scm_skp_ntohl (SCM value)
{
  return swap_long (value, "ntohl");
}

static const struct scm_skp__primitive primitives[] = {
  { "htons", 1, 0, 0, scm_skp_htons },
  { "ntohs", 1, 0, 0, scm_skp_ntohs },
  { "htonl", 1, 0, 0, scm_skp_htonl },
  { "ntohl", 1, 0, 0, scm_skp_ntohl },
};

void
scm_skp__init_byte_order (void)
{
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
