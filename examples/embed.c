/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* embed PORT: a C program that runs Guile and uses the socket functions by the
   names that the Guile manual gives them.  It connects to 127.0.0.1:PORT, sends
   a line, and prints what comes back.

     cc embed.c $(pkg-config --cflags --libs sockport-guile guile-3.0)  */

#include <libguile.h>
#include <stdio.h>
#include <stdlib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sockport/guile-names.h>

static SCM
connected_socket (int port)
{
  SCM sock = scm_socket (scm_from_int (AF_INET), scm_from_int (SOCK_STREAM),
                         scm_from_int (0));
  SCM host = scm_inet_pton (scm_from_int (AF_INET),
                            scm_from_utf8_string ("127.0.0.1"));
  scm_connect (sock, scm_from_int (AF_INET), host,
               scm_list_1 (scm_from_int (port)));
  return sock;
}

static SCM
converse (void *data)
{
  SCM sock = connected_socket (*(int *)data);
  SCM flags = SCM_UNDEFINED;
  SCM answer = scm_c_make_bytevector (100);
  size_t count;

  scm_send (sock, scm_from_utf8_string ("hello from C\n"), flags);
  scm_shutdown (sock, scm_from_int (SHUT_WR));
  while ((count = scm_to_size_t (scm_recv (sock, answer, flags))) > 0)
    fwrite (SCM_BYTEVECTOR_CONTENTS (answer), 1, count, stdout);
  scm_close_port (sock);
  return SCM_BOOL_T;
}

/* What a user can get wrong is a line, not a backtrace.  */
static SCM
explain (void *data, SCM key, SCM args)
{
  (void)data;
  scm_call_4 (scm_c_public_ref ("guile", "print-exception"),
              scm_current_error_port (), SCM_BOOL_F, key, args);
  return SCM_BOOL_F;
}

static void *
guarded (void *data)
{
  SCM done = scm_internal_catch (SCM_BOOL_T, converse, data, explain, NULL);
  return scm_is_true (done) ? data : NULL;
}

int
main (int argc, char **argv)
{
  if (argc != 2)
    {
      fprintf (stderr, "usage: %s PORT\n", argv[0]);
      return 2;
    }
  int port = atoi (argv[1]);
  return scm_with_guile (guarded, &port) ? 0 : 1;
}
