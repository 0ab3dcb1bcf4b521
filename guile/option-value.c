/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The kinds of option values: a function in, a function out and a size for
   each.  Nothing here knows an option.  */

#include "option-kind.h"
#include "port.h"
#include "value.h"

#include <limits.h>
#include <string.h>

#include "structure.h"

_Noreturn static void
refuse (const struct source *s, const char *expected)
{
  scm_wrong_type_arg_msg (s->who, s->pos, s->value, expected);
}

_Noreturn static void
out_of_range (const struct source *s, SCM value, const char *bounds)
{
  scm_skp__out_of_range (value, bounds, s->pos, s->who);
}

void
scm_skp__give (struct scm_skp__value *to, const void *bytes, size_t length)
{
  memcpy (to->store, bytes, length);
  to->length = length;
}

/* A value shorter than an int is the int's first byte (ip(7)).  */
static SCM
int_from (const struct skp_option *option, const unsigned char *bytes,
          size_t length)
{
  int value;
  (void)option;
  if (length < sizeof value)
    return scm_from_int (length > 0 ? bytes[0] : 0);
  memcpy (&value, bytes, sizeof value);
  return scm_from_int (value);
}

static void
int_to (struct scm_skp__value *to, const struct skp_option *option,
        const struct source *s)
{
  (void)option;
  int value
      = (int)scm_skp__integer (s->value, INT_MIN, INT_MAX, s->pos, s->who);
  scm_skp__give (to, &value, sizeof value);
}

static SCM
uint_from (const struct skp_option *option, const unsigned char *bytes,
           size_t length)
{
  uint32_t value = 0;
  (void)option;
  memcpy (&value, bytes, length < sizeof value ? length : sizeof value);
  return scm_from_uint32 (value);
}

static void
uint_to (struct scm_skp__value *to, const struct skp_option *option,
         const struct source *s)
{
  (void)option;
  uint32_t value
      = (uint32_t)scm_skp__integer (s->value, 0, UINT32_MAX, s->pos, s->who);
  scm_skp__give (to, &value, sizeof value);
}

static SCM
wide_from (const struct skp_option *option, const unsigned char *bytes,
           size_t length)
{
  uint64_t value = 0;
  if (length < sizeof value)
    return uint_from (option, bytes, length);
  memcpy (&value, bytes, sizeof value);
  return scm_from_uint64 (value);
}

static void
wide_to (struct scm_skp__value *to, const struct skp_option *option,
         const struct source *s)
{
  static const struct skp_field number = { .size = sizeof (uint64_t) };
  (void)option;
  to->length = number.size;
  scm_skp__field_to (&number, to->store, to->length, s->value, s->pos, s->who);
}

static SCM
string_from (const struct skp_option *option, const unsigned char *bytes,
             size_t length)
{
  (void)option;
  return scm_skp__name_from (bytes, strnlen ((const char *)bytes, length));
}

static void
string_to (struct scm_skp__value *to, const struct skp_option *option,
           const struct source *s)
{
  (void)option;
  if (!scm_is_string (s->value))
    refuse (s, "string");
  to->bytes = scm_skp__name_to (s->value, &to->length, s->pos, s->who);
  if (memchr (to->bytes, '\0', to->length))
    out_of_range (s, s->value, "a string without NUL");
}

/* A structure of two integers that Guile has always given as a pair.  */
static SCM
pair_from (const struct skp_option *option, const unsigned char *bytes,
           size_t length)
{
  struct skp_part part[2] = { { 0 } };
  for (int i = 0; i < 2; i++)
    skp_field_load (&option->structure->fields[i], bytes, length, &part[i]);
  return scm_cons (scm_from_int64 ((int64_t)part[0].number),
                   scm_from_int64 ((int64_t)part[1].number));
}

void
scm_skp__structure_value (struct scm_skp__value *to,
                          const struct skp_option *option,
                          const struct source *s)
{
  to->length = option->structure->size;
  memset (to->store, 0, to->length);
  scm_skp__structure_to (option->structure, to->store, s->value, s->pos,
                         s->who);
}

static void
pair_to (struct scm_skp__value *to, const struct skp_option *option,
         const struct source *s)
{
  const struct skp_field *fields = option->structure->fields;
  if (!scm_is_pair (s->value))
    {
      scm_skp__structure_value (to, option, s);
      return;
    }
  to->length = option->structure->size;
  memset (to->store, 0, to->length);
  scm_skp__field_to (&fields[0], to->store, to->length, SCM_CAR (s->value),
                     s->pos, s->who);
  scm_skp__field_to (&fields[1], to->store, to->length, SCM_CDR (s->value),
                     s->pos, s->who);
}

/* The kernel takes a negative time for a long one.  */
static void
linger_to (struct scm_skp__value *to, const struct skp_option *option,
           const struct source *s)
{
  struct linger linger;
  pair_to (to, option, s);
  memcpy (&linger, to->store, sizeof linger);
  if (linger.l_linger < 0)
    out_of_range (s, scm_from_int (linger.l_linger), "0 seconds or more");
}

/* The kernel takes a negative time for none at all, and refuses microseconds
   beyond a second with EDOM.  */
static void
timeval_to (struct scm_skp__value *to, const struct skp_option *option,
            const struct source *s)
{
  struct timeval time;
  pair_to (to, option, s);
  memcpy (&time, to->store, sizeof time);
  if (time.tv_sec < 0)
    out_of_range (s, scm_from_int64 (time.tv_sec), "0 seconds or more");
  if (time.tv_usec < 0 || time.tv_usec >= 1000000)
    out_of_range (s, scm_from_int64 (time.tv_usec), "0 to 999999 microseconds");
}

