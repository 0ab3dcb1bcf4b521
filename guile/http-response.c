/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The head of a response, as a bytevector made in one pass.  */

#include "http.h"
#include "primitive.h"
#include "value.h"

#include <string.h>

static const char who[] = "serve-http";
static SCM reason_phrase;

/* Upgrade is for this connection alone: RFC 9110, 7.8.  */
static void
put_connection (struct scm_skp__text *text, SCM connection, unsigned met)
{
  static const char *const lines[][2] = {
    { "", "Connection: Upgrade\r\n" },
    { "Connection: close\r\n", "Connection: close, Upgrade\r\n" },
    { "Connection: keep-alive\r\n", "Connection: keep-alive, Upgrade\r\n" },
  };
  const char *line
      = lines[SCM_I_INUM (connection)][(met & SCM_SKP__HTTP_MET_UPGRADE) != 0];
  scm_skp__text_put (text, line, strlen (line));
}

static void
put_date (struct scm_skp__text *text, struct scm_skp__http_memory *m)
{
  scm_skp__text_put (text, "Date: ", 6);
  scm_skp__text_put (text, scm_skp__http_date (m), 29);
  scm_skp__text_put (text, "\r\n\r\n", 4);
}

/* The head of a response with CODE, REASON and HEADERS, as a bytevector.
   CONNECTION is an index of put_connection's table.  */
static SCM
response (SCM memory, SCM code, SCM reason, SCM headers, SCM framing,
          SCM length, SCM connection)
{
  struct scm_skp__http_memory *m = scm_skp__http_memory (memory);
  struct scm_skp__text text;
  scm_skp__text_begin (&text, who);
  scm_skp__text_put (&text, "HTTP/1.1 ", 9);
  scm_skp__text_number (&text,
                        (uint64_t)scm_skp__integer (code, 100, 999, 2, who));
  scm_skp__text_put (&text, " ", 1);
  scm_skp__http_put_value (&text, reason_phrase, reason, reason);
  scm_skp__text_put (&text, "\r\n", 2);
  unsigned met = scm_skp__http_put_headers (&text, m, headers);
  scm_skp__http_put_framing (&text, framing, length);
  put_connection (&text, connection, met);
  if (met & SCM_SKP__HTTP_MET_DATE)
    scm_skp__text_put (&text, "\r\n", 2);
  else
    put_date (&text, m);
  SCM result = scm_skp__text_whole (&text, NULL, 0);
  scm_remember_upto_here_1 (memory);
  return result;
}

void
scm_skp__init_http_response (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%http-response", 7, 0, 0, response },
  };
  reason_phrase
      = scm_permanent_object (scm_from_latin1_symbol ("reason-phrase"));
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
