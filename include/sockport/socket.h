/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Sockets: making, naming, connecting, accepting, shutting down (socket(7)).

   Every descriptor is born close-on-exec and belongs to the caller.  Nothing
   here waits; see sockport/api.h for the conventions.  */

#ifndef SKP_SOCKET_H
#define SKP_SOCKET_H

#include <sockport/address.h>

SKP_BEGIN_DECLS

/* A new socket; TYPE may carry SOCK_NONBLOCK.  socket(2).  */
SKP_API int skp_socket_open (int family, int type, int protocol);

/* Two connected sockets in FDS.  socketpair(2).  */
SKP_API int skp_socket_pair (int family, int type, int protocol, int fds[2]);

/* Give FD the name ADDRESS: -EADDRINUSE, -EACCES and so on.  bind(2).  */
SKP_API int skp_socket_bind (int fd, const struct skp_address *address);

/* Accept connections from now on; BACKLOG of them wait in the queue at most,
   which the kernel may cut (somaxconn).  listen(2).  */
SKP_API int skp_socket_listen (int fd, int backlog);

/* The next connection of the queue, -EAGAIN if it is empty, whether or not FD
   is in blocking mode.  FLAGS may hold SOCK_NONBLOCK.  A connection that was
   aborted while it was queued is skipped.  PEER may be NULL.  accept(2).  */
SKP_API int skp_socket_accept (int fd, int flags, struct skp_address *peer);

/* The same for a listener that is in non-blocking mode, with fewer system
   calls: with one, where somebody is likely to wait in the queue, and else with
   a look at the queue first, since an accept4(2) in vain makes a socket.  */
SKP_API int skp_socket_accept_now (int fd, int flags, struct skp_address *peer);
SKP_API int skp_socket_accept_next (int fd, int flags,
                                    struct skp_address *peer);

/* Start to connect: 0 when connected at once.  -EINPROGRESS: when FD becomes
   writable, skp_socket_error reports how it ended.  -EAGAIN: the listener's
   queue is full (UNIX); nothing has begun, call again later.  The mode of FD is
   left as it was.  connect(2).  */
SKP_API int skp_socket_connect (int fd, const struct skp_address *address);

/* The pending error of FD, as -errno, or 0; reading it clears it.  */
SKP_API int skp_socket_error (int fd);

/* How the connection that FD began has ended: 1 when connected, 0 while it is
   being made, else -errno, -ENOTCONN if somebody else has read the error.  */
SKP_API int skp_socket_connected (int fd);

/* End one direction of a connection or both: HOW is SHUT_RD, SHUT_WR or
   SHUT_RDWR.  -ENOTCONN.  shutdown(2).  */
SKP_API int skp_socket_shutdown (int fd, int how);

/* The address of FD itself, and of the socket it is connected to: -ENOTCONN if
   there is none.  getsockname(2), getpeername(2).  */
SKP_API int skp_socket_name (int fd, struct skp_address *address);
SKP_API int skp_socket_peer (int fd, struct skp_address *address);

/* Take over FD, which came from elsewhere: set close-on-exec, and store its
   FAMILY, TYPE and PROTOCOL.  -ENOTSOCK, -EBADF.  */
SKP_API int skp_socket_adopt (int fd, int *family, int *type, int *protocol);

/* 1 if O_NONBLOCK is set on FD, else 0; and set or clear it.  */
SKP_API int skp_socket_nonblocking (int fd);
SKP_API int skp_socket_set_nonblocking (int fd, int nonblocking);

/* 1 if FD is a byte stream (SOCK_STREAM), else 0.  */
SKP_API int skp_socket_stream (int fd);

/* 1 if FD is a TCP socket, else 0.  */
SKP_API int skp_socket_tcp (int fd);

/* The microseconds after which the kernel would end a call that waits to send
   (SO_SNDTIMEO), or to receive (SO_RCVTIMEO); 0 for never.  */
SKP_API int64_t skp_socket_patience_us (int fd, int sending);

/* Has the peer of the stream FD sent all it will?  What it has sent may still
   be there to be received.  */
SKP_API int skp_socket_ended (int fd);

SKP_END_DECLS

#endif /* SKP_SOCKET_H */