static SCM
structure_from (const struct skp_option *option, const unsigned char *bytes,
                size_t length)
{
  return scm_skp__structure_from (option->structure, bytes, length);
}

static SCM
address_from (const struct skp_option *option, const unsigned char *bytes,
              size_t length)
{
  struct skp_address address = { .length = (socklen_t)length };
  (void)option;
  if (length > sizeof address.storage)
    address.length = sizeof address.storage;
  memcpy (&address.storage, bytes, address.length);
  return scm_skp__address_from (&address);
}

static void
descriptor_to (struct scm_skp__value *to, const struct skp_option *option,
               const struct source *s)
{
  (void)option;
  int fd = SCM_PORTP (s->value)
               ? scm_skp__fd (s->value, s->pos, s->who)
               : (int)scm_skp__integer (s->value, 0, INT_MAX, s->pos, s->who);
  scm_skp__give (to, &fd, sizeof fd);
}

static SCM
filter_from (const struct skp_option *option, const unsigned char *bytes,
             size_t length)
{
  size_t size = option->structure->size;
  SCM list = SCM_EOL;
  for (size_t n = length / size; n-- > 0;)
    list = scm_cons (
        scm_skp__structure_from (option->structure, bytes + n * size, size),
        list);
  return list;
}

static void
filter_to (struct scm_skp__value *to, const struct skp_option *option,
           const struct source *s)
{
  size_t size = option->structure->size;
  long count = scm_ilength (s->value);
  if (count < 0)
    refuse (s, "list of sock-filter records or bytevector");
  to->length = (size_t)count * size;
  unsigned char *program = scm_gc_malloc_pointerless (to->length + 1, "filter");
  SCM list = s->value;
  for (unsigned char *at = program; scm_is_pair (list); at += size)
    {
      memset (at, 0, size);
      scm_skp__structure_to (option->structure, at, SCM_CAR (list), s->pos,
                             s->who);
      list = SCM_CDR (list);
    }
  to->bytes = program;
}

static SCM
bytes_from (const struct skp_option *option, const unsigned char *bytes,
            size_t length)
{
  (void)option;
  return scm_skp__bytes_from (bytes, length);
}

static void
bytes_to (struct scm_skp__value *to, const struct skp_option *option,
          const struct source *s)
{
  (void)to, (void)option;
  refuse (s, "bytevector");
}

/* In the order of enum skp_option_kind.  A size of 0 varies, or is that of the
   option's structure.  */
static const struct
{
  const char *name;
  from_function *from;
  to_function *to;
  size_t size;
} kinds[SKP_OPTION_KINDS] = {
  [SKP_OPTION_BYTES] = { "bytes", bytes_from, bytes_to, 0 },
  [SKP_OPTION_INT] = { "int", int_from, int_to, sizeof (int) },
  [SKP_OPTION_BOOL] = { "bool", int_from, int_to, sizeof (int) },
  [SKP_OPTION_UINT] = { "uint", uint_from, uint_to, sizeof (uint32_t) },
  [SKP_OPTION_WIDE] = { "wide", wide_from, wide_to, sizeof (uint64_t) },
  [SKP_OPTION_STRING] = { "string", string_from, string_to, 0 },
  [SKP_OPTION_LINGER] = { "linger", pair_from, linger_to, 0 },
  [SKP_OPTION_TIMEVAL] = { "timeval", pair_from, timeval_to, 0 },
  [SKP_OPTION_STRUCTURE]
  = { "structure", structure_from, scm_skp__structure_value, 0 },
  [SKP_OPTION_MEMBERSHIP]
  = { "membership", bytes_from, scm_skp__membership_to, 0 },
  [SKP_OPTION_INTERFACE]
  = { "interface", int_from, scm_skp__interface_to, sizeof (int) },
  [SKP_OPTION_NETWORK_INTERFACE]
  = { "interface", scm_skp__network_interface_from,
      scm_skp__network_interface_to, sizeof (uint32_t) },
  [SKP_OPTION_ADDRESS_INTERFACE]
  = { "interface", scm_skp__network_interface_from,
      scm_skp__address_interface_to, sizeof (uint32_t) },
  [SKP_OPTION_ADDRESS]
  = { "address", address_from, bytes_to, sizeof (struct sockaddr_storage) },
  [SKP_OPTION_DESCRIPTOR]
  = { "descriptor", int_from, descriptor_to, sizeof (int) },
  [SKP_OPTION_FILTER] = { "filter", filter_from, filter_to, 0 },
};

SCM
scm_skp__option_from (const struct skp_option *option, const void *bytes,
                      size_t length)
{
  int kind = option ? option->kind : SKP_OPTION_BYTES;
  return kinds[kind].from (option, bytes, length);
}

const char *
scm_skp__option_kind (const struct skp_option *option)
{
  return kinds[option->kind].name;
}

size_t
scm_skp__option_room (const struct skp_option *option)
{
  if (!option || option->kind == SKP_OPTION_FILTER)
    return 0;
  if (option->structure && kinds[option->kind].size == 0)
    return option->structure->size;
  return kinds[option->kind].size;
}

/* What the table lacks is an int when an integer is given: the caller says so,
   and it is not guessed.  */
void
scm_skp__option_to (struct scm_skp__value *value,
                    const struct skp_option *option, SCM scheme, int pos,
                    const char *who)
{
  struct source source = { scheme, pos, who };
  value->bytes = value->store;
  if (scm_is_bytevector (scheme))
    {
      value->bytes = SCM_BYTEVECTOR_CONTENTS (scheme);
      value->length = SCM_BYTEVECTOR_LENGTH (scheme);
    }
  else
    kinds[option ? option->kind : SKP_OPTION_INT].to (value, option, &source);
}
