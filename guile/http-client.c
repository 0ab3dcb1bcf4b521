/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What a client of HTTP makes and reads: the head of a request as bytes, that
   of a response or trailers as values, and the chunks of a body.  */

#include "http.h"
#include "primitive.h"
#include "value.h"

#include <errno.h>
#include <string.h>
#include <sockport/http-chunk.h>

static const char who[] = "http-request";

/* The head of a request, and BODY, a bytevector or #f, behind it.  METHOD is a
   symbol; TARGET and HOST are strings, HOST without its name; CONNECTION is a
   string or #f.  */
static SCM
request_bytes (SCM memory, SCM method, SCM target, SCM host, SCM minor,
               SCM headers, SCM framing, SCM length, SCM connection, SCM body)
{
  struct scm_skp__http_memory *m = scm_skp__http_memory (memory);
  struct scm_skp__text text;
  scm_skp__text_begin (&text, who);
  scm_skp__text_string (&text, scm_symbol_to_string (method));
  if (!scm_skp__http_token (text.bytes, text.size))
    scm_misc_error (who, "no method: ~s", scm_list_1 (method));
  scm_skp__text_put (&text, " ", 1);
  scm_skp__http_put_value (&text, scm_from_latin1_symbol ("target"), target,
                           target);
  scm_skp__text_put (
      &text, scm_is_eq (minor, SCM_INUM0) ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n",
      11);
  scm_skp__text_put (&text, "Host: ", 6);
  scm_skp__http_put_value (&text, scm_from_latin1_symbol ("host"), host, host);
  scm_skp__text_put (&text, "\r\n", 2);
  scm_skp__http_put_headers (&text, m, headers);
  scm_skp__http_put_framing (&text, framing, length);
  if (scm_is_true (connection))
    {
      scm_skp__text_put (&text, "Connection: ", 12);
      scm_skp__http_put_value (&text, scm_from_latin1_symbol ("connection"),
                               connection, connection);
      scm_skp__text_put (&text, "\r\n", 2);
    }
  scm_skp__text_put (&text, "\r\n", 2);
  SCM result = scm_is_true (body) && SCM_BYTEVECTOR_P (body)
                   ? scm_skp__text_whole (&text, SCM_BYTEVECTOR_CONTENTS (body),
                                          SCM_BYTEVECTOR_LENGTH (body))
                   : scm_skp__text_whole (&text, NULL, 0);
  scm_remember_upto_here_2 (body, memory);
  return result;
}

static SCM
begin_response (SCM head, SCM size_limit)
{
  skp_http_head_init_response (
      scm_skp__http_head (head),
      (size_t)scm_skp__integer (size_limit, 1, INT32_MAX, 2, who));
  return SCM_UNSPECIFIED;
}

static SCM
begin_trailers (SCM head, SCM size_limit)
{
  skp_http_head_init_trailers (
      scm_skp__http_head (head),
      (size_t)scm_skp__integer (size_limit, 1, INT32_MAX, 2, who));
  return SCM_UNSPECIFIED;
}

/* What HEAD, which has been parsed, of BYTES from START on says: a vector of
   the status, the reason, the minor version, headers, those that do not parse,
   flags and the length.  */
static SCM
response_parts (SCM head, SCM bytes, SCM start, SCM memory)
{
  const struct skp_http_head *h = scm_skp__http_head (head);
  const char *text
      = (const char *)SCM_BYTEVECTOR_CONTENTS (bytes) + SCM_I_INUM (start);
  SCM invalid = SCM_EOL;
  SCM headers = scm_skp__http_headers (scm_skp__http_memory (memory), h, text,
                                       &invalid);
  SCM parts = scm_c_make_vector (7, SCM_BOOL_F);
  SCM values[]
      = { SCM_I_MAKINUM (h->status),
          scm_from_latin1_stringn (text + h->reason.at, h->reason.size),
          SCM_I_MAKINUM (h->minor > 0),
          headers,
          invalid,
          SCM_I_MAKINUM (h->flags),
          scm_from_uint64 (h->length) };
  for (size_t i = 0; i < 7; i++)
    SCM_SIMPLE_VECTOR_SET (parts, i, values[i]);
  scm_remember_upto_here_2 (head, bytes);
  return parts;
}

/* Chunks.  USED is how many bytes of framing came before the data.  */
struct chunks
{
  struct skp_http_chunk chunk;
  size_t used;
};

static struct chunks *
chunks_of (SCM chunks)
{
  if (!SCM_BYTEVECTOR_P (chunks)
      || SCM_BYTEVECTOR_LENGTH (chunks) < sizeof (struct chunks))
    scm_wrong_type_arg_msg (who, 1, chunks, "chunks");
  return (struct chunks *)SCM_BYTEVECTOR_CONTENTS (chunks);
}

static SCM
make_chunks (void)
{
  SCM chunks = scm_c_make_bytevector (sizeof (struct chunks));
  memset (SCM_BYTEVECTOR_CONTENTS (chunks), 0, sizeof (struct chunks));
  return chunks;
}

/* Go on with BYTES from START to END: how many bytes of data stand behind what
   chunks-used says, 0 if none do; #f for what are no chunks.  */
static SCM
chunks_next (SCM chunks, SCM bytes, SCM start, SCM end)
{
  struct chunks *c = chunks_of (chunks);
  ssize_t n = skp_http_chunk_next (
      &c->chunk, SCM_BYTEVECTOR_CONTENTS (bytes) + SCM_I_INUM (start),
      (size_t)(SCM_I_INUM (end) - SCM_I_INUM (start)), &c->used);
  scm_remember_upto_here_2 (chunks, bytes);
  return n < 0 ? SCM_BOOL_F : scm_from_ssize_t (n);
}

static SCM
chunks_used (SCM chunks)
{
  return scm_from_size_t (chunks_of (chunks)->used);
}

static SCM
chunks_ended (SCM chunks)
{
  return scm_from_bool (skp_http_chunk_ended (&chunks_of (chunks)->chunk));
}

void
scm_skp__init_http_client (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%http-request-bytes", 10, 0, 0, request_bytes },
    { "%http-head-begin-response!", 2, 0, 0, begin_response },
    { "%http-head-begin-trailers!", 2, 0, 0, begin_trailers },
    { "%http-response-parts", 4, 0, 0, response_parts },
    { "%make-http-chunks", 0, 0, 0, make_chunks },
    { "%http-chunks-next!", 4, 0, 0, chunks_next },
    { "%http-chunks-used", 1, 0, 0, chunks_used },
    { "%http-chunks-ended?", 1, 0, 0, chunks_ended },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
