/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The C functions for Guile, by the manual's names and as a program that embeds
   Guile calls them: nothing set up, no Scheme module loaded.  Prints TAP.  */

#include "guile-test.h"

#include <sockport/guile-names.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define LOOPBACK scm_from_uint32 (INADDR_LOOPBACK)

static int
same (SCM a, SCM b)
{
  return scm_is_true (scm_equal_p (a, b));
}

static SCM
socket_of (int style)
{
  return scm_socket (number (AF_INET), number (style), number (0));
}

static SCM
bound (int style)
{
  SCM sock = socket_of (style);
  scm_bind (sock, number (AF_INET), LOOPBACK, scm_list_1 (number (0)));
  return sock;
}

/* The third part of an address vector of INET.  */
static SCM
port_of (SCM sock)
{
  return scm_c_vector_ref (scm_getsockname (sock), 2);
}

static void
streams (void)
{
  SCM listener = bound (SOCK_STREAM), client = socket_of (SOCK_STREAM);
  SCM buffer = scm_c_make_bytevector (16), pair;
  scm_listen (listener, number (1));
  check (scm_is_true (scm_connect (client, number (AF_INET), LOOPBACK,
                                   scm_list_1 (port_of (listener)))),
         "connect answers true");
  pair = scm_accept (listener);
  check (same (scm_cdr (pair), scm_getsockname (client)),
         "accept answers the client's address");
  check (same (scm_getpeername (client), scm_getsockname (listener)),
         "getpeername is the listener's name");
  check (scm_to_int (scm_send (client, scm_from_utf8_string ("abc"), ABSENT))
             == 3,
         "send answers the count");
  check (scm_to_int (scm_recv (scm_car (pair), buffer, ABSENT)) == 3
             && memcmp (SCM_BYTEVECTOR_CONTENTS (buffer), "abc", 3) == 0,
         "recv fills the buffer");
  scm_shutdown (client, number (SHUT_WR));
  check (scm_to_int (scm_recv (scm_car (pair), buffer, ABSENT)) == 0,
         "the end of the stream is 0");
  check (scm_is_true (scm_skp_close_port (client))
             && scm_is_false (scm_skp_close_port (client)),
         "close_port tells whether it was open");
  scm_skp_close_port (scm_car (pair));
  scm_skp_close_port (listener);
}

static void
datagrams (void)
{
  SCM left = bound (SOCK_DGRAM), right = bound (SOCK_DGRAM);
  SCM buffer = scm_c_make_bytevector (16), got;
  SCM address = scm_make_socket_address (number (AF_INET), LOOPBACK,
                                         scm_list_1 (port_of (right)));
  check (same (address, scm_getsockname (right)),
         "make_socket_address makes what getsockname answers");
  scm_sendto (left, scm_from_utf8_string ("one"), number (AF_INET), LOOPBACK,
              scm_list_1 (port_of (right)));
  got = scm_recvfrom (right, buffer, ABSENT, ABSENT, ABSENT);
  check (same (got, scm_cons (number (3), scm_getsockname (left))),
         "recvfrom answers count and sender");
  scm_sendto (left, scm_from_utf8_string ("two"), address, ABSENT, SCM_EOL);
  got = scm_recvfrom (right, buffer, number (MSG_PEEK), number (2), number (4));
  check (same (scm_car (got), number (2))
             && memcmp (SCM_BYTEVECTOR_CONTENTS (buffer), "ontw", 4) == 0,
         "recvfrom fills from start to end");
  scm_skp_sendmsg (
      left, scm_list_2 (scm_from_utf8_string ("a"), scm_from_utf8_string ("b")),
      address, SCM_EOL, ABSENT);
  scm_recv (right, buffer, ABSENT);
  check (scm_is_true (scm_skp_recvmsg (right, buffer, ABSENT, ABSENT))
             && memcmp (SCM_BYTEVECTOR_CONTENTS (buffer), "ab", 2) == 0,
         "sendmsg gathers, recvmsg receives");
  scm_skp_close_port (left);
  scm_skp_close_port (right);
}

static void
options (void)
{
  SCM pair
      = scm_socketpair (number (AF_UNIX), number (SOCK_STREAM), number (0));
  SCM sock = scm_car (pair), level = number (SOL_SOCKET);
  SCM linger = scm_cons (number (1), number (7));
  scm_setsockopt (sock, level, number (SO_LINGER), linger);
  check (same (scm_getsockopt (sock, level, number (SO_LINGER)), linger),
         "an option is read as it was set");
  check (same (scm_getsockopt (sock, level, number (SO_TYPE)),
               number (SOCK_STREAM)),
         "an integer option is an integer");
  scm_skp_close_port (sock);
  scm_skp_close_port (scm_cdr (pair));
}

static void
conversions (void)
{
  SCM text = scm_from_utf8_string ("127.0.0.1");
  SCM name = scm_from_utf8_string ("lo");
  check (same (scm_inet_pton (number (AF_INET), text), LOOPBACK),
         "inet_pton reads");
  check (same (scm_inet_ntop (number (AF_INET), LOOPBACK), text),
         "inet_ntop writes");
  check (same (scm_htons (number (0x0102)), number (htons (0x0102)))
             && same (scm_ntohs (number (0x0102)), number (ntohs (0x0102))),
         "htons and ntohs are C's");
  check (same (scm_htonl (number (0x01020304)), number (htonl (0x01020304)))
             && same (scm_ntohl (number (0x01020304)),
                      number (ntohl (0x01020304))),
         "htonl and ntohl are C's");
  check (same (scm_skp_if_indextoname (scm_skp_if_nametoindex (name)), name),
         "an interface's name and index");
}

