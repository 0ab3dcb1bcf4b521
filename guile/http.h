/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the files of the binding that serve HTTP share: what is remembered of
   header names and values, and text in the making.  */

#ifndef SCM_SKP_HTTP_H
#define SCM_SKP_HTTP_H

#include <libguile.h>
#include <sockport/http-head.h>

/* Names and values that were met before, found by their bytes in the table of a
   worker.  Tables of a fixed size, in which the new takes the place of the old:
   whatever a client sends, they do not grow.  Nothing here takes part in two
   requests: a value is handed out as a copy.  */
struct scm_skp__http_memory;

/* Begin to look at a header in the memory of a worker.  */
struct scm_skp__http_memory *scm_skp__http_memory (SCM memory);

/* What is known of a header of a response.  */
enum scm_skp__http_kind
{
  SCM_SKP__HTTP_WRITTEN, /* by a procedure of Scheme */
  SCM_SKP__HTTP_STRING,
  SCM_SKP__HTTP_INTEGER,
  SCM_SKP__HTTP_MEDIA_TYPE,
  SCM_SKP__HTTP_DATE_FIELD, /* as WRITTEN; the server adds none then */
  SCM_SKP__HTTP_OWN,        /* the server writes it itself */
  SCM_SKP__HTTP_UPGRADE,    /* as WRITTEN; Connection names it */
  SCM_SKP__HTTP_TIME,       /* as WRITTEN; a date, which nobody can change */
  SCM_SKP__HTTP_ENTITY_TAG,
  SCM_SKP__HTTP_TOKENS, /* a list of symbols */
  SCM_SKP__HTTP_KINDS
};

struct scm_skp__http_writer
{
  SCM symbol;
  enum scm_skp__http_kind kind;
  char *name; /* with the colon and the blank behind it */
  size_t size;
};

const struct scm_skp__http_writer *
scm_skp__http_writer (struct scm_skp__http_memory *memory, SCM symbol);

/* The text of VALUE, a string, made by the procedure of Scheme for SYMBOL.  */
SCM scm_skp__http_write (struct scm_skp__http_memory *memory, SCM symbol,
                         SCM value);

/* The same, of a date.  */
SCM scm_skp__http_write_time (struct scm_skp__http_memory *memory, SCM symbol,
                              SCM date);

/* The alist of the fields of HEAD, which is that of BYTES.  *INVALID becomes an
   alist of those whose values do not parse, as strings.  */
SCM scm_skp__http_headers (struct scm_skp__http_memory *memory,
                           const struct skp_http_head *head, const char *bytes,
                           SCM *invalid);

/* The URI at TEXT, if it is a common one of http or https, of the type of LIKE;
   else SCM_UNDEFINED.  */
SCM scm_skp__http_uri (SCM like, const char *text, size_t size);

/* A symbol that a header was written with, and its bytes, found to be such that
   may stand there.  */
struct scm_skp__http_symbol
{
  SCM symbol;
  char *bytes;
  size_t size;
};

/* Where MEMORY has SYMBOL, or another.  */
struct scm_skp__http_symbol *
scm_skp__http_symbol (struct scm_skp__http_memory *memory, SCM symbol);

/* It has it from now on, with SIZE BYTES.  */
void scm_skp__http_remember (struct scm_skp__http_symbol *entry, SCM symbol,
                             const char *bytes, size_t size);

/* The date of now in 29 bytes.  */
const char *scm_skp__http_date (struct scm_skp__http_memory *memory);

/* Room for the part of a file that is sent with a head.  */
#define SCM_SKP__HTTP_FILE 32768
char *scm_skp__http_file_buffer (struct scm_skp__http_memory *memory);

/* A text that grows; what is refused on the way is refused by WHO.  */
struct scm_skp__text
{
  const char *who;
  char *bytes;
  size_t size, room;
  char local[1024];
};

void scm_skp__text_begin (struct scm_skp__text *text, const char *who);

/* Room for SIZE bytes more, at the end.  */
char *scm_skp__text_room (struct scm_skp__text *text, size_t size);

void scm_skp__text_put (struct scm_skp__text *text, const char *bytes,
                        size_t size);
void scm_skp__text_number (struct scm_skp__text *text, uint64_t number);

/* The bytes of STRING, characters 0 to 255.  */
void scm_skp__text_string (struct scm_skp__text *text, SCM string);

/* TEXT with SIZE bytes of BODY behind it, a bytevector.  */
SCM scm_skp__text_whole (const struct scm_skp__text *text, const void *body,
                         size_t size);

/* Is it a name, of a field or a method?  */
int scm_skp__http_token (const char *bytes, size_t size);

/* STRING, which the header NAME with VALUE is written as.  A line that ended
   inside of it would begin another header: that is refused.  */
void scm_skp__http_put_value (struct scm_skp__text *text, SCM name, SCM value,
                              SCM string);

enum scm_skp__http_met
{
  SCM_SKP__HTTP_MET_DATE = 1,
  SCM_SKP__HTTP_MET_UPGRADE = 2,
};

/* The fields of the alist HEADERS but for those that are written otherwise;
   which of those above are among them.  */
unsigned scm_skp__http_put_headers (struct scm_skp__text *text,
                                    struct scm_skp__http_memory *m,
                                    SCM headers);

/* How a body ends: nothing is said of it, by its length, by its last chunk.  */
enum scm_skp__http_framing
{
  SCM_SKP__HTTP_NONE,
  SCM_SKP__HTTP_BY_LENGTH,
  SCM_SKP__HTTP_BY_CHUNKS,
};

void scm_skp__http_put_framing (struct scm_skp__text *text, SCM framing,
                                SCM length);

/* End what reads a request, which is answered with STATUS: throws
   refused-request.  */
_Noreturn void scm_skp__http_refuse (int status);

/* The status that the error of a parser stands for.  */
int scm_skp__http_status (ssize_t error);

/* HEAD in a bytevector.  */
struct skp_http_head *scm_skp__http_head (SCM head);

#endif /* SCM_SKP_HTTP_H */
