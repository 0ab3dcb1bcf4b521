/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Network interfaces: their names, indices and addresses (netdevice(7),
   getifaddrs(3)).  */

#ifndef SKP_INTERFACE_H
#define SKP_INTERFACE_H

#include <net/if.h>
#include <sockport/address.h>

SKP_BEGIN_DECLS

/* The index of the interface NAME, which is LENGTH bytes without a NUL.
   -ENODEV: there is none.  */
SKP_API int skp_interface_index (const char *name, size_t length);

/* The name of the interface INDEX, with a NUL, in NAME.  0, or -ENXIO.  */
SKP_API int skp_interface_name (unsigned index, char name[IF_NAMESIZE]);

/* One address of one interface.  An interface without addresses occurs as well,
   its link-layer address being one (AF_PACKET).  An address that is not there
   has length 0.  */
struct skp_interface
{
  char name[IF_NAMESIZE];
  unsigned index;
  unsigned flags; /* IFF_UP and so on */
  struct skp_address address;
  struct skp_address netmask;
  struct skp_address peer; /* the broadcast address, or the other end's */
};

/* Make *LIST an array of all addresses of all interfaces, in the kernel's
   order, and return their number.  The caller frees it with free(3).  */
SKP_API int skp_interface_list (struct skp_interface **list);

SKP_END_DECLS

#endif /* SKP_INTERFACE_H */
