/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The kinds of option values that name an interface: by index, by name, or by
   one of its addresses.  */

#include "option-kind.h"
#include "value.h"

#include <arpa/inet.h>
#include <string.h>

#include "structure.h"

static const struct skp_field *
field_named (const struct skp_option *option, const char *name)
{
  const struct skp_structure *structure = option->structure;
  for (size_t i = 0; i < structure->count; i++)
    if (!strcmp (structure->fields[i].name, name))
      return &structure->fields[i];
  return NULL;
}

/* Every address below this one is of network 0, which no interface has.  */
#define FIRST_ADDRESS (1 << 24)

/* INTERFACE, a name or an integer, into a structure that holds an index or, for
   IPv4, one of the interface's addresses.  */
static void
interface_into (struct scm_skp__value *to, const struct skp_option *option,
                SCM interface, const struct source *s)
{
  const struct skp_field *address = field_named (option, "address");
  if (address && scm_is_unsigned_integer (interface, FIRST_ADDRESS, UINT32_MAX))
    scm_skp__field_to (address, to->store, to->length, interface, s->pos,
                       s->who);
  else
    {
      struct skp_part index = { .number = (uint64_t)scm_skp__interface (
                                    interface, s->pos, s->who) };
      skp_field_store (field_named (option, "ifindex"), to->store, to->length,
                       &index);
    }
}

void
scm_skp__membership_to (struct scm_skp__value *to,
                        const struct skp_option *option, const struct source *s)
{
  if (!scm_is_pair (s->value))
    {
      scm_skp__structure_value (to, option, s);
      return;
    }
  to->length = option->structure->size;
  memset (to->store, 0, to->length);
  scm_skp__field_to (field_named (option, "group"), to->store, to->length,
                     SCM_CAR (s->value), s->pos, s->who);
  interface_into (to, option, SCM_CDR (s->value), s);
}

void
scm_skp__interface_to (struct scm_skp__value *to,
                       const struct skp_option *option, const struct source *s)
{
  (void)option;
  int index = scm_skp__interface (s->value, s->pos, s->who);
  scm_skp__give (to, &index, sizeof index);
}

SCM
scm_skp__network_interface_from (const struct skp_option *option,
                                 const unsigned char *bytes, size_t length)
{
  uint32_t index = 0;
  (void)option;
  memcpy (&index, bytes, length < sizeof index ? length : sizeof index);
  return scm_from_uint32 (ntohl (index));
}

void
scm_skp__network_interface_to (struct scm_skp__value *to,
                               const struct skp_option *option,
                               const struct source *s)
{
  (void)option;
  uint32_t index
      = htonl ((uint32_t)scm_skp__interface (s->value, s->pos, s->who));
  scm_skp__give (to, &index, sizeof index);
}

void
scm_skp__address_interface_to (struct scm_skp__value *to,
                               const struct skp_option *option,
                               const struct source *s)
{
  if (scm_skp__is_structure (option->structure, s->value))
    {
      scm_skp__structure_value (to, option, s);
      return;
    }
  to->length = option->structure->size;
  memset (to->store, 0, to->length);
  interface_into (to, option, s->value, s);
}
