/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* getsockopt and setsockopt, and the table of options for Scheme.  */

#include "../src/direct.h"
#include "complete.h"
#include "option-value.h"
#include "port.h"
#include "value.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sockport/guile.h>

/* How much room to offer for an option whose size is not known: enough for
   nearly all, enough for a filter or a list of groups, and the sizes of numbers
   for the options that insist on theirs.  */
static const socklen_t rooms[] = { VALUE_ROOM, 1 << 16, 8, 4 };

/* Read into *BYTES, which has VALUE_ROOM bytes and is replaced when that is not
   enough.  The first error counts.  */
static int
read_varying (int fd, int level, int number, unsigned char **bytes,
              socklen_t *length)
{
  int first = 0;
  for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++)
    {
      *length = rooms[i];
      if (*length > VALUE_ROOM)
        *bytes = scm_gc_malloc_pointerless (*length, "option");
      int result = skp_option_get (fd, level, number, *bytes, length);
      if (result >= 0)
        return result;
      first = first < 0 ? first : result;
      if (result != -EINVAL && result != -ERANGE)
        break;
    }
  return first;
}

static SCM
get_by_table (int fd, int level, int number, const struct skp_option *option,
              const char *who)
{
  unsigned char store[VALUE_ROOM] = { 0 };
  unsigned char *bytes = store;
  size_t room = scm_skp__option_room (option);
  socklen_t length = (socklen_t)room;
  int result = room ? skp_option_get (fd, level, number, bytes, &length)
                    : read_varying (fd, level, number, &bytes, &length);
  if (result < 0)
    scm_skp__error (result, who);
  return scm_skp__option_from (option, bytes, length);
}

SCM
scm_skp_getsockopt (SCM sock, SCM level, SCM optname)
{
  static const char who[] = "getsockopt";
  int fd = scm_skp__fd (sock, 1, who);
  int l = (int)scm_skp__integer (level, INT_MIN, INT_MAX, 2, who);
  int number = (int)scm_skp__integer (optname, INT_MIN, INT_MAX, 3, who);
  int value;

  int result = skp__direct_option (fd, l, number, &value);
  if (result >= 0)
    return scm_from_int (value);
  if (result != -ENOMSG)
    scm_skp__error (result, who);
  return get_by_table (fd, l, number, skp_option_find (l, number), who);
}

/* What some options give depends on what the kernel is handed with the
   question: ASKED, which is as long as the room for it.  */
static SCM
get_asked (SCM sock, SCM level, SCM optname, SCM asked)
{
  static const char who[] = "getsockopt";
  if (SCM_UNBNDP (asked))
    return scm_skp_getsockopt (sock, level, optname);
  int fd = scm_skp__fd (sock, 1, who);
  int l = (int)scm_skp__integer (level, INT_MIN, INT_MAX, 2, who);
  int number = (int)scm_skp__integer (optname, INT_MIN, INT_MAX, 3, who);
  if (!SCM_BYTEVECTOR_P (asked))
    scm_wrong_type_arg_msg (who, 4, asked, "bytevector");
  SCM copy = scm_bytevector_copy (asked);
  socklen_t room = (socklen_t)SCM_BYTEVECTOR_LENGTH (copy), length = room;
  int result
      = skp_option_get (fd, l, number, SCM_BYTEVECTOR_CONTENTS (copy), &length);
  if (result < 0)
    scm_skp__error (result, who);
  if (length >= room)
    return copy;
  SCM shorter = scm_c_make_bytevector (length);
  memcpy (SCM_BYTEVECTOR_CONTENTS (shorter), SCM_BYTEVECTOR_CONTENTS (copy),
          length);
  return shorter;
}

/* The kernel's word for a bad value is EINVAL, whatever the option.  */
_Noreturn static void
refuse_to_set (int result, const char *who, const struct skp_option *option,
               SCM value)
{
  if (!option)
    scm_skp__error (result, who);
  SCM reason = scm_strerror (scm_from_int (-result));
  SCM name = scm_from_utf8_string (option->name);
  if (scm_is_number (value) || scm_is_string (value))
    scm_syserror_msg (who, "~A ~S: ~A", scm_list_3 (name, value, reason),
                      -result);
  scm_syserror_msg (who, "~A: ~A", scm_list_2 (name, reason), -result);
}

