/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The socket functions that the Guile manual documents for C ("Network Sockets
   and Communication"), under names of our own; guile-names.h gives them the
   documented ones.

   Parameters are the documented ones; an optional one that is not given is
   SCM_UNDEFINED, ARGS is a list.  Errors are Guile exceptions: wrong-type-arg,
   out-of-range, wrong-number-of-args before any system call, system-error with
   the errno in its data afterwards.  What waits does so outside Guile mode,
   runs pending asyncs (signal handlers) and may leave through them; it raises
   EAGAIN when the socket is in non-blocking mode.  Call them in Guile mode;
   nothing else has to be set up.  */

#ifndef SKP_GUILE_H
#define SKP_GUILE_H

#include <libguile.h>
#include <sockport/api.h>

SKP_BEGIN_DECLS

/* What the Scheme module (sockport primitive) loads: defines its primitives.  A
   C program does not need it.  */
SKP_API void scm_skp_init (void);

SKP_API SCM scm_skp_socket (SCM family, SCM style, SCM proto);
SKP_API SCM scm_skp_socketpair (SCM family, SCM style, SCM proto);

/* The value is what the option's row in the table of options says: an integer,
   a pair, a string, a record; a bytevector if the table lacks the option.  To
   set one, a bytevector of its bytes is taken as well, and an integer (an int)
   where the table lacks it.  */
SKP_API SCM scm_skp_getsockopt (SCM sock, SCM level, SCM optname);
SKP_API SCM scm_skp_setsockopt (SCM sock, SCM level, SCM optname, SCM value);
SKP_API SCM scm_skp_shutdown (SCM sock, SCM how);

/* FAM may be an address object; ADDRESS is then SCM_UNDEFINED, or for sendto
   the flags.  #t; connect returns #f when SOCK is in non-blocking mode and the
   connection is still being made.  */
SKP_API SCM scm_skp_connect (SCM sock, SCM fam, SCM address, SCM args);
SKP_API SCM scm_skp_bind (SCM sock, SCM fam, SCM address, SCM args);
SKP_API SCM scm_skp_listen (SCM sock, SCM backlog);

/* #f when SOCK is in non-blocking mode and no connection is pending.  */
SKP_API SCM scm_skp_accept (SCM sock);

/* The same with FLAGS, SOCK_NONBLOCK or 0, for the new socket.  */
SKP_API SCM scm_skp_accept4 (SCM sock, SCM flags);

SKP_API SCM scm_skp_getsockname (SCM sock);
SKP_API SCM scm_skp_getpeername (SCM sock);
SKP_API SCM scm_skp_recv (SCM sock, SCM buf, SCM flags);
SKP_API SCM scm_skp_send (SCM sock, SCM message, SCM flags);
SKP_API SCM scm_skp_recvfrom (SCM sock, SCM buf, SCM flags, SCM start, SCM end);
SKP_API SCM scm_skp_sendto (SCM sock, SCM message, SCM fam, SCM address,
                            SCM args_and_flags);

/* Messages: BUFFERS is a bytevector, a string, or a list of them and of lists
   (buffer start [end]).  ADDRESS is an address object or #f, CONTROL a list of
   control messages; the number of bytes is returned.  Receiving returns a
   message (module (sockport message)); CONTROL_SIZE is the room for control
   messages in bytes.  */
SKP_API SCM scm_skp_sendmsg (SCM sock, SCM buffers, SCM address, SCM control,
                             SCM flags);
SKP_API SCM scm_skp_recvmsg (SCM sock, SCM buffers, SCM flags,
                             SCM control_size);

/* The value of 16 or 32 bits with its bytes in the other order.  */
SKP_API SCM scm_skp_htons (SCM value);
SKP_API SCM scm_skp_ntohs (SCM value);
SKP_API SCM scm_skp_htonl (SCM value);
SKP_API SCM scm_skp_ntohl (SCM value);

SKP_API SCM scm_skp_make_socket_address (SCM family, SCM address, SCM args);
SKP_API SCM scm_skp_inet_pton (SCM family, SCM address);
SKP_API SCM scm_skp_inet_ntop (SCM family, SCM address);

/* Look-ups, which wait as the calls above do.  getnameinfo returns a pair of
   the names of the host and of the service.  Without their first argument, the
   last four return the next entry of a file, as libguile's own do.  */
SKP_API SCM scm_skp_getaddrinfo (SCM name, SCM service, SCM flags, SCM family,
                                 SCM type, SCM protocol);
SKP_API SCM scm_skp_getnameinfo (SCM address, SCM flags);
SKP_API SCM scm_skp_gethost (SCM host);
SKP_API SCM scm_skp_getnet (SCM net);
SKP_API SCM scm_skp_getproto (SCM protocol);
SKP_API SCM scm_skp_getserv (SCM name, SCM protocol);

/* An interface's index from its name, and the reverse.  */
SKP_API SCM scm_skp_if_nametoindex (SCM name);
SKP_API SCM scm_skp_if_indextoname (SCM index);

/* Close PORT after waking every thread that waits on it; #t if it was open.  */
SKP_API SCM scm_skp_close_port (SCM port);

SKP_END_DECLS

#endif /* SKP_GUILE_H */
