/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Addresses from parts and back.  The table of families is the only place that
   knows what a family's sockaddr looks like; nothing here calls the kernel.  */

#include <sockport/address.h>

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/un.h>
#include <netinet/in.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>

#define AT(type, field) offsetof (struct type, field)
#define SIZE(type, field) sizeof (((struct type *)0)->field)
#define NUMBER(text, type, field, network)                                     \
  {                                                                            \
    text, SKP_PART_NUMBER, AT (type, field), SIZE (type, field), network, 0    \
  }

/* The first one stands for every family that is not listed.  */
static const struct skp_family families[] = {
  { AF_UNSPEC,
    1,
    0,
    0,
    { { "bytes", SKP_PART_BYTES, sizeof (sa_family_t),
        sizeof (struct sockaddr_storage) - sizeof (sa_family_t), 0, 0 } } },
  { AF_INET,
    2,
    2,
    sizeof (struct sockaddr_in),
    { NUMBER ("addr", sockaddr_in, sin_addr, 1),
      NUMBER ("port", sockaddr_in, sin_port, 1) } },
  { AF_INET6,
    4,
    2,
    sizeof (struct sockaddr_in6),
    { { "addr", SKP_PART_WIDE, AT (sockaddr_in6, sin6_addr), 16, 1, 0 },
      NUMBER ("port", sockaddr_in6, sin6_port, 1),
      NUMBER ("flowinfo", sockaddr_in6, sin6_flowinfo, 1),
      NUMBER ("scopeid", sockaddr_in6, sin6_scope_id, 0) } },
  { AF_UNIX,
    1,
    1,
    0,
    { { "path", SKP_PART_NAME, AT (sockaddr_un, sun_path),
        SIZE (sockaddr_un, sun_path), 0, 0 } } },
  { AF_NETLINK,
    2,
    0,
    sizeof (struct sockaddr_nl),
    { NUMBER ("pid", sockaddr_nl, nl_pid, 0),
      NUMBER ("groups", sockaddr_nl, nl_groups, 0) } },
  { AF_PACKET,
    5,
    2,
    sizeof (struct sockaddr_ll),
    { NUMBER ("protocol", sockaddr_ll, sll_protocol, 1),
      NUMBER ("ifindex", sockaddr_ll, sll_ifindex, 0),
      NUMBER ("hatype", sockaddr_ll, sll_hatype, 0),
      NUMBER ("pkttype", sockaddr_ll, sll_pkttype, 0),
      { "addr", SKP_PART_BYTES, AT (sockaddr_ll, sll_addr), 32, 0,
        AT (sockaddr_ll, sll_halen) } } },
  { AF_VSOCK,
    2,
    2,
    sizeof (struct sockaddr_vm),
    { NUMBER ("cid", sockaddr_vm, svm_cid, 0),
      NUMBER ("port", sockaddr_vm, svm_port, 0) } },
};

static inline const struct skp_family *
family_find (int family)
{
  for (size_t i = 1; i < sizeof families / sizeof *families; i++)
    if (families[i].family == family)
      return &families[i];
  return &families[0];
}

const struct skp_family *
skp_address_family (int family)
{
  return family_find (family);
}

int
skp_address_number (const struct skp_address *address)
{
  return address->length < sizeof (sa_family_t) ? AF_UNSPEC
                                                : address->storage.ss_family;
}

/* Sizes of a power of two up to 4: one load or store and perhaps a swap, as the
   kernel's own headers would do it.  */
static void
number_store (unsigned char *at, uint64_t number, const struct skp_part_rule *r)
{
  uint32_t wide = (uint32_t)number;
  uint16_t narrow = (uint16_t)number;
  if (r->size == 4)
    memcpy (at, &(uint32_t){ r->network ? htobe32 (wide) : wide }, 4);
  else if (r->size == 2)
    memcpy (at, &(uint16_t){ r->network ? htobe16 (narrow) : narrow }, 2);
  else
    *at = (unsigned char)number;
}

/* A NUL inside a pathname would make the kernel use another, shorter name.  */
static int
bytes_check (const struct skp_part *part, const struct skp_part_rule *r)
{
  const char *bytes = part->bytes;
  if (part->length > r->size)
    return -ENAMETOOLONG;
  if (r->kind == SKP_PART_NAME && part->length > 0 && bytes[0] != '\0'
      && memchr (bytes, '\0', part->length))
    return -EINVAL;
  return 0;
}

