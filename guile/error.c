/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* See error.h.  Nothing here is on a fast path.  */

#include "error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sockport/constant.h>
#include <sockport/socket.h>

void
scm_skp__error (long negative_errno, const char *who)
{
  errno = (int)-negative_errno;
  scm_syserror (who);
}

/* What an errno of a call usually means.  A row without WHO is for every call.
 */
struct hint
{
  const char *who;
  int error;
  const char *text;
};

static const struct hint hints[] = {
  { "accept", EINVAL, "the socket does not listen; call listen first" },
  { "accept", EOPNOTSUPP, "a socket of this type does not accept connections" },
  { "listen", EOPNOTSUPP, "a socket of this type does not listen" },
  { "listen", EINVAL, "the socket is connected, or has no name to listen at" },
  { "bind", EADDRNOTAVAIL, "no interface of this machine has this address" },
  { "bind", EACCES, "ports below 1024 are for privileged programs" },
  { "connect", EISCONN, "a socket is connected once; make a new one" },
  { "send", EPIPE, "the peer has gone, or there never was one" },
  { "send", EMSGSIZE, "the message is longer than one datagram can be" },
  { "sendto", EMSGSIZE, "the message is longer than one datagram can be" },
  { "sendmsg", EMSGSIZE, "the message is longer than one datagram can be" },
  { "send", EDESTADDRREQ, "the socket has no peer; connect it, or use sendto" },
  { "send", ENOTCONN, "the socket has no peer; connect it, or use sendto" },
  { "sendmsg", EDESTADDRREQ,
    "the socket has no peer; connect it, or say where" },
  { "sendto", EISCONN, "the socket is connected; use send" },
  { NULL, ENOTCONN, "the socket is not connected" },
  { NULL, ENOTSOCK, "the port is open on something that is no socket" },
};

#define BROADCAST "a broadcast address? that needs SO_BROADCAST, set before"

/* What holds for sockets of one family alone: port and path have different
   reasons.  */
static const struct
{
  int family;
  struct hint hint;
} hints_of_family[] = {
  { AF_UNIX, { "bind", EACCES, "the directory cannot be written to" } },
  { AF_UNIX,
    { "bind", EADDRINUSE,
      "the name is taken; if nobody listens there, delete the file" } },
  { AF_UNIX, { "connect", ECONNREFUSED, "nobody listens there" } },
  { AF_UNIX,
    { "connect", EACCES, "the file of the socket cannot be written to" } },
  /* Of what else makes EACCES, a prohibited route say, nothing is known.  */
  { AF_INET, { "sendto", EACCES, BROADCAST } },
  { AF_INET, { "sendmsg", EACCES, BROADCAST } },
  { AF_INET, { "connect", EACCES, BROADCAST } },
};

static int
fits (const struct hint *hint, const char *who, int error)
{
  return hint->error == error && (!hint->who || strcmp (hint->who, who) == 0);
}

static const char *
usual_meaning (const char *who, int error, int fd)
{
  struct skp_address own;
  if (strcmp (who, "bind") == 0 && error == EINVAL)
    return "the socket is bound already";
  for (size_t i = 0; i < sizeof hints_of_family / sizeof *hints_of_family; i++)
    if (fits (&hints_of_family[i].hint, who, error)
        && skp_socket_name (fd, &own) == 0
        && skp_address_number (&own) == hints_of_family[i].family)
      return hints_of_family[i].hint.text;
  for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
    if (fits (&hints[i], who, error))
      return hints[i].text;
  return NULL;
}

/* The name of the constant that begins with AF_ and is FAMILY; of those of a
   UNIX socket, the one that the manual uses.  */
static const char *
family_name (int family)
{
  const struct skp_constant *constant;
  for (size_t i = 0; (constant = skp_constant_at (i)); i++)
    if (constant->value == family && strncmp (constant->name, "AF_", 3) == 0
        && (family != AF_UNIX || strcmp (constant->name, "AF_UNIX") == 0))
      return constant->name;
  return "an unknown family";
}

#define HINT_SIZE 128

/* Write into TEXT what would have been right; 0 if that is not known.  */
static int
explain (const char *who, int error, int fd, const struct skp_address *address,
         char text[HINT_SIZE])
{
  struct skp_address own;
  if (address && skp_socket_name (fd, &own) == 0
      && skp_address_number (&own) != skp_address_number (address))
    {
      snprintf (text, HINT_SIZE, "the socket is of %s, the address of %s",
                family_name (skp_address_number (&own)),
                family_name (skp_address_number (address)));
      return 1;
    }
  const char *usual = usual_meaning (who, error, fd);
  if (usual)
    snprintf (text, HINT_SIZE, "%s", usual);
  return usual != NULL;
}

/* Is ERROR about the peer rather than about this socket?  */
static int
about_peer (int error)
{
  return error == ECONNREFUSED || error == ECONNRESET || error == EHOSTUNREACH
         || error == ENETUNREACH || error == ETIMEDOUT || error == EPIPE;
}

void
scm_skp__error_at (long negative_errno, const char *who, int fd,
                   const struct skp_address *address)
{
  int error = (int)-negative_errno;
  char text[SKP_ADDRESS_TEXT], hint[HINT_SIZE];
  struct skp_address peer;
  SCM reason = scm_strerror (scm_from_int (error));

  if (!address && about_peer (error) && skp_socket_peer (fd, &peer) == 0
      && peer.length > sizeof (sa_family_t))
    address = &peer;
  int explained = explain (who, error, fd, address, hint);
  if (explained)
    reason
        = scm_simple_format (SCM_BOOL_F, scm_from_utf8_string ("~A (~A)"),
                             scm_list_2 (reason, scm_from_utf8_string (hint)));
  if (!address || skp_address_format (address, text, sizeof text) < 0)
    scm_syserror_msg (who, "~A", scm_list_1 (reason), error);
  scm_syserror_msg (who, "~A: ~A",
                    scm_list_2 (scm_from_utf8_string (text), reason), error);
}

void
scm_skp__error_closed (const char *who)
{
  scm_syserror_msg (who, "the port was closed while waiting", SCM_EOL, EBADF);
}

void
scm_skp__out_of_range (SCM value, const char *bounds, int pos, const char *who)
{
  scm_error (
      scm_from_utf8_symbol ("out-of-range"), who,
      "Argument ~A out of range (~A): ~S",
      scm_list_3 (scm_from_int (pos), scm_from_utf8_string (bounds), value),
      scm_list_1 (value));
}

void
scm_skp__refuse_fd (SCM port, int pos, const char *who)
{
  const char *expected = "open file port";
  if (SCM_PORTP (port) && SCM_FPORTP (port))
    expected = "open file port; this one has been closed";
  scm_wrong_type_arg_msg (who, pos, port, expected);
}

void
scm_skp__refuse_integer (SCM value, int64_t low, int64_t high, int pos,
                         const char *who)
{
  char bounds[64];
  if (!scm_is_exact_integer (value))
    scm_wrong_type_arg_msg (who, pos, value, "exact integer");
  snprintf (bounds, sizeof bounds, "%" PRId64 " to %" PRId64, low, high);
  scm_skp__out_of_range (value, bounds, pos, who);
}
