/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The head of an HTTP/1 request or response, or the trailers behind a body,
   found and checked in bytes that arrive piece by piece (RFC 9110, RFC 9112).

   What does not follow the grammar, and what leaves room for two opinions on
   where a message ends, is refused.  Lines end in CRLF or in LF (RFC 9112,
   2.2).  Nothing is allocated or copied: the results are spans of the caller's
   bytes.  */

#ifndef SKP_HTTP_HEAD_H
#define SKP_HTTP_HEAD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sockport/api.h>

SKP_BEGIN_DECLS

/* How many fields a head may have.  */
#define SKP_HTTP_FIELDS 100

/* SIZE bytes, AT bytes after the beginning of what was parsed.  */
struct skp_http_span
{
  uint32_t at, size;
};

struct skp_http_field
{
  struct skp_http_span name, value; /* the value without blanks around it */
};

enum skp_http_flags
{
  SKP_HTTP_LENGTH = 1 << 0,     /* Content-Length, in LENGTH */
  SKP_HTTP_CHUNKED = 1 << 1,    /* the body comes in chunks */
  SKP_HTTP_CLOSE = 1 << 2,      /* Connection: close */
  SKP_HTTP_KEEP_ALIVE = 1 << 3, /* Connection: keep-alive */
  SKP_HTTP_UPGRADE = 1 << 4,    /* Connection: upgrade */
  SKP_HTTP_CONTINUE = 1 << 5,   /* Expect: 100-continue */
  SKP_HTTP_HOST = 1 << 6,       /* there is a Host */
};

/* Fields up to COUNT are results; those after it are the parser's own.  */
struct skp_http_head
{
  struct skp_http_span method, target; /* of a request */
  struct skp_http_span reason;         /* of a response, may be empty */
  unsigned status;                     /* of a response, 100 to 999 */
  unsigned minor;                      /* of the version, HTTP/1.minor */
  unsigned flags;
  uint64_t length;
  uint32_t count;
  uint32_t at, mark, size_limit, target_limit;
  unsigned char state, major, kind;
  struct skp_http_field field[SKP_HTTP_FIELDS];
};

/* Prepare HEAD for a request of at most SIZE_LIMIT bytes, blank lines before it
   included, with a target of at most TARGET_LIMIT; for a response; or for
   trailers.  */
SKP_API void skp_http_head_init (struct skp_http_head *head, size_t size_limit,
                                 size_t target_limit);
SKP_API void skp_http_head_init_response (struct skp_http_head *head,
                                          size_t size_limit);
SKP_API void skp_http_head_init_trailers (struct skp_http_head *head,
                                          size_t size_limit);

/* Go on with BYTES, of which SIZE have come so far: all of them from the
   beginning, where those of the last call have not changed.  The size of the
   head with the empty line that ends it, or

     -EAGAIN           more is needed
     -EBADMSG          this is no HTTP, or ambiguous           (400)
     -ENAMETOOLONG     the target is too long                  (414)
     -E2BIG            the head or its number of fields is     (431)
     -EOPNOTSUPP       a transfer coding besides chunked       (501)
     -EPROTONOSUPPORT  a version other than 1.x                (505)

   After an error nothing more can be made of the connection.  */
SKP_API ssize_t skp_http_head_parse (struct skp_http_head *head,
                                     const void *bytes, size_t size);

SKP_END_DECLS

#endif /* SKP_HTTP_HEAD_H */
