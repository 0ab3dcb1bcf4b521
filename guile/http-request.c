/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A request from the bytes of its head.  */

#include "http.h"
#include "primitive.h"
#include "value.h"

#include <errno.h>
#include <string.h>

struct skp_http_head *
scm_skp__http_head (SCM head)
{
  if (!SCM_BYTEVECTOR_P (head)
      || SCM_BYTEVECTOR_LENGTH (head) < sizeof (struct skp_http_head))
    scm_wrong_type_arg_msg ("serve-http", 1, head, "head");
  return (struct skp_http_head *)SCM_BYTEVECTOR_CONTENTS (head);
}

int
scm_skp__http_status (ssize_t error)
{
  switch (error)
    {
    case -ENAMETOOLONG:
      return 414;
    case -E2BIG:
      return 431;
    case -EOPNOTSUPP:
      return 501;
    case -EPROTONOSUPPORT:
      return 505;
    default:
      return 400;
    }
}

void
scm_skp__http_refuse (int status)
{
  scm_throw (scm_from_latin1_symbol ("refused-request"),
             scm_list_1 (scm_from_int (status)));
}

static SCM
make_head (void)
{
  return scm_c_make_bytevector (sizeof (struct skp_http_head));
}

static SCM
head_begin (SCM head, SCM size_limit, SCM target_limit)
{
  skp_http_head_init (
      scm_skp__http_head (head),
      (size_t)scm_skp__integer (size_limit, 1, INT32_MAX, 2, "serve-http"),
      (size_t)scm_skp__integer (target_limit, 1, INT32_MAX, 3, "serve-http"));
  return SCM_UNSPECIFIED;
}

/* Go on with BYTES from START to END: the size of the head, #f for more, or
   the status of a refusal, negative.  */
static SCM
head_parse (SCM head, SCM bytes, SCM start, SCM end)
{
  ssize_t n = skp_http_head_parse (
      scm_skp__http_head (head),
      SCM_BYTEVECTOR_CONTENTS (bytes) + SCM_I_INUM (start),
      (size_t)(SCM_I_INUM (end) - SCM_I_INUM (start)));
  if (n == -EAGAIN)
    return SCM_BOOL_F;
  return scm_from_int (n > 0 ? (int)n : -scm_skp__http_status (n));
}

static SCM
method_symbol (const char *bytes, size_t size)
{
  static const char *const names[]
      = { "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH" };
  static SCM symbols[sizeof names / sizeof *names];
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strlen (names[i]) == size && memcmp (names[i], bytes, size) == 0)
      {
        /* Whichever thread comes first, it is the same symbol.  */
        if (!SCM_UNPACK (symbols[i]))
          symbols[i]
              = scm_permanent_object (scm_from_latin1_symboln (bytes, size));
        return symbols[i];
      }
  return scm_from_latin1_symboln (bytes, size);
}

/* The parts of what %http-request! fills in.  */
enum part
{
  PART_METHOD,
  PART_PATH,  /* or the whole target, where that is not a path */
  PART_QUERY, /* #f without */
  PART_PATH_P,
  PART_MINOR,
  PART_HEADERS,
  PART_INVALID,
  PART_FLAGS,
  PART_LENGTH,
  PARTS
};

static void
target_parts (SCM parts, const char *target, size_t size)
{
  int is_path = target[0] == '/';
  const char *query = is_path ? memchr (target, '?', size) : NULL;
  size_t path_size = query ? (size_t)(query - target) : size;
  SCM path = scm_from_latin1_stringn (target, path_size);
  SCM_SIMPLE_VECTOR_SET (parts, PART_PATH, path);
  SCM_SIMPLE_VECTOR_SET (
      parts, PART_QUERY,
      query ? scm_from_latin1_stringn (query + 1, size - path_size - 1)
            : SCM_BOOL_F);
  SCM_SIMPLE_VECTOR_SET (parts, PART_PATH_P, scm_from_bool (is_path));
}

/* Fill PARTS in from HEAD, which has been parsed, of BYTES from START on.  */
static SCM
request (SCM head, SCM bytes, SCM start, SCM memory, SCM parts)
{
  const struct skp_http_head *h = scm_skp__http_head (head);
  const char *text
      = (const char *)SCM_BYTEVECTOR_CONTENTS (bytes) + SCM_I_INUM (start);
  if (!scm_is_vector (parts) || SCM_SIMPLE_VECTOR_LENGTH (parts) < PARTS)
    scm_wrong_type_arg_msg ("serve-http", 5, parts, "vector");
  SCM invalid = SCM_EOL;
  SCM headers = scm_skp__http_headers (scm_skp__http_memory (memory), h, text,
                                       &invalid);
  target_parts (parts, text + h->target.at, h->target.size);
  SCM_SIMPLE_VECTOR_SET (parts, PART_METHOD,
                         method_symbol (text + h->method.at, h->method.size));
  SCM_SIMPLE_VECTOR_SET (parts, PART_MINOR, SCM_I_MAKINUM (h->minor > 0));
  SCM_SIMPLE_VECTOR_SET (parts, PART_HEADERS, headers);
  SCM_SIMPLE_VECTOR_SET (parts, PART_INVALID, invalid);
  SCM_SIMPLE_VECTOR_SET (parts, PART_FLAGS, SCM_I_MAKINUM (h->flags));
  SCM_SIMPLE_VECTOR_SET (parts, PART_LENGTH, scm_from_uint64 (h->length));
  scm_remember_upto_here_2 (head, bytes);
  return SCM_UNSPECIFIED;
}

void
scm_skp__init_http_request (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%make-http-head", 0, 0, 0, make_head },
    { "%http-head-begin!", 3, 0, 0, head_begin },
    { "%http-head-parse!", 4, 0, 0, head_parse },
    { "%http-request!", 5, 0, 0, request },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
