/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The head of a response, and a small body behind it, as one bytevector made in
   one pass.  */

#include "http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char who[] = "serve-http";

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
    {
      scm_skp__text_put (text, line, strlen (line));
      scm_skp__text_put (text, "\r\n", 2);
    }
}

static void
put_date (struct scm_skp__text *text, struct scm_skp__http_memory *m)
{
  scm_skp__text_put (text, "Date: ", 6);
  scm_skp__text_put (text, scm_skp__http_date (m), 29);
  scm_skp__text_put (text, "\r\n\r\n", 4);
}

/* The head of a response with CODE, REASON and HEADERS, and BODY, a bytevector
   or #f, behind it.  CONNECTION is an index of the table above.  */
static SCM
response (SCM memory, SCM code, SCM reason, SCM headers, SCM framing,
          SCM length, SCM connection, SCM body)
{
  struct scm_skp__http_memory *m = scm_skp__http_memory (memory);
  struct scm_skp__text text;
  scm_skp__text_begin (&text, who);
  scm_skp__text_put (&text, "HTTP/1.1 ", 9);
  scm_skp__text_number (&text,
                        (uint64_t)scm_skp__integer (code, 100, 999, 2, who));
  scm_skp__text_put (&text, " ", 1);
  scm_skp__http_put_value (&text, scm_from_latin1_symbol ("reason-phrase"),
                           reason, reason);
  scm_skp__text_put (&text, "\r\n", 2);
  int dated = scm_skp__http_put_headers (&text, m, headers);
  scm_skp__http_put_framing (&text, framing, length);
  put_connection (&text, connection);
  if (dated)
    scm_skp__text_put (&text, "\r\n", 2);
  else
    put_date (&text, m);
  SCM result = scm_is_true (body) && SCM_BYTEVECTOR_P (body)
                   ? scm_skp__text_whole (&text, SCM_BYTEVECTOR_CONTENTS (body),
                                          SCM_BYTEVECTOR_LENGTH (body))
                   : scm_skp__text_whole (&text, NULL, 0);
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
