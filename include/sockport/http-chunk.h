/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The chunks of an HTTP/1 body (RFC 9112, 7.1), found in bytes that arrive
   piece by piece.  The data is not copied: the caller learns where it is.  What
   comes behind the last chunk, trailers and an empty line, is for
   skp_http_head_init_trailers.  */

#ifndef SKP_HTTP_CHUNK_H
#define SKP_HTTP_CHUNK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sockport/api.h>

SKP_BEGIN_DECLS

/* All zero before the first chunk.  */
struct skp_http_chunk
{
  uint64_t left;       /* of the chunk's data */
  uint32_t extensions; /* bytes of them, over all chunks */
  unsigned char state, digits;
};

/* How many bytes of extensions a body may have.  */
#define SKP_HTTP_EXTENSIONS 16384

/* Go on with the SIZE bytes at BYTES, which follow those used before: *USED of
   them are framing, and the bytes behind that, as many as the result says, are
   data and count as used, too.  0: everything was used and more is needed, or
   the last chunk was met (skp_http_chunk_ended) and what is behind *USED is
   not part of it.  -EBADMSG for what is no chunk.  */
SKP_API ssize_t skp_http_chunk_next (struct skp_http_chunk *chunk,
                                     const void *bytes, size_t size,
                                     size_t *used);

/* Has the last chunk been met?  */
SKP_API int skp_http_chunk_ended (const struct skp_http_chunk *chunk);

SKP_END_DECLS

#endif /* SKP_HTTP_CHUNK_H */
