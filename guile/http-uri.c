/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Absolute URIs of http and https as they are in most requests, in Referer.
   Others are understood by Scheme.  */

#include "http.h"

#include <sockport/http-uri.h>

/* The fields of <uri>, as (sockport serve http-record) makes it.  */
enum field
{
  URI_SCHEME,
  URI_USERINFO,
  URI_HOST,
  URI_PORT,
  URI_PATH,
  URI_QUERY,
  URI_FRAGMENT,
  URI_FIELDS
};

static SCM
scheme_symbol (int secure)
{
  static const char *const names[] = { "http", "https" };
  static SCM symbols[2];
  /* Whichever thread comes first, it is the same symbol.  */
  if (!SCM_UNPACK (symbols[secure]))
    symbols[secure]
        = scm_permanent_object (scm_from_latin1_symbol (names[secure]));
  return symbols[secure];
}

static scm_t_bits
part (const char *text, struct skp_http_span span)
{
  return SCM_UNPACK (scm_from_latin1_stringn (text + span.at, span.size));
}

SCM
scm_skp__http_uri (SCM like, const char *text, size_t size)
{
  struct skp_http_uri uri;
  scm_t_bits field[URI_FIELDS];
  if (skp_http_uri_parse (&uri, text, size) < 0)
    return SCM_UNDEFINED;
  for (size_t i = 0; i < URI_FIELDS; i++)
    field[i] = SCM_UNPACK (SCM_BOOL_F);
  field[URI_SCHEME] = SCM_UNPACK (scheme_symbol (uri.secure));
  field[URI_HOST] = part (text, uri.host);
  field[URI_PATH] = part (text, uri.path);
  if (uri.has_query)
    field[URI_QUERY] = part (text, uri.query);
  return scm_c_make_structv (SCM_STRUCT_VTABLE (like), 0, URI_FIELDS, field);
}
