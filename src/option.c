/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The table made from option.def, and reading and writing options.  */

#include <sockport/option.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "kernel.h"
#include "name.h"
#include "os.h"
#include "structure.h"

#define BIT(n) (UINT64_C (1) << (n))
enum
{
  TYPES_STREAM = BIT (SOCK_STREAM),
  TYPES_DGRAM = BIT (SOCK_DGRAM),
  TYPES_RAW = BIT (SOCK_RAW),
  TYPES_PACKETS = BIT (SOCK_DGRAM) | BIT (SOCK_RAW),
  TYPES_CONNECTED = BIT (SOCK_STREAM) | BIT (SOCK_SEQPACKET),
  TYPES_ANY = -1
};
#define FAMILIES_INET BIT (AF_INET)
#define FAMILIES_INET6 BIT (AF_INET6)
#define FAMILIES_INETS (BIT (AF_INET) | BIT (AF_INET6))
#define FAMILIES_UNIX BIT (AF_UNIX)
#define FAMILIES_NETLINK BIT (AF_NETLINK)
#define FAMILIES_LOCAL (BIT (AF_UNIX) | BIT (AF_NETLINK))
#define FAMILIES_PACKET BIT (AF_PACKET)
#define FAMILIES_VSOCK BIT (AF_VSOCK)
#define FAMILIES_ANY UINT64_MAX

#define ROW(name) &skp__structures[SKP__AT_##name]
#define SKP__AT_none SKP__STRUCTURES
#define ROW_OR_NULL(name)                                                      \
  (SKP__AT_##name == SKP__STRUCTURES ? NULL : ROW (name))

static const struct skp_option options[] = {
#define O(level, name, kind, access, families, types, structure, purpose)      \
  { #name,                                                                     \
    level,                                                                     \
    name,                                                                      \
    SKP_OPTION_##kind,                                                         \
    SKP_OPTION_##access,                                                       \
    FAMILIES_##families,                                                       \
    (uint32_t)TYPES_##types,                                                   \
    ROW_OR_NULL (structure),                                                   \
    purpose },
#include "option.def"
};

/* The place of each row, named by its level as well: a name can occur on two
   levels.  */
enum
{
#define O(level, name, kind, access, families, types, structure, purpose)      \
  AT_##level##_##name,
#include "option.def"
};

#define KEY(level, number)                                                     \
  ((uint64_t)(uint32_t)(level) << 32 | (uint32_t)(number))

/* The compiler makes a search of this that is faster than a table made at run
   time, and refuses two rows for one option.  */
static inline const struct skp_option *
find (int level, int number)
{
  switch (KEY (level, number))
    {
#define O(level, name, kind, access, families, types, structure, purpose)      \
  case KEY (level, name):                                                      \
    return &options[AT_##level##_##name];
#include "option.def"
    default:
      return NULL;
    }
}

const struct skp_option *
skp_option_find (int level, int number)
{
  return find (level, number);
}

static const struct
{
  const char *name;
  const struct skp_option *option;
} aliases[] = {
#define A(level, alias, name) { #alias, &options[AT_##level##_##name] },
#include "option.def"
};

#define LENGTH(array) (sizeof (array) / sizeof *(array))

static bool
has_family (const struct skp_option *option, int family)
{
  return family < 0 || family > 63 ? option->families == FAMILIES_ANY
                                   : option->families & BIT (family);
}

static const struct skp_option *
named (const char *name, int family)
{
  const struct skp_option *first = NULL;
  for (size_t i = 0; i < LENGTH (options); i++)
    if (skp__name_same (options[i].name, name))
      {
        if (has_family (&options[i], family))
          return &options[i];
        first = first ? first : &options[i];
      }
  for (size_t i = 0; !first && i < LENGTH (aliases); i++)
    if (skp__name_same (aliases[i].name, name))
      first = aliases[i].option;
  return first;
}

const struct skp_option *
skp_option_named (const char *name, int family)
{
  char full[64] = "SO_";
  const struct skp_option *option = named (name, family);
  if (option || strlen (name) >= sizeof full - 3)
    return option;
  return named (strcat (full, name), family);
}

const struct skp_option *
skp_option_at (size_t index)
{
  return index < LENGTH (options) ? &options[index] : NULL;
}

int
skp_option_applies (const struct skp_option *option, int family, int type)
{
  return has_family (option, family)
         && (type < 0 || type > 31 ? option->types == UINT32_MAX
                                   : (option->types & BIT (type)) != 0);
}

/* SO_GET_FILTER counts instructions where every other option counts bytes: with
   a length in bytes it would write eight times as much (socket(7) is silent on
   it; sk_get_filter in Linux's net/core/filter.c).  */
static int
get_filter (int fd, void *value, socklen_t *length)
{
  socklen_t count = *length / sizeof (struct sock_filter);
  int result
      = SKP__CALL (getsockopt (fd, SOL_SOCKET, SO_GET_FILTER, value, &count));
  if (result >= 0)
    *length = count * sizeof (struct sock_filter);
  return result;
}

/* The kernel refuses SO_PEERNAME when there is more room than the address
   takes, which nobody knows beforehand (sk_getsockopt in Linux's
   net/core/sock.c).  */
static int
get_peer_name (int fd, void *value, socklen_t *length)
{
  return SKP__CALL (getpeername (fd, value, length));
}

int
skp_option_get (int fd, int level, int number, void *value, socklen_t *length)
{
  if (level == SOL_SOCKET && number == SO_GET_FILTER)
    return get_filter (fd, value, length);
  if (level == SOL_SOCKET && number == SO_PEERNAME)
    return get_peer_name (fd, value, length);
  return SKP__CALL (getsockopt (fd, level, number, value, length));
}

int
skp_option_get_int (int fd, int level, int number, int *value)
{
  const struct skp_option *option = find (level, number);
  socklen_t length = sizeof *value;
  if (!option
      || (option->kind != SKP_OPTION_INT && option->kind != SKP_OPTION_BOOL))
    return -ENOMSG;
  int result = SKP__CALL (getsockopt (fd, level, number, value, &length));
  return result < 0 || length == sizeof *value ? result : -ENOMSG;
}

int
skp_option_set (int fd, int level, int number, const void *value,
                socklen_t length)
{
  return SKP__CALL (setsockopt (fd, level, number, value, length));
}

int
skp_option_set_filter (int fd, int level, int number, const void *program,
                       size_t length)
{
  struct sock_fprog filter = { .filter = (struct sock_filter *)program };
  size_t count = length / sizeof *filter.filter;
  if (length % sizeof *filter.filter || count > BPF_MAXINSNS)
    return -EINVAL;
  filter.len = (unsigned short)count;
  return skp_option_set (fd, level, number, &filter, sizeof filter);
}
