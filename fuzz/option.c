/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Options of every kind set to any bytes on a socket of any kind, and read with
   any room, from the running kernel: what is written never goes beyond the
   room, and a refusal writes nothing.  Names are looked up as well.  Only
   options of the table: some of the others reach further than their socket.  */

#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <sockport/option.h>
#include <sockport/socket.h>

#define MARGIN 64

/* A socket of a kind is used so many times: making and closing one, above all
   one that has timestamps or memberships, costs more than all the rest.  */
#define USES 256

static int
some_socket (unsigned choice)
{
  static const int kinds[][2]
      = { { AF_INET, SOCK_STREAM },  { AF_INET, SOCK_DGRAM },
          { AF_INET6, SOCK_STREAM }, { AF_INET6, SOCK_DGRAM },
          { AF_UNIX, SOCK_STREAM },  { AF_UNIX, SOCK_DGRAM },
          { AF_NETLINK, SOCK_RAW } };
  static struct
  {
    int fd, left;
  } kept[sizeof kinds / sizeof *kinds];
  choice %= sizeof kinds / sizeof *kinds;
  if (kept[choice].left-- == 0)
    {
      if (kept[choice].fd > 0)
        close (kept[choice].fd);
      kept[choice].fd = skp_socket_open (kinds[choice][0], kinds[choice][1], 0);
      kept[choice].left = USES;
    }
  return kept[choice].fd;
}

/* What reading opens a descriptor would leak here.  */
static int
opens (const struct skp_option *option)
{
  return option->access & SKP_OPTION_EFFECT
         || option->kind == SKP_OPTION_DESCRIPTOR;
}

static void
read_back (int fd, const struct skp_option *option, struct input *input)
{
  size_t room = take_number (input, 1);
  uint8_t *value = malloc (room + MARGIN), *before = malloc (room + MARGIN);
  socklen_t length = (socklen_t)room;
  memset (value, 0xa5, room + MARGIN);
  take_bytes (input, value, room);
  memcpy (before, value, room + MARGIN);
  int err = skp_option_get (fd, option->level, option->number, value, &length);
  if (err < 0)
    {
      require (length == room);
      require (memcmp (value, before, room) == 0);
    }
  /* Some tell how much there would have been, as SO_PEERNAME.  */
  require (memcmp (value + room, before + room, MARGIN) == 0);
  free (before);
  free (value);
}

static void
look_up (struct input *input)
{
  char *name = malloc (input->left + 1);
  int family = (int)take_number (input, 1) - 1;
  name[take_bytes (input, name, input->left)] = '\0';
  const struct skp_option *option = skp_option_named (name, family);
  if (option)
    {
      require (skp_option_find (option->level, option->number) == option);
      skp_option_applies (option, family, SOCK_STREAM);
    }
  free (name);
}

static void
set_and_get (struct input *input)
{
  uint8_t value[256];
  int fd = some_socket ((unsigned)take_number (input, 1));
  const struct skp_option *option = skp_option_at (take_number (input, 2));
  size_t length = take_bytes (input, value, take_number (input, 1));
  if (option && fd >= 0)
    {
      int err = option->kind == SKP_OPTION_FILTER
                    ? skp_option_set_filter (fd, option->level, option->number,
                                             value, length)
                    : skp_option_set (fd, option->level, option->number, value,
                                      (socklen_t)length);
      require (err >= -4095 && err <= 0);
      if (!opens (option))
        read_back (fd, option, input);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct input input = { data, size };
  if (take_number (&input, 1) & 1)
    look_up (&input);
  else
    set_and_get (&input);
  return 0;
}
