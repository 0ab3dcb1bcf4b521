/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Names of tables as C and as Scheme write them: "TCP_KEEPIDLE" and
   "tcp-keepidle" are the same.  */

#ifndef SKP_NAME_H
#define SKP_NAME_H

int skp__name_same (const char *a, const char *b);

#endif /* SKP_NAME_H */
