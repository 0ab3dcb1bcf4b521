/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Most datagrams go to and come from IPv4 addresses.  For these, the family's
   table (address.c) costs a third of what else a call does.  */

#include "value.h"

#include <netinet/in.h>
#include <string.h>

int
scm_skp__address_quick (struct skp_address *address, SCM family, SCM part,
                        SCM port)
{
  struct sockaddr_in made = { .sin_family = AF_INET };
  if (!scm_is_eq (family, SCM_I_MAKINUM (AF_INET)) || !SCM_I_INUMP (part)
      || !SCM_I_INUMP (port) || (uint64_t)SCM_I_INUM (part) > UINT32_MAX
      || (uint64_t)SCM_I_INUM (port) > UINT16_MAX)
    return 0;
  made.sin_addr.s_addr = htonl ((uint32_t)SCM_I_INUM (part));
  made.sin_port = htons ((uint16_t)SCM_I_INUM (port));
  memcpy (&address->storage, &made, sizeof made);
  address->length = sizeof made;
  return 1;
}

int
scm_skp__address_quick_into (SCM spare, const struct skp_address *address)
{
  struct sockaddr_in from;
  if (address->length != sizeof from || !SCM_HAS_TYP7 (spare, scm_tc7_vector)
      || SCM_SIMPLE_VECTOR_LENGTH (spare) != 3)
    return 0;
  memcpy (&from, &address->storage, sizeof from);
  SCM family = SCM_I_MAKINUM (from.sin_family);
  uint32_t part = ntohl (from.sin_addr.s_addr);
  if (!scm_is_eq (family, SCM_I_MAKINUM (AF_INET)) || !SCM_POSFIXABLE (part))
    return 0;
  SCM_SIMPLE_VECTOR_SET (spare, 0, family);
  SCM_SIMPLE_VECTOR_SET (spare, 1, SCM_I_MAKINUM (part));
  SCM_SIMPLE_VECTOR_SET (spare, 2, SCM_I_MAKINUM (ntohs (from.sin_port)));
  return 1;
}
