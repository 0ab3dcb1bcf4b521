/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Buffers of the transfer procedures: bytevectors as they are, strings of
   characters 0 to 255 through a copy.  */

#include "value.h"

#include <string.h>

/* Copies are the collector's, so that nothing leaks when a later step throws.
 */
static char *
copy_make (size_t size)
{
  return scm_gc_malloc_pointerless (size ? size : 1, "socket buffer");
}

static void
bounds (struct scm_skp__slice *slice, size_t length, SCM start, SCM end,
        int start_pos, const char *who)
{
  int64_t from = 0, to = (int64_t)length;
  if (!SCM_UNBNDP (end))
    to = scm_skp__integer (end, 0, to, start_pos + 1, who);
  if (!SCM_UNBNDP (start))
    from = scm_skp__integer (start, 0, to, start_pos, who);
  slice->start = (size_t)from;
  slice->size = (size_t)(to - from);
}

static void
string_bytes (struct scm_skp__slice *slice, SCM string, int pos,
              const char *who)
{
  size_t length = scm_c_string_length (string);
  SCM part = slice->size == length
                 ? string
                 : scm_c_substring_copy (string, slice->start,
                                         slice->start + slice->size);
  if (scm_to_int (scm_string_bytes_per_char (part)) > 1)
    for (size_t i = 0; i < slice->size; i++)
      if (SCM_CHAR (scm_c_string_ref (part, i)) > 255)
        scm_wrong_type_arg_msg (who, pos, string,
                                "string of characters 0 to 255");
  slice->bytes = copy_make (slice->size);
  char *bytes = scm_to_latin1_stringn (part, &length);
  memcpy (slice->bytes, bytes, slice->size);
  free (bytes);
}

static void
bytevector_slice (struct scm_skp__slice *slice, SCM buffer, SCM start, SCM end,
                  int start_pos, const char *who)
{
  slice->bytes = (char *)SCM_BYTEVECTOR_CONTENTS (buffer);
  slice->size = SCM_BYTEVECTOR_LENGTH (buffer);
  slice->start = 0;
  if (SCM_UNBNDP (start))
    return;
  bounds (slice, slice->size, start, end, start_pos, who);
  slice->bytes += slice->start;
}

void
scm_skp__out_part (struct scm_skp__slice *slice, SCM buffer, SCM start, SCM end,
                   int pos, int start_pos, const char *who)
{
  if (SCM_BYTEVECTOR_P (buffer))
    bytevector_slice (slice, buffer, start, end, start_pos, who);
  else if (scm_is_string (buffer))
    {
      bounds (slice, scm_c_string_length (buffer), start, end, start_pos, who);
      string_bytes (slice, buffer, pos, who);
    }
  else
    scm_wrong_type_arg_msg (who, pos, buffer, "bytevector or string");
}

/* The tag of a string that cannot be changed (RO_STRING_TAG in libguile, whose
   headers hide it).  */
#define READ_ONLY_STRING (scm_tc7_string + 0x200)

static void
in_string (struct scm_skp__slice *slice, SCM string, int pos, const char *who)
{
  if (SCM_CELL_TYPE (string) == READ_ONLY_STRING)
    scm_wrong_type_arg_msg (who, pos, string, "mutable bytevector or string");
  /* Throws now, not after the data has left the kernel, should the tag have
     changed.  */
  if (slice->size > 0)
    scm_c_string_set_x (string, slice->start,
                        scm_c_string_ref (string, slice->start));
  slice->bytes = copy_make (slice->size);
}

void
scm_skp__in_keep (const struct scm_skp__slice *slice, SCM buffer)
{
  if (SCM_BYTEVECTOR_P (buffer))
    return;
  for (size_t i = 0; i < slice->size; i++)
    {
      scm_t_wchar c = SCM_CHAR (scm_c_string_ref (buffer, slice->start + i));
      slice->bytes[i] = c > 255 ? '?' : (char)c;
    }
}

void
scm_skp__in_part (struct scm_skp__slice *slice, SCM buffer, SCM start, SCM end,
                  int pos, int start_pos, const char *who)
{
  if (SCM_MUTABLE_BYTEVECTOR_P (buffer))
    bytevector_slice (slice, buffer, start, end, start_pos, who);
  else if (scm_is_string (buffer))
    {
      bounds (slice, scm_c_string_length (buffer), start, end, start_pos, who);
      in_string (slice, buffer, pos, who);
    }
  else
    scm_wrong_type_arg_msg (who, pos, buffer, "mutable bytevector or string");
}

void
scm_skp__in_done (const struct scm_skp__slice *slice, SCM buffer, size_t count)
{
  if (SCM_BYTEVECTOR_P (buffer) || count == 0)
    return;
  /* With MSG_TRUNC the kernel counts bytes that it did not store.  */
  if (count > slice->size)
    count = slice->size;
  SCM received = scm_from_latin1_stringn (slice->bytes, count);
  scm_string_copy_x (buffer, scm_from_size_t (slice->start), received,
                     SCM_INUM0, scm_from_size_t (count));
}
