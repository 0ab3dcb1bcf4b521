/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Addresses as Scheme vectors, made and read by the core's table of parts; and
   inet-pton and inet-ntop.  */

#include "field.h"
#include "primitive.h"
#include "value.h"

#include <errno.h>
#include <langinfo.h>
#include <string.h>
#include <sockport/guile.h>

static uint64_t
load64 (const unsigned char *bytes, size_t size)
{
  uint64_t number = 0;
  for (size_t i = 0; i < size; i++)
    number = number << 8 | bytes[i];
  return number;
}

/* SIZE is 16, or at most 8.  */
static SCM
bytes_to_integer (const unsigned char *bytes, size_t size)
{
  if (size <= 8)
    return scm_from_uint64 (load64 (bytes, size));
  SCM high = scm_from_uint64 (load64 (bytes, 8));
  return scm_logior (scm_ash (high, scm_from_int (64)),
                     scm_from_uint64 (load64 (bytes + 8, 8)));
}

SCM
scm_skp__wide_from (const unsigned char *bytes)
{
  return bytes_to_integer (bytes, 16);
}

void
scm_skp__wide_to (unsigned char *bytes, SCM value, int pos, const char *who)
{
  if (!scm_is_exact_integer (value))
    scm_skp__refuse_integer (value, 0, 0, pos, who);
  if (scm_is_true (scm_negative_p (value))
      || scm_is_true (
          scm_gr_p (scm_integer_length (value), scm_from_int (128))))
    scm_skp__out_of_range (value, "0 to 2^128 - 1", pos, who);
  uint64_t low
      = scm_to_uint64 (scm_logand (value, scm_from_uint64 (UINT64_MAX)));
  uint64_t high = scm_to_uint64 (scm_ash (value, scm_from_int (-64)));
  for (int i = 7; i >= 0; i--, high >>= 8, low >>= 8)
    {
      bytes[i] = (unsigned char)high;
      bytes[8 + i] = (unsigned char)low;
    }
}

/* The locale's encoding, in which Guile's file names are; a program that has
   not called setlocale still wants its names whole, hence UTF-8 for ASCII.  */
static const char *
name_encoding (void)
{
  const char *codeset = nl_langinfo (CODESET);
  return strcmp (codeset, "ANSI_X3.4-1968") == 0 ? "UTF-8" : codeset;
}

SCM
scm_skp__name_from (const void *bytes, size_t length)
{
  const unsigned char *b = bytes;
  size_t i = 0, back_length;

  while (i < length && b[i] < 128)
    i++;
  if (i == length)
    return scm_from_latin1_stringn (bytes, length);
  SCM string = scm_from_stringn (bytes, length, name_encoding (),
                                 SCM_FAILED_CONVERSION_QUESTION_MARK);
  char *back = scm_to_stringn (string, &back_length, name_encoding (),
                               SCM_FAILED_CONVERSION_QUESTION_MARK);
  int same = back_length == length && memcmp (back, bytes, length) == 0;
  free (back);
  if (same)
    return string;
  SCM vector = scm_c_make_bytevector (length);
  memcpy (SCM_BYTEVECTOR_CONTENTS (vector), bytes, length);
  return vector;
}

const char *
scm_skp__name_to (SCM name, size_t *length, int pos, const char *who)
{
  if (SCM_BYTEVECTOR_P (name))
    {
      *length = SCM_BYTEVECTOR_LENGTH (name);
      return (const char *)SCM_BYTEVECTOR_CONTENTS (name);
    }
  if (!scm_is_string (name))
    scm_wrong_type_arg_msg (who, pos, name, "string or bytevector");
  char *bytes = scm_to_stringn (name, length, name_encoding (),
                                SCM_FAILED_CONVERSION_ERROR);
  char *copy = scm_gc_malloc_pointerless (*length + 1, "name");
  memcpy (copy, bytes, *length);
  free (bytes);
  return copy;
}

_Noreturn static void
refuse_name (SCM value, int pos, const char *who)
{
  scm_wrong_type_arg_msg (who, pos, value,
                          "integer; inet-pton makes one of a numeric"
                          " address, getaddrinfo looks a name up");
}

/* Refuse VALUES, of which PARTS were made, since ERR is what they encode to. */
_Noreturn static void
refuse_parts (const struct skp_family *rules, const struct skp_part *parts,
              const SCM *values, int count, int err, int pos, int step,
              const char *who)
{
  struct sockaddr_storage scratch;
  for (int i = 0; i < count; i++)
    if (skp_field_store (&rules->fields[i], &scratch, sizeof scratch, &parts[i])
        == -ERANGE)
      scm_skp__refuse_number (&rules->fields[i], values[i], pos + i * step,
                              who);
  /* It is the bytes of a name.  */
  if (err == -ENAMETOOLONG)
    scm_syserror_msg (who, "longer than the ~A bytes that there are: ~S",
                      scm_list_2 (scm_from_int (rules->fields[count - 1].size),
                                  values[count - 1]),
                      ENAMETOOLONG);
  scm_wrong_type_arg_msg (who, pos, values[0],
                          "name without NUL, or an abstract one");
}

