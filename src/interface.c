/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Interfaces by name and by index, and a copy of getifaddrs' list.  */

#include <sockport/interface.h>

#include <errno.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>

#include "os.h"

int
skp_interface_index (const char *name, size_t length)
{
  char text[IF_NAMESIZE] = { 0 };
  if (length == 0 || length >= sizeof text || memchr (name, '\0', length))
    return -ENODEV;
  memcpy (text, name, length);
  unsigned index = if_nametoindex (text);
  return index ? (int)index : -errno;
}

int
skp_interface_name (unsigned index, char name[IF_NAMESIZE])
{
  char text[IF_NAMESIZE];
  if (!if_indextoname (index, text))
    return -errno;
  memcpy (name, text, sizeof text);
  return 0;
}

/* getifaddrs gives no lengths: a family's own is the table's.  */
static void
copy_address (struct skp_address *to, const struct sockaddr *from)
{
  to->length = 0;
  if (!from)
    return;
  to->length = skp_address_family (from->sa_family)->length;
  if (to->length == 0)
    to->length = sizeof (struct sockaddr);
  memcpy (&to->storage, from, to->length);
}

static void
copy_interface (struct skp_interface *to, const struct ifaddrs *from)
{
  memset (to, 0, sizeof *to);
  strncpy (to->name, from->ifa_name, sizeof to->name - 1);
  to->index = if_nametoindex (to->name);
  to->flags = from->ifa_flags;
  copy_address (&to->address, from->ifa_addr);
  copy_address (&to->netmask, from->ifa_netmask);
  copy_address (&to->peer, from->ifa_broadaddr);
}

int
skp_interface_list (struct skp_interface **list)
{
  struct ifaddrs *all;
  int count = 0, result = skp__result (getifaddrs (&all));
  if (result < 0)
    return result;
  for (struct ifaddrs *i = all; i; i = i->ifa_next)
    count++;
  struct skp_interface *made = malloc (((size_t)count + 1) * sizeof *made);
  if (made)
    {
      struct skp_interface *to = made;
      for (struct ifaddrs *i = all; i; i = i->ifa_next)
        copy_interface (to++, i);
      *list = made;
    }
  freeifaddrs (all);
  return made ? count : -ENOMEM;
}
