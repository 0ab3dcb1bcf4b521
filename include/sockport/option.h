/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Socket options (socket(7), ip(7), ipv6(7), tcp(7), udp(7), packet(7)).  */

#ifndef SKP_OPTION_H
#define SKP_OPTION_H

#include <sys/socket.h>
#include <sockport/api.h>

SKP_BEGIN_DECLS

/* Read the option into VALUE, which has *LENGTH bytes of room; *LENGTH becomes
   what the kernel wrote.  getsockopt(2).  */
SKP_API int skp_option_get (int fd, int level, int number, void *value,
                            socklen_t *length);
SKP_API int skp_option_set (int fd, int level, int number, const void *value,
                            socklen_t length);

SKP_END_DECLS

#endif /* SKP_OPTION_H */
