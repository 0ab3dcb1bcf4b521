/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "binding.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define INT(n) scm_from_int (n)

static SCM
open_socket (int family, int style)
{
  return scm_skp_socket (INT (family), INT (style), INT (0));
}

static SCM
get (SCM sock, int level, int number)
{
  return scm_skp_getsockopt (sock, INT (level), INT (number));
}

static void
values_are_as_documented (void **state)
{
  (void)state;
  SCM sock = open_socket (AF_INET, SOCK_STREAM);
  assert_int_equal (scm_to_int (get (sock, SOL_SOCKET, SO_TYPE)), SOCK_STREAM);
  SCM result = scm_skp_setsockopt (sock, INT (SOL_SOCKET), INT (SO_LINGER),
                                   scm_cons (INT (1), INT (7)));
  assert_true (scm_is_eq (result, SCM_UNSPECIFIED));
  SCM linger = get (sock, SOL_SOCKET, SO_LINGER);
  assert_int_equal (scm_to_int (SCM_CAR (linger)), 1);
  assert_int_equal (scm_to_int (SCM_CDR (linger)), 7);
  assert_true (scm_is_string (get (sock, IPPROTO_TCP, TCP_CONGESTION)));
  scm_skp_close_port (sock);
}

/* The records are the Scheme modules', which are not on this program's path. */
static void
structures_are_bytes_without_the_modules (void **state)
{
  (void)state;
  SCM sock = open_socket (AF_INET, SOCK_STREAM);
  SCM info = get (sock, IPPROTO_TCP, TCP_INFO);
  assert_true (scm_is_bytevector (info));
  assert_true (SCM_BYTEVECTOR_LENGTH (info) > 100);
  assert_int_equal (SCM_BYTEVECTOR_CONTENTS (info)[0], TCP_CLOSE);
  scm_skp_close_port (sock);
}

static void
bad_arguments_are_refused_at_their_positions (void **state)
{
  (void)state;
  SCM sock = open_socket (AF_INET, SOCK_STREAM);
  SCM huge = scm_ash (INT (1), INT (70));
  SCM level = INT (SOL_SOCKET), number = INT (SO_RCVBUF);

  THROWS ("wrong-type-arg", 1, "getsockopt", scm_skp_getsockopt, INT (3), level,
          number);
  THROWS ("out-of-range", 2, "getsockopt", scm_skp_getsockopt, sock, huge,
          number);
  THROWS ("wrong-type-arg", 3, "getsockopt", scm_skp_getsockopt, sock, level,
          scm_from_double (1.5));
  THROWS ("out-of-range", 4, "setsockopt", scm_skp_setsockopt, sock, level,
          number, huge);
  THROWS ("wrong-type-arg", 4, "setsockopt", scm_skp_setsockopt, sock, level,
          number, SCM_BOOL_F);
  THROWS ("system-error", ENOPROTOOPT, "getsockopt", scm_skp_getsockopt, sock,
          level, INT (9999));
  scm_skp_close_port (sock);
  THROWS ("wrong-type-arg", 1, "setsockopt", scm_skp_setsockopt, sock, level,
          number, INT (1));
}

static void
interfaces_have_names_and_indices (void **state)
{
  (void)state;
  SCM index = scm_skp_if_nametoindex (scm_from_utf8_string ("lo"));
  assert_int_equal (scm_to_int (index), if_nametoindex ("lo"));
  assert_true (scm_is_true (scm_equal_p (scm_skp_if_indextoname (index),
                                         scm_from_utf8_string ("lo"))));
  THROWS ("system-error", ENODEV, "if-nametoindex", scm_skp_if_nametoindex,
          scm_from_utf8_string ("no-such"));
  THROWS ("out-of-range", 1, "if-indextoname", scm_skp_if_indextoname,
          INT (-1));
}

TESTS (TEST (values_are_as_documented),
       TEST (structures_are_bytes_without_the_modules),
       TEST (bad_arguments_are_refused_at_their_positions),
       TEST (interfaces_have_names_and_indices));
