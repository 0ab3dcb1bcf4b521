/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What a worker remembers of header names, of values that recur, and of the
   date.  What is not remembered is asked of Scheme, by a call that never
   waits.  */

#include "http.h"
#include "primitive.h"
#include "value.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define NAMES 256  /* sets of names and writers, of one each */
#define VALUES 512 /* sets of values */
#define WAYS 2     /* in which a value can be */
#define TIMES 64
#define NAME_MOST 64
#define VALUE_MOST 256

struct name
{
  char *bytes;
  size_t size;
  SCM symbol;
  SCM parse; /* #f where the value is a string as it comes */
};

struct value
{
  char *bytes;
  size_t size;
  SCM symbol, value;
};

/* DESCRIBE: a name to a pair of a symbol and a procedure or #f.  PARSE: a
   symbol, that procedure and a string to a pair (remember? . value), or #f.
   PARSE_URI: that procedure for URIs such as URI, which C makes of common ones.
   KIND: a symbol to a pair of a kind and a name.  WRITE: a symbol and a value
   to a string.  */
struct scm_skp__http_memory
{
  SCM describe, parse, kind, write, parse_uri, uri;
  struct name names[NAMES];
  struct value values[VALUES][WAYS];
  struct scm_skp__http_writer writers[NAMES];
  struct scm_skp__http_symbol symbols[NAMES];
  struct
  {
    SCM date, text;
  } times[TIMES];
  unsigned turn; /* which way is taken next */
  time_t second;
  char date[32];
  char *file; /* the collector is not to look into it */
};

struct scm_skp__http_memory *
scm_skp__http_memory (SCM memory)
{
  if (!SCM_POINTER_P (memory))
    scm_wrong_type_arg_msg ("serve-http", 1, memory, "memory of headers");
  return (struct scm_skp__http_memory *)SCM_POINTER_VALUE (memory);
}

static SCM
make_memory (SCM describe, SCM parse, SCM parse_uri, SCM uri, SCM kind,
             SCM write)
{
  struct scm_skp__http_memory *m = scm_gc_malloc (sizeof *m, "http memory");
  memset (m, 0, sizeof *m);
  m->describe = describe;
  m->parse = parse;
  m->parse_uri = parse_uri;
  m->uri = uri;
  m->kind = kind;
  m->write = write;
  m->file = scm_gc_malloc_pointerless (SCM_SKP__HTTP_FILE, "http file");
  return scm_from_pointer (m, NULL);
}

char *
scm_skp__http_file_buffer (struct scm_skp__http_memory *m)
{
  return m->file;
}

static uint64_t
hash (const char *bytes, size_t size)
{
  uint64_t sum = size;
  for (; size >= 8; bytes += 8, size -= 8)
    {
      uint64_t word;
      memcpy (&word, bytes, 8);
      sum = (sum ^ word) * UINT64_C (0x9e3779b97f4a7c15);
      sum ^= sum >> 29;
    }
  if (size > 0)
    {
      uint64_t word = 0;
      memcpy (&word, bytes, size);
      sum = (sum ^ word) * UINT64_C (0x9e3779b97f4a7c15);
    }
  return sum ^ sum >> 32;
}

static char *
keep (const char *bytes, size_t size)
{
  char *copy = scm_gc_malloc_pointerless (size + 1, "http memory");
  memcpy (copy, bytes, size);
  return copy;
}

/* What is known of the name at BYTES, in *NAME, which is in the memory if it is
   short enough.  */
static const struct name *
describe (struct scm_skp__http_memory *m, struct name *name, const char *bytes,
          size_t size)
{
  struct name *entry = &m->names[hash (bytes, size) % NAMES];
  if (entry->size == size && memcmp (entry->bytes, bytes, size) == 0)
    return entry;
  SCM pair = scm_call_1 (m->describe, scm_from_latin1_stringn (bytes, size));
  *name = (struct name){ .size = size,
                         .symbol = SCM_CAR (pair),
                         .parse = SCM_CDR (pair) };
  if (size > NAME_MOST)
    return name;
  name->bytes = keep (bytes, size);
  *entry = *name;
  return entry;
}

static SCM copy (SCM value);

/* More fields than the record of a URI has.  */
#define FIELDS_MOST 16

static SCM
copy_record (SCM record)
{
  size_t count = SCM_STRUCT_SIZE (record);
  scm_t_bits fields[FIELDS_MOST];
  if (count > FIELDS_MOST)
    return record;
  for (size_t i = 0; i < count; i++)
    fields[i] = SCM_UNPACK (copy (SCM_STRUCT_SLOT_REF (record, i)));
  return scm_c_make_structv (SCM_STRUCT_VTABLE (record), 0, count, fields);
}

/* A copy that shares nothing that can be changed.  Guile copies the characters
   of a string when either of the two is.  */
static SCM
copy (SCM value)
{
  if (SCM_STRUCTP (value))
    return copy_record (value);
  if (scm_is_string (value))
    return scm_substring (value, SCM_INUM0, SCM_UNDEFINED);
  if (!scm_is_pair (value))
    return value;
  SCM first = scm_cons (copy (SCM_CAR (value)), SCM_EOL), last = first;
  for (value = SCM_CDR (value); scm_is_pair (value); value = SCM_CDR (value))
    {
      SCM next = scm_cons (copy (SCM_CAR (value)), SCM_EOL);
      SCM_SETCDR (last, next);
      last = next;
    }
  if (!scm_is_null (value))
    SCM_SETCDR (last, copy (value));
  return first;
}

