/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Interfaces by name and by index, and a copy of getifaddrs' list.  */

#include <sockport/interface.h>

#include <errno.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>

#include "os.h"

/* The index, 0 if the interface has gone meanwhile, or -errno.  */
static int
index_of (const char *name)
{
  unsigned index;
  do
    index = if_nametoindex (name);
  while (index == 0 && errno == EINTR);
  return index || errno == ENODEV ? (int)index : -errno;
}

int
skp_interface_index (const char *name, size_t length)
{
  char text[IF_NAMESIZE] = { 0 };
  if (length == 0 || length >= sizeof text || memchr (name, '\0', length))
    return -ENODEV;
  memcpy (text, name, length);
  int index = index_of (text);
  return index ? index : -ENODEV;
}

int
skp_interface_name (unsigned index, char name[IF_NAMESIZE])
{
  char text[IF_NAMESIZE];
  while (!if_indextoname (index, text))
    if (errno != EINTR)
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

static int
copy_interface (struct skp_interface *to, const struct ifaddrs *from)
{
  memset (to, 0, sizeof *to);
  strncpy (to->name, from->ifa_name, sizeof to->name - 1);
  int index = index_of (to->name);
  if (index < 0)
    return index;
  to->index = (unsigned)index;
  to->flags = from->ifa_flags;
  copy_address (&to->address, from->ifa_addr);
  copy_address (&to->netmask, from->ifa_netmask);
  copy_address (&to->peer, from->ifa_broadaddr);
  return 0;
}

/* An array of them in MADE; their number.  */
static int
copy_all (struct skp_interface **made, const struct ifaddrs *all)
{
  int count = 0, err = 0;
  for (const struct ifaddrs *i = all; i; i = i->ifa_next)
    count++;
  struct skp_interface *to = malloc (((size_t)count + 1) * sizeof *to);
  if (!to)
    return -ENOMEM;
  *made = to;
  for (const struct ifaddrs *i = all; i && err == 0; i = i->ifa_next)
    err = copy_interface (to++, i);
  if (err == 0)
    return count;
  free (*made);
  return err;
}

int
skp_interface_list (struct skp_interface **list)
{
  struct ifaddrs *all;
  struct skp_interface *made;
  int result = SKP__CALL (getifaddrs (&all));
  if (result < 0)
    return result;
  result = copy_all (&made, all);
  freeifaddrs (all);
  if (result >= 0)
    *list = made;
  return result;
}