/* VALUE is the argument POS of WHO.  */
static SCM
set_option (SCM sock, SCM level, SCM optname, SCM value, int pos,
            const char *who)
{
  int fd = scm_skp__fd (sock, 1, who);
  int l = (int)scm_skp__integer (level, INT_MIN, INT_MAX, 2, who);
  int number = (int)scm_skp__integer (optname, INT_MIN, INT_MAX, 3, who);
  const struct skp_option *option = skp_option_find (l, number);
  struct scm_skp__value bytes;

  scm_skp__option_to (&bytes, option, value, pos, who);
  int result
      = option && option->kind == SKP_OPTION_FILTER
            ? skp_option_set_filter (fd, l, number, bytes.bytes, bytes.length)
            : skp_option_set (fd, l, number, bytes.bytes,
                              (socklen_t)bytes.length);
  scm_remember_upto_here_1 (value);
  if (result < 0)
    refuse_to_set (result, who, option, value);
  if (l == SOL_SOCKET && number == SO_RCVLOWAT)
    scm_skp__low_water = 1;
  return SCM_UNSPECIFIED;
}

SCM
scm_skp_setsockopt (SCM sock, SCM level, SCM optname, SCM value)
{
  return set_option (sock, level, optname, value, 4, "setsockopt");
}

/* The same for the procedures that take a name, whose errors are theirs.  */
static SCM
named_set (SCM sock, SCM level, SCM number, SCM value)
{
  return set_option (sock, level, number, value, 3, "set-socket-option!");
}

static SCM
named_get (SCM sock, SCM level, SCM number)
{
  static const char who[] = "socket-option";
  int l = (int)scm_skp__integer (level, INT_MIN, INT_MAX, 2, who);
  int n = (int)scm_skp__integer (number, INT_MIN, INT_MAX, 2, who);
  return get_by_table (scm_skp__fd (sock, 1, who), l, n, skp_option_find (l, n),
                       who);
}

/* The families or types of a mask as a list of numbers, #t for all.  */
static SCM
members (uint64_t mask, uint64_t all)
{
  SCM list = SCM_EOL;
  if (mask == all)
    return SCM_BOOL_T;
  for (int i = 63; i >= 0; i--)
    if (mask >> i & 1)
      list = scm_cons (scm_from_int (i), list);
  return list;
}

static SCM
row (const struct skp_option *option)
{
  SCM values[] = { scm_from_utf8_string (option->name),
                   scm_from_int (option->level),
                   scm_from_int (option->number),
                   scm_from_utf8_symbol (scm_skp__option_kind (option)),
                   scm_from_int (option->access),
                   members (option->families, UINT64_MAX),
                   members (option->types, UINT32_MAX),
                   scm_from_utf8_string (option->purpose) };
  size_t count = sizeof values / sizeof *values;
  SCM vector = scm_c_make_vector (count, SCM_BOOL_F);
  for (size_t i = 0; i < count; i++)
    scm_c_vector_set_x (vector, i, values[i]);
  return vector;
}

/* The number of rows, and the row number INDEX as a vector.  */
static SCM
option_count (void)
{
  size_t count = 0;
  while (skp_option_at (count))
    count++;
  return scm_from_size_t (count);
}

static const struct skp_option *
option_at (SCM index, const char *who)
{
  const struct skp_option *option
      = skp_option_at ((size_t)scm_skp__integer (index, 0, INT_MAX, 1, who));
  if (!option)
    scm_skp__out_of_range (index, "the number of an option", 1, who);
  return option;
}

static SCM
option_row (SCM index)
{
  return row (option_at (index, "%option-row"));
}

/* The number of the row of the option called NAME, a string, for FAMILY; #f if
   there is none.  */
static SCM
option_named (SCM name, SCM family)
{
  static const char who[] = "%option-named";
  SCM_ASSERT_TYPE (scm_is_string (name), name, 1, who, "string");
  int number = (int)scm_skp__integer (family, 0, INT_MAX, 2, who);
  scm_dynwind_begin (0);
  char *text = scm_to_utf8_string (name);
  scm_dynwind_free (text);
  const struct skp_option *option = skp_option_named (text, number);
  scm_dynwind_end ();
  return option ? scm_from_ptrdiff_t (option - skp_option_at (0)) : SCM_BOOL_F;
}

void
scm_skp__init_option (void)
{
  static const struct scm_skp__primitive primitives[]
      = { { "getsockopt", 3, 1, 0, get_asked },
          { "setsockopt", 4, 0, 0, scm_skp_setsockopt },
          { "%socket-option", 3, 0, 0, named_get },
          { "%set-socket-option!", 4, 0, 0, named_set },
          { "%option-count", 0, 0, 0, option_count },
          { "%option-row", 1, 0, 0, option_row },
          { "%option-named", 2, 0, 0, option_named } };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
