/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* One query to the C library, by itself: what the threads of resolve.c and the
   program sockport-resolve call.  */

#ifndef SKP_QUERY_H
#define SKP_QUERY_H

#include <sockport/resolve.h>

/* A query with its own copy of the names; all bytes count when two are
   compared.  An empty name is one that was not given.  */
struct skp__query
{
  int kind, flags, family, type, protocol;
  uint32_t number;
  struct skp_address address;
  char host[SKP_QUERY_HOST], service[SKP_QUERY_SERVICE];
};

/* Copy FROM.  0, -EINVAL, -ENAMETOOLONG; or CODE is set to an EAI_ number that
   is the answer: a name that cannot be converted, a port out of range.  */
int skp__query_copy (struct skp__query *to, const struct skp_query *from,
                     int *code);

/* A number that is the same for queries that are.  */
uint32_t skp__query_hash (const struct skp__query *query);

/* An answer that holds nothing but CODE; NULL when there is no memory.  */
struct skp_answer *skp__answer_code (int code, int error);

/* Copy the text FROM, which may be NULL.  0, -ENAMETOOLONG.  */
int skp__copy_text (char *to, size_t size, const char *from);

/* The answer of the C library, after as long as it takes.  */
struct skp_answer *skp__query_run (const struct skp__query *query);

/* The same when no look-up is needed for it, else NULL.  */
struct skp_answer *skp__query_run_now (const struct skp__query *query);

/* The same for an entry of a database (query-entry.c), and whether that needs
   no database.  */
struct skp_answer *skp__query_run_entry (const struct skp__query *query);
int skp__query_is_numeric_host (const struct skp__query *query);

/* The answer by way of the program HELPER.  */
struct skp_answer *skp__query_run_apart (const struct skp__query *query,
                                         const char *helper);

size_t skp__answer_size (const struct skp_answer *answer);

#endif /* SKP_QUERY_H */
