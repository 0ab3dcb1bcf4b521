/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the fields of a head mean for where a request ends and what follows it.
   For http-head.c alone.  */

#ifndef SKP__HTTP_FRAMING_H
#define SKP__HTTP_FRAMING_H

#include <sockport/http-head.h>

static inline int
skp__http_blank (unsigned char byte)
{
  return byte == ' ' || byte == '\t';
}

/* Take up FIELD, the last that was found in HEAD, a request's or a response's.
 */
int skp__http_note (struct skp_http_head *head, const unsigned char *bytes,
                    const struct skp_http_field *field, int response);

/* Is HEAD, which has ended, a request or a response?  */
int skp__http_check (struct skp_http_head *head, const unsigned char *bytes,
                     int response);

#endif /* SKP__HTTP_FRAMING_H */
