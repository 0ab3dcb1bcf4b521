/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The parts of a URI of http or https as most requests have one, in Referer: a
   scheme in small letters, a name, a path and a query.  */

#ifndef SKP_HTTP_URI_H
#define SKP_HTTP_URI_H

#include <stddef.h>
#include <sockport/http-head.h>

SKP_BEGIN_DECLS

/* Spans of the text that was parsed; the path may be empty, and so may be a
   query that is there.  */
struct skp_http_uri
{
  int secure; /* https */
  struct skp_http_span host, path;
  int has_query;
  struct skp_http_span query; /* without its question mark */
};

/* Find the parts of TEXT.  0, or -EOPNOTSUPP if it needs a closer look: another
   scheme, a port, a user, an address, a fragment, a byte that stands in no URI,
   or no URI at all.  */
SKP_API int skp_http_uri_parse (struct skp_http_uri *uri, const void *text,
                                size_t size);

SKP_END_DECLS

#endif /* SKP_HTTP_URI_H */
