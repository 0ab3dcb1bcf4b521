/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How a socket port is printed: as Guile does it, and with its addresses.  */

#include "primitive.h"

#include <unistd.h>
#include <sockport/socket.h>

/* Is there anything in ADDRESS besides its family?  A socket that has no name
   yet is all zeros there, and so is the peer of a socketpair.  */
static int
named (const struct skp_address *address)
{
  const unsigned char *bytes = (const unsigned char *)&address->storage;
  for (size_t i = sizeof (sa_family_t); i < address->length; i++)
    if (bytes[i])
      return 1;
  return 0;
}

static void
print_address (const char *before, int fd,
               int (*ask) (int, struct skp_address *), SCM port)
{
  struct skp_address address;
  char text[SKP_ADDRESS_TEXT];
  if (ask (fd, &address) < 0 || !named (&address)
      || skp_address_format (&address, text, sizeof text) < 0)
    return;
  scm_puts (before, port);
  scm_puts (text, port);
}

static void
print_open (SCM exp, SCM port)
{
  int fd = SCM_FPORT_FDES (exp);
  SCM name = scm_port_filename (exp);
  if (scm_is_string (name) || scm_is_symbol (name))
    scm_display (name, port);
  else
    scm_puts ("file", port);
  scm_putc (' ', port);
  scm_display (isatty (fd) ? scm_ttyname (exp) : scm_from_int (fd), port);
  print_address (" ", fd, skp_socket_name, port);
  print_address (" to ", fd, skp_socket_peer, port);
}

static int
print (SCM exp, SCM port, scm_print_state *state)
{
  (void)state;
  scm_puts ("#<", port);
  scm_print_port_mode (exp, port);
  if (SCM_OPFPORTP (exp))
    print_open (exp, port);
  else
    {
      scm_puts ("file ", port);
      scm_display (
          scm_number_to_string (scm_object_address (exp), scm_from_int (16)),
          port);
    }
  scm_putc ('>', port);
  return 1;
}

void
scm_skp__init_print (void)
{
  scm_set_port_print (scm_file_port_type, print);
}
