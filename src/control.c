/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The table of control messages, walking and building a buffer of them, and
   their data by the table.  */

#include <sockport/control.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_alg.h>

#include "kernel.h"

#define AT(type, field) offsetof (struct type, field)
#define SIZE(type, field) sizeof (((struct type *)0)->field)
#define PLACE(text, of_kind, at, bytes)                                        \
  {                                                                            \
    .name = text, .kind = SKP_FIELD_##of_kind, .offset = at, .size = bytes,    \
    .open = (bytes) == 0                                                       \
  }
#define FIELD(text, of_kind, type, field)                                      \
  PLACE (text, of_kind, AT (type, field), SIZE (type, field))
#define LAYOUT(name) static const struct skp_control_layout layout_##name
#define SCALAR(name, of_kind, size)                                            \
  LAYOUT (name) = { size, 0, 1, { PLACE ("value", of_kind, 0, size) } }
#define OPEN(name, of_kind)                                                    \
  LAYOUT (name) = { 0, 1, 1, { PLACE (#name, of_kind, 0, 0) } }

SCALAR (signed32, SIGNED, 4);
SCALAR (unsigned8, UNSIGNED, 1);
SCALAR (unsigned16, UNSIGNED, 2);
SCALAR (unsigned32, UNSIGNED, 4);
SCALAR (unsigned64, UNSIGNED, 8);
/* The old ones are made of longs, the new ones of 64 bits everywhere.  */
SCALAR (timeval_old, TIMEVAL, 2 * sizeof (long));
SCALAR (timeval_new, TIMEVAL, 16);
SCALAR (timespec_old, TIMESPEC, 2 * sizeof (long));
SCALAR (timespec_new, TIMESPEC, 16);
SCALAR (descriptor, DESCRIPTORS, sizeof (int));
OPEN (rights, DESCRIPTORS);
OPEN (address, ADDRESS);
OPEN (bytes, BYTES);

#define THREE_TIMES(name, size)                                                \
  LAYOUT (name) = { 3 * (size),                                                \
                    0,                                                         \
                    3,                                                         \
                    { PLACE ("software", TIMESPEC, 0, size),                   \
                      PLACE ("legacy", TIMESPEC, size, size),                  \
                      PLACE ("hardware", TIMESPEC, 2 * (size), size) } }
THREE_TIMES (timestamping_old, 2 * sizeof (long));
THREE_TIMES (timestamping_new, 16);

LAYOUT (timestamping_pktinfo)
    = { sizeof (struct scm_ts_pktinfo),
        0,
        2,
        { FIELD ("interface", UNSIGNED, scm_ts_pktinfo, if_index),
          FIELD ("length", UNSIGNED, scm_ts_pktinfo, pkt_length) } };

LAYOUT (credentials) = { sizeof (struct ucred),
                         0,
                         3,
                         { FIELD ("pid", SIGNED, ucred, pid),
                           FIELD ("uid", UNSIGNED, ucred, uid),
                           FIELD ("gid", UNSIGNED, ucred, gid) } };

LAYOUT (pktinfo) = { sizeof (struct in_pktinfo),
                     0,
                     3,
                     { FIELD ("interface", UNSIGNED, in_pktinfo, ipi_ifindex),
                       FIELD ("local", NETWORK, in_pktinfo, ipi_spec_dst),
                       FIELD ("address", NETWORK, in_pktinfo, ipi_addr) } };

LAYOUT (pktinfo6)
    = { sizeof (struct in6_pktinfo),
        0,
        2,
        { FIELD ("interface", UNSIGNED, in6_pktinfo, ipi6_ifindex),
          FIELD ("address", WIDE, in6_pktinfo, ipi6_addr) } };

LAYOUT (pathmtu) = { sizeof (struct ip6_mtuinfo),
                     0,
                     2,
                     { FIELD ("address", ADDRESS, ip6_mtuinfo, ip6m_addr),
                       FIELD ("mtu", UNSIGNED, ip6_mtuinfo, ip6m_mtu) } };

LAYOUT (error)
    = { sizeof (struct sock_extended_err),
        1,
        7,
        { FIELD ("errno", UNSIGNED, sock_extended_err, ee_errno),
          FIELD ("origin", UNSIGNED, sock_extended_err, ee_origin),
          FIELD ("type", UNSIGNED, sock_extended_err, ee_type),
          FIELD ("code", UNSIGNED, sock_extended_err, ee_code),
          FIELD ("info", UNSIGNED, sock_extended_err, ee_info),
          FIELD ("data", UNSIGNED, sock_extended_err, ee_data),
          PLACE ("offender", ADDRESS, sizeof (struct sock_extended_err), 0) } };

LAYOUT (auxdata)
    = { sizeof (struct tpacket_auxdata),
        0,
        7,
        { FIELD ("status", UNSIGNED, tpacket_auxdata, tp_status),
          FIELD ("length", UNSIGNED, tpacket_auxdata, tp_len),
          FIELD ("captured", UNSIGNED, tpacket_auxdata, tp_snaplen),
          FIELD ("mac", UNSIGNED, tpacket_auxdata, tp_mac),
          FIELD ("net", UNSIGNED, tpacket_auxdata, tp_net),
          FIELD ("vlan-tci", UNSIGNED, tpacket_auxdata, tp_vlan_tci),
          FIELD ("vlan-tpid", UNSIGNED, tpacket_auxdata, tp_vlan_tpid) } };

static const struct skp_control_type types[] = {
#define CONTROL(name, level, type, layout)                                     \
  { name, level, type, &layout_##layout },
#include "control.def"
#undef CONTROL
};
static const struct skp_control_type unknown = { NULL, 0, 0, &layout_bytes };

#define TYPES (sizeof types / sizeof *types)
#define MAX_DESCRIPTORS 253 /* SCM_MAX_FD of the kernel's net/scm.h */

const struct skp_control_type *
skp_control_at (size_t index)
{
  return index < TYPES ? &types[index] : NULL;
}

static int
fits (const struct skp_control_layout *layout, size_t length)
{
  if (layout->fields[0].kind == SKP_FIELD_DESCRIPTORS
      && length % sizeof (int) != 0)
    return 0;
  return length == layout->size || (layout->open && length > layout->size);
}

const struct skp_control_type *
skp_control_find (int level, int type, size_t length)
{
  for (size_t i = 0; i < TYPES; i++)
    if (types[i].level == level && types[i].type == type
        && fits (types[i].layout, length))
      return &types[i];
  return &unknown;
}

int
skp_control_known (int level, int type)
{
  for (size_t i = 0; i < TYPES; i++)
    if (types[i].level == level && types[i].type == type)
      return 1;
  return 0;
}

const struct skp_control_type *
skp_control_decode (const struct skp_control_item *item, struct skp_part *parts)
{
  const struct skp_control_type *type
      = skp_control_find (item->level, item->type, item->length);
  const struct skp_control_layout *layout = type->layout;

  for (int i = 0; i < layout->count; i++)
    if (skp_field_load (&layout->fields[i], item->bytes, item->length,
                        &parts[i])
        < 0)
      {
        /* A time that no clock shows: keep the bytes.  */
        parts[0]
            = (struct skp_part){ .bytes = item->bytes, .length = item->length };
        return &unknown;
      }
  return type;
}

ssize_t
skp_control_encode (const struct skp_control_type *type,
                    const struct skp_part *parts, int count, void *data,
                    size_t room)
{
  const struct skp_control_layout *layout = type->layout;
  size_t length = layout->size;

  if (count != layout->count)
    return -EINVAL;
  if (length > room)
    return -ENOSPC;
  memset (data, 0, length);
  for (int i = 0; i < count; i++)
    {
      ssize_t past
          = skp_field_store (&layout->fields[i], data, room, &parts[i]);
      if (past < 0)
        return past;
      if ((size_t)past > length)
        length = (size_t)past;
    }
  return (ssize_t)length;
}

size_t
skp_control_space (size_t length)
{
  return CMSG_SPACE (length);
}

size_t
skp_control_data_offset (void)
{
  return CMSG_LEN (0);
}

ssize_t
skp_control_append (void *control, size_t room, size_t at,
                    const struct skp_control_item *item)
{
  struct cmsghdr header = { CMSG_LEN (item->length), item->level, item->type };
  unsigned char *start = (unsigned char *)control + at;
  size_t space = CMSG_SPACE (item->length);

  if (at > room || item->length > room || space > room - at)
    return -ENOSPC;
  memcpy (start, &header, sizeof header);
  if (item->bytes)
    memmove (start + CMSG_LEN (0), item->bytes, item->length);
  size_t written = item->bytes ? header.cmsg_len : CMSG_LEN (0);
  memset (start + written, 0, space - written);
  return (ssize_t)(at + space);
}

int
skp_control_next (const void *control, size_t length, size_t *at,
                  struct skp_control_item *item)
{
  struct cmsghdr header;
  size_t rest = length > *at ? length - *at : 0;

  if (rest == 0)
    return 0;
  if (rest < CMSG_LEN (0))
    return -EBADMSG;
  const unsigned char *start = (const unsigned char *)control + *at;
  memcpy (&header, start, sizeof header);
  if (header.cmsg_len < CMSG_LEN (0) || header.cmsg_len > rest)
    return -EBADMSG;
  *item = (struct skp_control_item){ header.cmsg_level, header.cmsg_type,
                                     start + CMSG_LEN (0),
                                     header.cmsg_len - CMSG_LEN (0) };
  /* The last one may come without its padding, when the room was cut.  */
  size_t space = CMSG_ALIGN (header.cmsg_len);
  *at += space < rest ? space : rest;
  return 1;
}

static int
carries_descriptors (const struct skp_control_item *item)
{
  const struct skp_control_type *type
      = skp_control_find (item->level, item->type, item->length);
  return type->layout->fields[0].kind == SKP_FIELD_DESCRIPTORS;
}

int
skp_control_check (const void *control, size_t length)
{
  struct skp_control_item item;
  size_t at = 0, descriptors = 0;
  int more;

  while ((more = skp_control_next (control, length, &at, &item)) > 0)
    {
      if (!skp_control_find (item.level, item.type, item.length)->name
          && skp_control_known (item.level, item.type))
        return -EINVAL;
      if (carries_descriptors (&item))
        descriptors += item.length / sizeof (int);
    }
  return more < 0 || descriptors > MAX_DESCRIPTORS ? -EINVAL : 0;
}

int
skp_control_close (void *control, size_t length)
{
  struct skp_control_item item;
  size_t at = 0;
  int closed = 0;

  while (skp_control_next (control, length, &at, &item) > 0)
    for (size_t i = 0;
         carries_descriptors (&item) && i < item.length / sizeof (int); i++)
      {
        int fd, none = -1;
        unsigned char *place = (unsigned char *)item.bytes + i * sizeof fd;
        memcpy (&fd, place, sizeof fd);
        memcpy (place, &none, sizeof none);
        /* Whatever else close reports, the descriptor is gone (close(2)).  */
        closed += fd >= 0 && (close (fd) == 0 || errno != EBADF);
      }
  return closed;
}
