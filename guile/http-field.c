/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The head of a message in the making: text that grows, and the fields of an
   alist of headers in it, each found to be one line.  */

#include "http.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>

void
scm_skp__text_begin (struct scm_skp__text *text, const char *who)
{
  text->who = who;
  text->bytes = text->local;
  text->size = 0;
  text->room = sizeof text->local;
}

char *
scm_skp__text_room (struct scm_skp__text *text, size_t size)
{
  if (text->room - text->size < size)
    {
      size_t room = 2 * text->room + size;
      char *bytes = scm_gc_malloc_pointerless (room, text->who);
      memcpy (bytes, text->bytes, text->size);
      text->bytes = bytes;
      text->room = room;
    }
  return text->bytes + text->size;
}

void
scm_skp__text_put (struct scm_skp__text *text, const char *bytes, size_t size)
{
  memcpy (scm_skp__text_room (text, size), bytes, size);
  text->size += size;
}

void
scm_skp__text_number (struct scm_skp__text *text, uint64_t number)
{
  char digits[20], *end = digits + sizeof digits, *at = end;
  do
    *--at = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  scm_skp__text_put (text, at, (size_t)(end - at));
}

void
scm_skp__text_string (struct scm_skp__text *text, SCM string)
{
  size_t size = scm_c_string_length (string);
  char *room = scm_skp__text_room (text, size);
  /* What is no byte throws.  */
  char *bytes = scm_to_latin1_stringn (string, &size);
  memcpy (room, bytes, size);
  free (bytes);
  text->size += size;
}

_Noreturn static void
refuse_value (const struct scm_skp__text *text, SCM name, SCM value)
{
  scm_misc_error (text->who,
                  "the value of the header ~a must be a string of characters"
                  " up to U+00FF that are no control characters: ~s",
                  scm_list_2 (name, value));
}

static int
fits_in_bytes (SCM string)
{
  if (scm_to_int (scm_string_bytes_per_char (string)) == 1)
    return 1;
  for (size_t i = 0; i < scm_c_string_length (string); i++)
    if (SCM_CHAR (scm_c_string_ref (string, i)) > 0xff)
      return 0;
  return 1;
}

/* A line that ended inside of a value would begin another header.  */
void
scm_skp__http_put_value (struct scm_skp__text *text, SCM name, SCM value,
                         SCM string)
{
  size_t start = text->size;
  if (!scm_is_string (string) || !fits_in_bytes (string))
    refuse_value (text, name, value);
  scm_skp__text_string (text, string);
  for (size_t i = start; i < text->size; i++)
    if (((unsigned char)text->bytes[i] < ' ' && text->bytes[i] != '\t')
        || text->bytes[i] == 0x7f)
      refuse_value (text, name, value);
}

static void
put_symbol (struct scm_skp__text *text, struct scm_skp__http_memory *m,
            SCM name, SCM value, SCM symbol)
{
  struct scm_skp__http_symbol *entry = scm_skp__http_symbol (m, symbol);
  size_t start = text->size;
  if (scm_is_eq (entry->symbol, symbol))
    scm_skp__text_put (text, entry->bytes, entry->size);
  else
    {
      scm_skp__http_put_value (text, name, value,
                               scm_symbol_to_string (symbol));
      scm_skp__http_remember (entry, symbol, text->bytes + start,
                              text->size - start);
    }
}

/* (TYPE (NAME . VALUE) ...), as (web http) writes it; 0 if it is none.  */
static int
put_media_type (struct scm_skp__text *text, struct scm_skp__http_memory *m,
                SCM name, SCM value)
{
  if (!scm_is_pair (value) || !scm_is_symbol (SCM_CAR (value)))
    return 0;
  put_symbol (text, m, name, value, SCM_CAR (value));
  for (SCM rest = SCM_CDR (value); scm_is_pair (rest); rest = SCM_CDR (rest))
    {
      SCM pair = SCM_CAR (rest);
      if (!scm_is_pair (pair) || !scm_is_symbol (SCM_CAR (pair)))
        return 0;
      scm_skp__text_put (text, ";", 1);
      put_symbol (text, m, name, value, SCM_CAR (pair));
      scm_skp__text_put (text, "=", 1);
      scm_skp__http_put_value (text, name, value, SCM_CDR (pair));
    }
  return 1;
}

/* ("tag" . strong?); 0 if it is none, or has to be quoted otherwise.  */
static int
put_entity_tag (struct scm_skp__text *text, struct scm_skp__http_memory *m,
                SCM name, SCM value)
{
  (void)m;
  if (!scm_is_pair (value) || !scm_is_string (SCM_CAR (value)))
    return 0;
  if (scm_is_false (SCM_CDR (value)))
    scm_skp__text_put (text, "W/", 2);
  scm_skp__text_put (text, "\"", 1);
  size_t start = text->size;
  scm_skp__http_put_value (text, name, value, SCM_CAR (value));
  for (size_t i = start; i < text->size; i++)
    if (text->bytes[i] == '"' || text->bytes[i] == '\\')
      return 0;
  scm_skp__text_put (text, "\"", 1);
  return 1;
}

