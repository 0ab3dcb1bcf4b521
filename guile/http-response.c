/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The head of a response, and a small body behind it, as one bytevector made in
   one pass.  */

#include "http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char who[] = "serve-http";

void
scm_skp__text_begin (struct scm_skp__text *text)
{
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
      char *bytes = scm_gc_malloc_pointerless (room, who);
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
refuse_value (SCM name, SCM value)
{
  scm_misc_error (who,
                  "the header ~a of a response must be bytes, and no control"
                  " characters: ~s",
                  scm_list_2 (name, value));
}

/* A line that ended inside of a value would begin another header.  */
static void
put_value (struct scm_skp__text *text, SCM name, SCM value, SCM string)
{
  size_t start = text->size;
  if (!scm_is_string (string))
    refuse_value (name, value);
  scm_skp__text_string (text, string);
  for (size_t i = start; i < text->size; i++)
    if (((unsigned char)text->bytes[i] < ' ' && text->bytes[i] != '\t')
        || text->bytes[i] == 0x7f)
      refuse_value (name, value);
}

/* (TYPE (NAME . VALUE) ...), as (web http) writes it; 0 if it is none.  */
static int
put_media_type (struct scm_skp__text *text, SCM name, SCM value)
{
  if (!scm_is_pair (value) || !scm_is_symbol (SCM_CAR (value)))
    return 0;
  put_value (text, name, value, scm_symbol_to_string (SCM_CAR (value)));
  for (SCM rest = SCM_CDR (value); scm_is_pair (rest); rest = SCM_CDR (rest))
    {
      SCM pair = SCM_CAR (rest);
      if (!scm_is_pair (pair) || !scm_is_symbol (SCM_CAR (pair)))
        return 0;
      scm_skp__text_put (text, ";", 1);
      put_value (text, name, value, scm_symbol_to_string (SCM_CAR (pair)));
      scm_skp__text_put (text, "=", 1);
      put_value (text, name, value, SCM_CDR (pair));
    }
  return 1;
}

static void
put_field_value (struct scm_skp__text *text, struct scm_skp__http_memory *m,
                 enum scm_skp__http_kind kind, SCM name, SCM value)
{
  size_t start = text->size;
  if (kind == SCM_SKP__HTTP_STRING)
    put_value (text, name, value, value);
  else if (kind == SCM_SKP__HTTP_INTEGER && SCM_I_INUMP (value)
           && SCM_I_INUM (value) >= 0)
    scm_skp__text_number (text, (uint64_t)SCM_I_INUM (value));
  else if (kind != SCM_SKP__HTTP_MEDIA_TYPE
           || !put_media_type (text, name, value))
    {
      text->size = start;
      put_value (text, name, value, scm_skp__http_write (m, name, value));
    }
}

static int
token (const char *bytes, size_t size)
{
  for (size_t i = 0; i < size; i++)
    if (bytes[i] <= ' ' || bytes[i] == 0x7f
        || strchr ("\"(),/:;<=>?@[\\]{}", bytes[i]))
      return 0;
  return size > 0;
}

/* The fields of HEADERS but for those that the server writes itself; whether
   there is a date among them.  */
static int
put_headers (struct scm_skp__text *text, struct scm_skp__http_memory *m,
             SCM headers)
{
  int dated = 0;
  for (; scm_is_pair (headers); headers = SCM_CDR (headers))
    {
      SCM pair = SCM_CAR (headers);
      if (!scm_is_pair (pair) || !scm_is_symbol (SCM_CAR (pair)))
        scm_misc_error (who, "no header of a response: ~s", scm_list_1 (pair));
      struct scm_skp__http_writer writer
          = *scm_skp__http_writer (m, SCM_CAR (pair));
      if (writer.kind == SCM_SKP__HTTP_OWN)
        continue;
      if (!token (writer.name, writer.size - 2))
        refuse_value (SCM_CAR (pair), SCM_CDR (pair));
      dated |= writer.kind == SCM_SKP__HTTP_DATE_FIELD;
      scm_skp__text_put (text, writer.name, writer.size);
      put_field_value (text, m, writer.kind, SCM_CAR (pair), SCM_CDR (pair));
      scm_skp__text_put (text, "\r\n", 2);
    }
  return dated;
}

static void
put_line (struct scm_skp__text *text, const char *line)
{
  scm_skp__text_put (text, line, strlen (line));
  scm_skp__text_put (text, "\r\n", 2);
}

/* How the body ends: nothing is said of it, by its length, by its last chunk.
 */
enum framing
{
  FRAMING_NONE,
  FRAMING_LENGTH,
  FRAMING_CHUNKED,
};

static void
put_framing (struct scm_skp__text *text, SCM framing, SCM length)
{
  switch (SCM_I_INUM (framing))
    {
    case FRAMING_LENGTH:
      scm_skp__text_put (text, "Content-Length: ", 16);
      scm_skp__text_number (text, scm_to_uint64 (length));
      scm_skp__text_put (text, "\r\n", 2);
      break;
    case FRAMING_CHUNKED:
      put_line (text, "Transfer-Encoding: chunked");
      break;
    default:
      break;
    }
}

static const char *const connections[] = {
  NULL,
  "Connection: close",
  "Connection: keep-alive",
  "Connection: Upgrade",
};

static void
put_connection (struct scm_skp__text *text, SCM connection)
{
  const char *line = connections[SCM_I_INUM (connection)];
  if (line)
    put_line (text, line);
}

static void
put_date (struct scm_skp__text *text, struct scm_skp__http_memory *m)
{
  scm_skp__text_put (text, "Date: ", 6);
  scm_skp__text_put (text, scm_skp__http_date (m), 29);
  scm_skp__text_put (text, "\r\n\r\n", 4);
}

static SCM
whole (const struct scm_skp__text *text, const void *body, size_t size)
{
  SCM result = scm_c_make_bytevector (text->size + size);
  char *bytes = (char *)SCM_BYTEVECTOR_CONTENTS (result);
  memcpy (bytes, text->bytes, text->size);
  if (size > 0)
    memcpy (bytes + text->size, body, size);
  return result;
}

/* The head of a response with CODE, REASON and HEADERS, and BODY, a bytevector
   or #f, behind it.  CONNECTION is an index of the table above.  */
static SCM
response (SCM memory, SCM code, SCM reason, SCM headers, SCM framing,
          SCM length, SCM connection, SCM body)
{
  struct scm_skp__http_memory *m = scm_skp__http_memory (memory);
  struct scm_skp__text text;
  scm_skp__text_begin (&text);
  scm_skp__text_put (&text, "HTTP/1.1 ", 9);
  scm_skp__text_number (&text,
                        (uint64_t)scm_skp__integer (code, 100, 999, 2, who));
  scm_skp__text_put (&text, " ", 1);
  put_value (&text, scm_from_latin1_symbol ("reason-phrase"), reason, reason);
  scm_skp__text_put (&text, "\r\n", 2);
  int dated = put_headers (&text, m, headers);
  put_framing (&text, framing, length);
  put_connection (&text, connection);
  if (dated)
    scm_skp__text_put (&text, "\r\n", 2);
  else
    put_date (&text, m);
  SCM result = scm_is_true (body) && SCM_BYTEVECTOR_P (body)
                   ? whole (&text, SCM_BYTEVECTOR_CONTENTS (body),
                            SCM_BYTEVECTOR_LENGTH (body))
                   : whole (&text, NULL, 0);
  scm_remember_upto_here_2 (body, memory);
  return result;
}

/* COUNT bytes of the file FD from OFFSET on, fewer where it ends: for a small
   one that is cheaper than sendfile(2), and all goes at once.  Regular files
   do not make anybody wait.  */
static SCM
read_file (SCM fd, SCM offset, SCM count)
{
  int file = SCM_I_INUMP (fd) ? (int)SCM_I_INUM (fd) : scm_skp__fd (fd, 1, who);
  size_t size = scm_to_size_t (count), done = 0;
  off_t start = (off_t)scm_to_int64 (offset);
  SCM result = scm_c_make_bytevector (size);
  char *bytes = (char *)SCM_BYTEVECTOR_CONTENTS (result);
  while (done < size)
    {
      ssize_t n = pread (file, bytes + done, size - done, start + (off_t)done);
      if (n < 0 && errno != EINTR)
        scm_skp__error (-errno, who);
      if (n == 0)
        scm_misc_error (who,
                        "a file ends before the part that is to be sent:"
                        " ~s",
                        scm_list_1 (fd));
      done += n > 0 ? (size_t)n : 0;
    }
  return result;
}

void
scm_skp__init_http_response (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%http-response", 8, 0, 0, response },
    { "%http-read-file", 3, 0, 0, read_file },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