static void
remember (struct scm_skp__http_memory *m, struct value *set, SCM symbol,
          const char *bytes, size_t size, SCM value)
{
  struct value entry = { keep (bytes, size), size, symbol, value };
  set[m->turn++ % WAYS] = entry;
}

/* The value at BYTES; SCM_UNDEFINED if it does not parse.  */
static SCM
value_of (struct scm_skp__http_memory *m, const struct name *name,
          const char *bytes, size_t size)
{
  if (scm_is_false (name->parse))
    return scm_from_latin1_stringn (bytes, size);
  if (scm_is_eq (name->parse, m->parse_uri))
    {
      SCM uri = scm_skp__http_uri (m->uri, bytes, size);
      if (!SCM_UNBNDP (uri))
        return uri;
    }
  struct value *set = NULL;
  if (size <= VALUE_MOST)
    {
      set = m->values[hash (bytes, size) % VALUES];
      for (int i = 0; i < WAYS; i++)
        if (scm_is_eq (set[i].symbol, name->symbol) && set[i].size == size
            && memcmp (set[i].bytes, bytes, size) == 0)
          return copy (set[i].value);
    }
  SCM pair = scm_call_3 (m->parse, name->symbol, name->parse,
                         scm_from_latin1_stringn (bytes, size));
  if (!scm_is_pair (pair))
    return SCM_UNDEFINED;
  if (scm_is_true (SCM_CAR (pair)) && set)
    {
      remember (m, set, name->symbol, bytes, size, SCM_CDR (pair));
      return copy (SCM_CDR (pair));
    }
  return SCM_CDR (pair);
}

SCM
scm_skp__http_headers (struct scm_skp__http_memory *m,
                       const struct skp_http_head *head, const char *bytes,
                       SCM *invalid)
{
  SCM headers = SCM_EOL;
  for (uint32_t i = head->count; i-- > 0;)
    {
      const struct skp_http_field *field = &head->field[i];
      struct name spare;
      const struct name *name
          = describe (m, &spare, bytes + field->name.at, field->name.size);
      SCM symbol = name->symbol;
      SCM value
          = value_of (m, name, bytes + field->value.at, field->value.size);
      if (SCM_UNBNDP (value))
        *invalid = scm_acons (symbol,
                              scm_from_latin1_stringn (bytes + field->value.at,
                                                       field->value.size),
                              *invalid);
      else
        headers = scm_acons (symbol, value, headers);
    }
  return headers;
}

/* Two symbols are the same object, or they are different.  */
static size_t
place_of (SCM symbol)
{
  return (SCM_UNPACK (symbol) >> 4) * 31 % NAMES;
}

struct scm_skp__http_symbol *
scm_skp__http_symbol (struct scm_skp__http_memory *m, SCM symbol)
{
  return &m->symbols[place_of (symbol)];
}

void
scm_skp__http_remember (struct scm_skp__http_symbol *entry, SCM symbol,
                        const char *bytes, size_t size)
{
  *entry = (struct scm_skp__http_symbol){ symbol, keep (bytes, size), size };
}

const struct scm_skp__http_writer *
scm_skp__http_writer (struct scm_skp__http_memory *m, SCM symbol)
{
  struct scm_skp__http_writer *entry = &m->writers[place_of (symbol)];
  if (entry->size > 0 && scm_is_eq (entry->symbol, symbol))
    return entry;
  SCM pair = scm_call_1 (m->kind, symbol);
  struct scm_skp__text text;
  scm_skp__text_begin (&text, "http-header");
  scm_skp__text_string (&text, SCM_CDR (pair));
  scm_skp__text_put (&text, ": ", 2);
  int64_t kind = scm_skp__integer (SCM_CAR (pair), 0, SCM_SKP__HTTP_KINDS - 1,
                                   1, "serve-http");
  *entry = (struct scm_skp__http_writer){ symbol, (enum scm_skp__http_kind)kind,
                                          keep (text.bytes, text.size),
                                          text.size };
  return entry;
}

SCM
scm_skp__http_write (struct scm_skp__http_memory *m, SCM symbol, SCM value)
{
  return scm_call_2 (m->write, symbol, value);
}

SCM
scm_skp__http_write_time (struct scm_skp__http_memory *m, SCM symbol, SCM date)
{
  size_t place = (SCM_UNPACK (date) >> 4) % TIMES;
  if (!scm_is_eq (m->times[place].date, date))
    {
      m->times[place].text = scm_skp__http_write (m, symbol, date);
      m->times[place].date = date;
    }
  return m->times[place].text;
}

const char *
scm_skp__http_date (struct scm_skp__http_memory *m)
{
  static const char days[] = "SunMonTueWedThuFriSat";
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  time_t now = time (NULL);
  if (now != m->second)
    {
      struct tm tm;
      gmtime_r (&now, &tm);
      snprintf (m->date, sizeof m->date,
                "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
                days + 3 * tm.tm_wday, (unsigned)tm.tm_mday % 100,
                months + 3 * tm.tm_mon, (unsigned)(tm.tm_year + 1900) % 10000,
                (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
                (unsigned)tm.tm_sec % 100);
      m->second = now;
    }
  return m->date;
}

void
scm_skp__init_http_memory (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%make-http-memory", 6, 0, 0, make_memory },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