static SCM
part (SCM vector, size_t index)
{
  return scm_c_vector_ref (vector, index);
}

static void
names (void)
{
  SCM localhost = scm_from_utf8_string ("localhost");
  SCM http = scm_from_utf8_string ("http"), tcp = scm_from_utf8_string ("tcp");
  SCM address = scm_make_socket_address (number (AF_INET), LOOPBACK,
                                         scm_list_1 (number (80)));
  SCM found = scm_getaddrinfo (localhost, http, ABSENT, number (AF_INET),
                               number (SOCK_STREAM), ABSENT);
  check (same (part (scm_car (found), 4), address),
         "getaddrinfo waits for the address");
  check (
      same (scm_skp_getnameinfo (address, ABSENT), scm_cons (localhost, http)),
      "getnameinfo is its reverse");
  check (same (part (scm_gethost (localhost), 4), scm_list_1 (LOOPBACK)),
         "gethost finds a host by its name");
  check (same (part (scm_getserv (number (80), tcp), 0), http)
             && same (part (scm_getserv (http, tcp), 2), number (80)),
         "getserv finds a service by its port and by its name");
  check (same (part (scm_getproto (tcp), 2), number (6)),
         "getproto finds a protocol");
  check (same (part (scm_getnet (scm_from_utf8_string ("loopback")), 3),
               scm_from_uint32 (127u << 24)),
         "getnet finds a network");
  scm_setproto (SCM_BOOL_F);
  check (scm_is_vector (scm_getproto (ABSENT)), "getproto reads the file");
  scm_setproto (ABSENT);
}

static SCM
unknown_service (void *name)
{
  return scm_getserv (*(SCM *)name, ABSENT);
}

static SCM
unknown_flags (void *name)
{
  return scm_getaddrinfo (*(SCM *)name, ABSENT, number (0x40000000), ABSENT,
                          ABSENT, ABSENT);
}

static SCM
unknown_host (void *name)
{
  return scm_gethost (*(SCM *)name);
}

static void
unknown_names (void)
{
  SCM name = scm_from_utf8_string ("nosuchname"),
      empty = scm_from_utf8_string ("");
  check (errno_of (thrown (unknown_service, &name)) == ENOENT,
         "an unknown service is ENOENT");
  check (threw (thrown (unknown_flags, &name), "getaddrinfo-error"),
         "unknown flags are an error of getaddrinfo");
  check (threw (thrown (unknown_host, &empty), "host-not-found"),
         "an unknown host has its key");
}

static SCM
port_too_large (void *sock)
{
  return scm_bind (*(SCM *)sock, number (AF_INET), LOOPBACK,
                   scm_list_1 (number (65536)));
}

static SCM
no_port (void *sock)
{
  (void)sock;
  return scm_listen (SCM_BOOL_F, number (1));
}

static SCM
not_connected (void *sock)
{
  return scm_getpeername (*(SCM *)sock);
}

static SCM
wait_for_nothing (void *sock)
{
  return scm_recv (*(SCM *)sock, scm_c_make_bytevector (1), ABSENT);
}

static SCM
send_to_the_dead (void *sock)
{
  return scm_send (*(SCM *)sock, scm_from_utf8_string ("x"), ABSENT);
}

static SCM
accept_closed (void *sock)
{
  scm_skp_close_port (*(SCM *)sock);
  return scm_skp_accept4 (*(SCM *)sock, number (0));
}

static void
errors (void)
{
  SCM sock = bound (SOCK_DGRAM);
  SCM pair
      = scm_socketpair (number (AF_UNIX), number (SOCK_STREAM), number (0));
  SCM left = scm_car (pair), patience = scm_cons (number (0), number (1000));
  check (threw (thrown (port_too_large, &sock), "out-of-range"),
         "a port above 65535 is out of range");
  check (threw (thrown (no_port, NULL), "wrong-type-arg"),
         "what is no port is refused");
  check (errno_of (thrown (not_connected, &sock)) == ENOTCONN,
         "what the kernel refuses tells its errno");
  scm_setsockopt (left, number (SOL_SOCKET), number (SO_RCVTIMEO), patience);
  check (errno_of (thrown (wait_for_nothing, &left)) == EAGAIN,
         "SO_RCVTIMEO ends a wait");
  scm_skp_close_port (scm_cdr (pair));
  check (errno_of (thrown (send_to_the_dead, &left)) == EPIPE,
         "a dead peer is an error, not a signal");
  scm_skp_close_port (left);
  check (threw (thrown (accept_closed, &sock), "wrong-type-arg"),
         "a closed port is refused");
}

static void
define_primitives (void *data)
{
  (void)data;
  scm_skp_init ();
}

static void
primitives (void)
{
  SCM module = scm_c_define_module ("sockport test", define_primitives, NULL);
  SCM name = scm_from_utf8_symbol ("%recv!");
  check (scm_is_true (scm_module_variable (module, name)),
         "the primitives can be defined in a module of one's own");
}

static void *
run (void *data)
{
  (void)data;
  streams ();
  datagrams ();
  options ();
  conversions ();
  names ();
  unknown_names ();
  errors ();
  primitives ();
  return NULL;
}

int
main (void)
{
  scm_with_guile (run, NULL);
  printf ("1..%d\n", points);
  return failures != 0;
}