/* (TOKEN ...); 0 if it is none.  */
static int
put_tokens (struct scm_skp__text *text, struct scm_skp__http_memory *m,
            SCM name, SCM value)
{
  for (SCM rest = value; scm_is_pair (rest); rest = SCM_CDR (rest))
    {
      if (!scm_is_symbol (SCM_CAR (rest)))
        return 0;
      if (!scm_is_eq (rest, value))
        scm_skp__text_put (text, ", ", 2);
      put_symbol (text, m, name, value, SCM_CAR (rest));
    }
  return scm_is_pair (value);
}

static int
put_integer (struct scm_skp__text *text, struct scm_skp__http_memory *m,
             SCM name, SCM value)
{
  (void)name;
  (void)m;
  if (!SCM_I_INUMP (value) || SCM_I_INUM (value) < 0)
    return 0;
  scm_skp__text_number (text, (uint64_t)SCM_I_INUM (value));
  return 1;
}

static int
put_string (struct scm_skp__text *text, struct scm_skp__http_memory *m,
            SCM name, SCM value)
{
  (void)m;
  scm_skp__http_put_value (text, name, value, value);
  return 1;
}

/* Those that C writes; what is not as it has to be is left to Scheme, which
   knows what to say.  */
static int (*const put[SCM_SKP__HTTP_KINDS]) (struct scm_skp__text *,
                                              struct scm_skp__http_memory *,
                                              SCM, SCM)
    = { [SCM_SKP__HTTP_STRING] = put_string,
        [SCM_SKP__HTTP_INTEGER] = put_integer,
        [SCM_SKP__HTTP_MEDIA_TYPE] = put_media_type,
        [SCM_SKP__HTTP_ENTITY_TAG] = put_entity_tag,
        [SCM_SKP__HTTP_TOKENS] = put_tokens };

static void
put_field_value (struct scm_skp__text *text, struct scm_skp__http_memory *m,
                 enum scm_skp__http_kind kind, SCM name, SCM value)
{
  size_t start = text->size;
  if (!put[kind] || !put[kind](text, m, name, value))
    {
      text->size = start;
      scm_skp__http_put_value (text, name, value,
                               kind == SCM_SKP__HTTP_TIME && SCM_STRUCTP (value)
                                   ? scm_skp__http_write_time (m, name, value)
                                   : scm_skp__http_write (m, name, value));
    }
}

int
scm_skp__http_token (const char *bytes, size_t size)
{
  for (size_t i = 0; i < size; i++)
    if (bytes[i] <= ' ' || (unsigned char)bytes[i] >= 0x7f
        || strchr ("\"(),/:;<=>?@[\\]{}", bytes[i]))
      return 0;
  return size > 0;
}

unsigned
scm_skp__http_put_headers (struct scm_skp__text *text,
                           struct scm_skp__http_memory *m, SCM headers)
{
  unsigned met = 0;
  for (; scm_is_pair (headers); headers = SCM_CDR (headers))
    {
      SCM pair = SCM_CAR (headers);
      if (!scm_is_pair (pair) || !scm_is_symbol (SCM_CAR (pair)))
        scm_misc_error (text->who,
                        "no header, a pair of a symbol and a value: ~s",
                        scm_list_1 (pair));
      struct scm_skp__http_writer writer
          = *scm_skp__http_writer (m, SCM_CAR (pair));
      if (writer.kind == SCM_SKP__HTTP_OWN)
        continue;
      if (!scm_skp__http_token (writer.name, writer.size - 2))
        scm_misc_error (text->who, "not the name of a header: ~s",
                        scm_list_1 (SCM_CAR (pair)));
      met |= writer.kind == SCM_SKP__HTTP_DATE_FIELD ? SCM_SKP__HTTP_MET_DATE
             : writer.kind == SCM_SKP__HTTP_UPGRADE  ? SCM_SKP__HTTP_MET_UPGRADE
                                                     : 0;
      scm_skp__text_put (text, writer.name, writer.size);
      put_field_value (text, m, writer.kind, SCM_CAR (pair), SCM_CDR (pair));
      scm_skp__text_put (text, "\r\n", 2);
    }
  return met;
}

static void
put_line (struct scm_skp__text *text, const char *line)
{
  scm_skp__text_put (text, line, strlen (line));
  scm_skp__text_put (text, "\r\n", 2);
}

void
scm_skp__http_put_framing (struct scm_skp__text *text, SCM framing, SCM length)
{
  switch (SCM_I_INUM (framing))
    {
    case SCM_SKP__HTTP_BY_LENGTH:
      scm_skp__text_put (text, "Content-Length: ", 16);
      scm_skp__text_number (text, (uint64_t)scm_skp__integer (
                                      length, 0, INT64_MAX, 6, text->who));
      scm_skp__text_put (text, "\r\n", 2);
      break;
    case SCM_SKP__HTTP_BY_CHUNKS:
      put_line (text, "Transfer-Encoding: chunked");
      break;
    default:
      break;
    }
}

SCM
scm_skp__text_whole (const struct scm_skp__text *text, const void *body,
                     size_t size)
{
  SCM result = scm_c_make_bytevector (text->size + size);
  char *bytes = (char *)SCM_BYTEVECTOR_CONTENTS (result);
  memcpy (bytes, text->bytes, text->size);
  if (size > 0)
    memcpy (bytes + text->size, body, size);
  return result;
}