/* STEP is 1 when each part is an argument of its own, 0 inside a vector.  */
static void
parts_to (struct skp_address *address, const struct skp_family *rules,
          int family, const SCM *values, int count, int pos, int step,
          const char *who)
{
  struct skp_part parts[SKP_ADDRESS_PARTS] = { { 0 } };
  struct scm_skp__room room;

  for (int i = 0; i < count; i++)
    {
      const struct skp_field *field = &rules->fields[i];
      int at = pos + i * step;
      if (scm_is_string (values[i]) && strcmp (field->name, "addr") == 0)
        refuse_name (values[i], at, who);
      if (scm_skp__part_to (&parts[i], &room, field, values[i], at, who) < 0)
        scm_skp__refuse_number (field, values[i], at, who);
    }
  int err = skp_address_encode (address, family, parts, count);
  if (err < 0)
    refuse_parts (rules, parts, values, count, err, pos, step, who);
}

void
scm_skp__address_to (struct skp_address *address, SCM vector, int pos,
                     const char *who)
{
  if (!scm_is_vector (vector) || scm_c_vector_length (vector) == 0)
    scm_wrong_type_arg_msg (who, pos, vector, "socket address");
  SCM values[1 + SKP_ADDRESS_PARTS];
  size_t length = scm_c_vector_length (vector);
  int family = (int)scm_skp__integer (scm_c_vector_ref (vector, 0), 0,
                                      (sa_family_t)-1, pos, who);
  const struct skp_family *rules = skp_address_family (family);
  if (length - 1 < rules->required || length - 1 > rules->count)
    scm_wrong_type_arg_msg (who, pos, vector, "socket address");
  for (size_t i = 1; i < length; i++)
    values[i - 1] = scm_c_vector_ref (vector, i);
  parts_to (address, rules, family, values, (int)length - 1, pos, 0, who);
}

int
scm_skp__address_args (struct skp_address *address, SCM family, SCM *first,
                       SCM *args, int pos, const char *who)
{
  SCM values[SKP_ADDRESS_PARTS];
  int count = 0;

  if (scm_is_vector (family))
    {
      scm_skp__address_to (address, family, pos, who);
      return 0;
    }
  if (scm_is_string (family))
    scm_wrong_type_arg_msg (who, pos, family,
                            "family or socket address;"
                            " string->socket-address makes one of numeric"
                            " text, connect-to connects to a name");
  int number = (int)scm_skp__integer (family, 0, (sa_family_t)-1, pos, who);
  const struct skp_family *rules = skp_address_family (number);
  if (!SCM_UNBNDP (*first))
    {
      values[count++] = *first;
      *first = SCM_UNDEFINED;
    }
  for (; count < rules->count && scm_is_pair (*args); *args = SCM_CDR (*args))
    values[count++] = SCM_CAR (*args);
  if (count < rules->required)
    scm_error_num_args_subr (who);
  parts_to (address, rules, number, values, count, pos + 1, 1, who);
  return count;
}

void
scm_skp__address_whole (struct skp_address *address, SCM family, SCM first,
                        SCM args, int pos, const char *who)
{
  SCM left = SCM_UNBNDP (args) ? SCM_EOL : args;
  scm_skp__address_args (address, family, &first, &left, pos, who);
  if (!SCM_UNBNDP (first) || !scm_is_null (left))
    scm_error_num_args_subr (who);
}

static SCM
part_from (const struct skp_address *address, const struct skp_field *field)
{
  struct skp_part part = { 0 };
  if (field->kind > SKP_FIELD_NETWORK)
    {
      size_t length = address->length;
      if (length > sizeof address->storage)
        length = sizeof address->storage;
      skp_field_load (field, &address->storage, length, &part);
      return scm_skp__part_from (field, &part);
    }
  uint64_t number = skp_field_number (field, &address->storage);
  return SCM_POSFIXABLE (number) ? SCM_I_MAKINUM (number)
                                 : scm_from_uint64 (number);
}

