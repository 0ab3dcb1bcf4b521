/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Addresses from parts and back.  The table of families is the only place that
   knows what a family's sockaddr looks like; nothing here calls the kernel.  */

#include <sockport/address.h>

#include <errno.h>
#include <string.h>
#include <sys/un.h>
#include <netinet/in.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>

#define AT(type, field) offsetof (struct type, field)
#define SIZE(type, field) sizeof (((struct type *)0)->field)
#define FIELD(text, of_kind, type, field)                                      \
  {                                                                            \
    .name = text, .kind = SKP_FIELD_##of_kind, .offset = AT (type, field),     \
    .size = SIZE (type, field)                                                 \
  }
/* One that ends where the address does, after MOST bytes at the latest.  */
#define OPEN(text, of_kind, at, most, length_at)                               \
  {                                                                            \
    .name = text, .kind = SKP_FIELD_##of_kind, .offset = at, .size = most,     \
    .open = 1, .length_offset = length_at                                      \
  }

/* The first one stands for every family that is not listed.  */
static const struct skp_family families[] = {
  { AF_UNSPEC,
    1,
    0,
    0,
    { OPEN ("bytes", BYTES, sizeof (sa_family_t),
            sizeof (struct sockaddr_storage) - sizeof (sa_family_t), 0) } },
  { AF_INET,
    2,
    2,
    sizeof (struct sockaddr_in),
    { FIELD ("addr", NETWORK, sockaddr_in, sin_addr),
      FIELD ("port", NETWORK, sockaddr_in, sin_port) } },
  { AF_INET6,
    4,
    2,
    sizeof (struct sockaddr_in6),
    { FIELD ("addr", WIDE, sockaddr_in6, sin6_addr),
      FIELD ("port", NETWORK, sockaddr_in6, sin6_port),
      FIELD ("flowinfo", NETWORK, sockaddr_in6, sin6_flowinfo),
      FIELD ("scopeid", UNSIGNED, sockaddr_in6, sin6_scope_id) } },
  { AF_UNIX,
    1,
    1,
    0,
    { OPEN ("path", NAME, AT (sockaddr_un, sun_path),
            SIZE (sockaddr_un, sun_path), 0) } },
  { AF_NETLINK,
    2,
    0,
    sizeof (struct sockaddr_nl),
    { FIELD ("pid", UNSIGNED, sockaddr_nl, nl_pid),
      FIELD ("groups", UNSIGNED, sockaddr_nl, nl_groups) } },
  { AF_PACKET,
    5,
    2,
    sizeof (struct sockaddr_ll),
    { FIELD ("protocol", NETWORK, sockaddr_ll, sll_protocol),
      FIELD ("ifindex", UNSIGNED, sockaddr_ll, sll_ifindex),
      FIELD ("hatype", UNSIGNED, sockaddr_ll, sll_hatype),
      FIELD ("pkttype", UNSIGNED, sockaddr_ll, sll_pkttype),
      OPEN ("addr", BYTES, AT (sockaddr_ll, sll_addr), 32,
            AT (sockaddr_ll, sll_halen)) } },
  { AF_VSOCK,
    2,
    2,
    sizeof (struct sockaddr_vm),
    { FIELD ("cid", UNSIGNED, sockaddr_vm, svm_cid),
      FIELD ("port", UNSIGNED, sockaddr_vm, svm_port) } },
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

int
skp_address_encode (struct skp_address *address, int family,
                    const struct skp_part *parts, int count)
{
  const struct skp_family *rules = skp_address_family (family);
  /* The parts may point into ADDRESS.  */
  struct sockaddr_storage made = { 0 };
  size_t end = rules->length ? rules->length : sizeof (sa_family_t);

  if (family < 0 || family > (sa_family_t)-1 || count < rules->required
      || count > rules->count)
    return -EINVAL;
  made.ss_family = (sa_family_t)family;
  for (int i = 0; i < count; i++)
    {
      ssize_t past
          = skp_field_store (&rules->fields[i], &made, sizeof made, &parts[i]);
      if (past < 0)
        return (int)past;
      if ((size_t)past > end)
        end = (size_t)past;
    }
  /* A NUL after a UNIX name is none of it, but valgrind reads that far.  */
  memcpy (&address->storage, &made, end < sizeof made ? end + 1 : end);
  address->length = (socklen_t)end;
  return 0;
}

/* The bytes without which an address is none of its family.  getsockname of a
   packet socket leaves out what the hardware address does not fill.  */
static size_t
least_length (const struct skp_family *rules)
{
  const struct skp_field *last = &rules->fields[rules->count - 1];
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

/* No field of numbers lies beyond what its family has at least.  */
const struct skp_family *
skp_address_decode (const struct skp_address *address, struct skp_part *parts)
{
  const struct skp_family *rules = rules_of (address);
  size_t length = address->length;

  if (length > sizeof address->storage)
    length = sizeof address->storage;
  for (int i = 0; i < rules->count; i++)
    if (skp_field_load (&rules->fields[i], &address->storage, length, &parts[i])
        < 0)
      parts[i] = (struct skp_part){ 0 };
  return rules;
}
