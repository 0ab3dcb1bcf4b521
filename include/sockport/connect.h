/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A socket and its connection in as few calls as that takes: what clients of
   TCP do again and again.  What else there is to set first, and other families,
   take skp_socket_open and skp_socket_connect.  */

#ifndef SKP_CONNECT_H
#define SKP_CONNECT_H

#include <sockport/address.h>

SKP_BEGIN_DECLS

/* For skp_connect_begin: TCP_NODELAY is set; the mode of the descriptor is
   non-blocking.  */
#define SKP_CONNECT_NO_DELAY 1
#define SKP_CONNECT_NONBLOCKING 2

/* Store in FD a new socket of TCP, which begins to connect to ADDRESS, of IPv4
   or IPv6; FLAGS are those above.  1 when it is connected, as on the same
   machine it mostly is at once; 0 while that is being made: when FD becomes
   writable, skp_socket_connected reports how it ended.  Else -errno, and there
   is no socket.  */
SKP_API int skp_connect_begin (int *fd, const struct skp_address *address,
                               int flags);

SKP_END_DECLS

#endif /* SKP_CONNECT_H */