SCM
scm_skp__address_into (SCM spare, const struct skp_address *address)
{
  if (address->length < sizeof (sa_family_t))
    return SCM_BOOL_F;
  if (scm_skp__address_quick_into (spare, address))
    return spare;
  const struct skp_family *rules = skp_address_rules (address);
  size_t length = rules->count + 1U;
  if (!scm_is_vector (spare) || SCM_SIMPLE_VECTOR_LENGTH (spare) != length)
    spare = scm_c_make_vector (length, SCM_BOOL_F);
  SCM_SIMPLE_VECTOR_SET (spare, 0, SCM_I_MAKINUM (address->storage.ss_family));
  for (int i = 0; i < rules->count; i++)
    SCM_SIMPLE_VECTOR_SET (spare, i + 1,
                           part_from (address, &rules->fields[i]));
  return spare;
}

SCM
scm_skp__address_from (const struct skp_address *address)
{
  return scm_skp__address_into (SCM_BOOL_F, address);
}

SCM
scm_skp_make_socket_address (SCM family, SCM address, SCM args)
{
  struct skp_address made;
  scm_skp__address_whole (&made, family, address, args, 1,
                          "make-socket-address");
  return scm_skp__address_from (&made);
}

static SCM
address_to_text (SCM vector)
{
  struct skp_address address;
  char text[SKP_ADDRESS_TEXT];
  scm_skp__address_to (&address, vector, 1, "socket-address->string");
  skp_address_format (&address, text, sizeof text);
  return scm_from_utf8_string (text);
}

static SCM
address_from_text (SCM string)
{
  struct skp_address address;
  size_t length;
  if (!scm_is_string (string))
    scm_wrong_type_arg_msg ("string->socket-address", 1, string, "string");
  const char *bytes
      = scm_skp__name_to (string, &length, 1, "string->socket-address");
  char text[SKP_ADDRESS_TEXT];
  if (length >= sizeof text || memchr (bytes, '\0', length))
    return SCM_BOOL_F;
  memcpy (text, bytes, length);
  text[length] = '\0';
  return skp_address_parse (&address, text) < 0
             ? SCM_BOOL_F
             : scm_skp__address_from (&address);
}

/* Refuses a family without numeric host addresses.  */
static int
host_family (SCM family, const char *who)
{
  char text[SKP_HOST_TEXT];
  static const unsigned char any[SKP_HOST_BYTES];
  int number = (int)scm_skp__integer (family, 0, INT32_MAX, 1, who);
  if (skp_address_host_format (number, any, text) < 0)
    scm_skp__out_of_range (family, "AF_INET or AF_INET6", 1, who);
  return number;
}

_Noreturn static void
refuse_host (int family, const char *text, SCM address)
{
  static const struct
  {
    int wanted, given;
    const char *text;
  } others[]
      = { { AF_INET, AF_INET6, "an address of AF_INET6, not of AF_INET: ~S" },
          { AF_INET6, AF_INET, "an address of AF_INET, not of AF_INET6: ~S" } };
  unsigned char bytes[SKP_HOST_BYTES];
  const char *message
      = "not a numeric address (getaddrinfo looks names up): ~S";
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (others[i].wanted == family
        && skp_address_host_parse (others[i].given, text, bytes) > 0)
      message = others[i].text;
  scm_misc_error ("inet-pton", message, scm_list_1 (address));
}

SCM
scm_skp_inet_pton (SCM family, SCM address)
{
  static const char who[] = "inet-pton";
  int number = host_family (family, who);
  unsigned char bytes[SKP_HOST_BYTES];
  size_t length;

  if (!scm_is_string (address))
    scm_wrong_type_arg_msg (who, 2, address, "string");
  const char *name = scm_skp__name_to (address, &length, 2, who);
  char text[SKP_HOST_TEXT] = "";
  if (length < sizeof text && !memchr (name, '\0', length))
    memcpy (text, name, length);
  int size = skp_address_host_parse (number, text, bytes);
  if (size < 0)
    refuse_host (number, text, address);
  return bytes_to_integer (bytes, (size_t)size);
}

SCM
scm_skp_inet_ntop (SCM family, SCM address)
{
  static const char who[] = "inet-ntop";
  int number = host_family (family, who);
  const struct skp_field *field = &skp_address_family (number)->fields[0];
  unsigned char bytes[SKP_HOST_BYTES];
  char text[SKP_HOST_TEXT];

  struct skp_field alone = *field;
  alone.offset = 0;
  scm_skp__field_to (&alone, bytes, sizeof bytes, address, 2, who);
  skp_address_host_format (number, bytes, text);
  return scm_from_latin1_string (text);
}

void
scm_skp__init_address (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "make-socket-address", 1, 1, 1, scm_skp_make_socket_address },
    { "socket-address->string", 1, 0, 0, address_to_text },
    { "string->socket-address", 1, 0, 0, address_from_text },
    { "inet-pton", 2, 0, 0, scm_skp_inet_pton },
    { "inet-ntop", 2, 0, 0, scm_skp_inet_ntop },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