/* Can PART be stored?  0, or -errno.  */
static int
part_check (const struct skp_part *part, const struct skp_part_rule *r)
{
  if (r->kind == SKP_PART_NUMBER)
    return part->number >> (8 * r->size) ? -ERANGE : 0;
  if (r->kind == SKP_PART_WIDE)
    return part->length == r->size ? 0 : -EINVAL;
  return bytes_check (part, r);
}

static void
part_store (unsigned char *base, const struct skp_part *part,
            const struct skp_part_rule *r)
{
  if (r->kind == SKP_PART_NUMBER)
    {
      number_store (base + r->offset, part->number, r);
      return;
    }
  if (part->length > 0)
    memcpy (base + r->offset, part->bytes, part->length);
  if (r->length_offset)
    base[r->length_offset] = (unsigned char)part->length;
}

int
skp_address_encode (struct skp_address *address, int family,
                    const struct skp_part *parts, int count)
{
  const struct skp_family *rules = skp_address_family (family);
  /* The parts may point into ADDRESS.  */
  struct sockaddr_storage made;
  size_t end = rules->length ? rules->length : sizeof (sa_family_t);

  if (family < 0 || family > (sa_family_t)-1 || count < rules->required
      || count > rules->count)
    return -EINVAL;
  for (int i = 0; i < count; i++)
    {
      const struct skp_part_rule *r = &rules->parts[i];
      int err = part_check (&parts[i], r);
      if (err < 0)
        return err;
      if (r->kind != SKP_PART_NUMBER && r->offset + parts[i].length > end)
        end = r->offset + parts[i].length;
    }
  /* A NUL after a UNIX name is none of it, but valgrind reads that far.  */
  size_t size = end < sizeof made ? end + 1 : end;
  memset (&made, 0, size);
  made.ss_family = (sa_family_t)family;
  for (int i = 0; i < count; i++)
    part_store ((unsigned char *)&made, &parts[i], &rules->parts[i]);
  memcpy (&address->storage, &made, size);
  address->length = (socklen_t)end;
  return 0;
}

/* The kernel reports a pathname with the NUL that it added itself, an abstract
   name exactly (unix(7)); a socket without a name has the family alone.  */
static void
bytes_load (struct skp_part *part, const unsigned char *base, size_t length,
            const struct skp_part_rule *r)
{
  size_t have = length > r->offset ? length - r->offset : 0;

  part->bytes = base + r->offset;
  part->length = have;
  if (r->length_offset && base[r->length_offset] < have)
    part->length = base[r->length_offset];
  if (r->kind != SKP_PART_NAME)
    return;
  if (have == 0)
    part->bytes = NULL;
  else if (base[r->offset] != '\0' && base[length - 1] == '\0')
    part->length = have - 1;
}

/* The bytes without which an address is none of its family.  getsockname of a
   packet socket leaves out what the hardware address does not fill.  */
static size_t
least_length (const struct skp_family *rules)
{
  const struct skp_part_rule *last = &rules->parts[rules->count - 1];
  return last->length_offset ? last->offset : rules->length;
}

static inline const struct skp_family *
rules_of (const struct skp_address *address)
{
  const struct skp_family *rules = family_find (
      address->length < sizeof (sa_family_t) ? AF_UNSPEC
                                             : address->storage.ss_family);
  return address->length < least_length (rules) ? &families[0] : rules;
}

const struct skp_family *
skp_address_rules (const struct skp_address *address)
{
  return rules_of (address);
}

const struct skp_family *
skp_address_decode (const struct skp_address *address, struct skp_part *parts)
{
  const unsigned char *base = (const unsigned char *)&address->storage;
  const struct skp_family *rules = rules_of (address);
  size_t length = address->length;

  if (length > sizeof address->storage)
    length = sizeof address->storage;
  for (int i = 0; i < rules->count; i++)
    {
      const struct skp_part_rule *r = &rules->parts[i];
      parts[i] = (struct skp_part){ 0 };
      if (r->kind == SKP_PART_NUMBER)
        parts[i].number = skp_address_part_number (address, r);
      else if (r->kind == SKP_PART_WIDE)
        parts[i]
            = (struct skp_part){ .bytes = base + r->offset, .length = r->size };
      else
        bytes_load (&parts[i], base, length, r);
    }
  return rules;
}
