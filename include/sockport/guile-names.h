/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The documented names of the functions of sockport/guile.h, so that C code
   written to the Guile manual compiles unchanged.  Include it last: it renames
   libguile's own functions in what follows.  */

#ifndef SKP_GUILE_NAMES_H
#define SKP_GUILE_NAMES_H

#include <sockport/guile.h>

/* A program that is written with the documented names calls these.  */
#define scm_socket scm_skp_socket
#define scm_socketpair scm_skp_socketpair
#define scm_getsockopt scm_skp_getsockopt
#define scm_setsockopt scm_skp_setsockopt
#define scm_shutdown scm_skp_shutdown
#define scm_connect scm_skp_connect
#define scm_bind scm_skp_bind
#define scm_listen scm_skp_listen
#define scm_accept scm_skp_accept
#define scm_getsockname scm_skp_getsockname
#define scm_getpeername scm_skp_getpeername
#define scm_recv scm_skp_recv
#define scm_send scm_skp_send
#define scm_recvfrom scm_skp_recvfrom
#define scm_sendto scm_skp_sendto
#define scm_htons scm_skp_htons
#define scm_ntohs scm_skp_ntohs
#define scm_htonl scm_skp_htonl
#define scm_ntohl scm_skp_ntohl
#define scm_make_socket_address scm_skp_make_socket_address
#define scm_inet_pton scm_skp_inet_pton
#define scm_inet_ntop scm_skp_inet_ntop
#define scm_getaddrinfo scm_skp_getaddrinfo
#define scm_gethost scm_skp_gethost
#define scm_getnet scm_skp_getnet
#define scm_getproto scm_skp_getproto
#define scm_getserv scm_skp_getserv

#endif /* SKP_GUILE_NAMES_H */
