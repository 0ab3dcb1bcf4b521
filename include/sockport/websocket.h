/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Frames of the WebSocket protocol (RFC 6455), without extensions.

   A reader is given whatever bytes come, cut anywhere, and checks everything
   that the protocol demands of them: reserved bits and opcodes, masks, lengths,
   the order of fragments, close codes, and that text is UTF-8, which it knows
   at the first byte that is wrong.  It keeps no message, so that its size does
   not depend on the peer.  */

#ifndef SKP_WEBSOCKET_H
#define SKP_WEBSOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <sockport/api.h>

SKP_BEGIN_DECLS

enum skp_websocket_opcode
{
  SKP_WEBSOCKET_CONTINUATION = 0,
  SKP_WEBSOCKET_TEXT = 1,
  SKP_WEBSOCKET_BINARY = 2,
  SKP_WEBSOCKET_CLOSE = 8,
  SKP_WEBSOCKET_PING = 9,
  SKP_WEBSOCKET_PONG = 10
};

#define SKP_WEBSOCKET_CONTROL 125 /* bytes, the most of a control frame */
#define SKP_WEBSOCKET_HEAD 14     /* bytes, the most before the payload */
#define SKP_WEBSOCKET_ACCEPT 29   /* bytes, the NUL included */
#define SKP_WEBSOCKET_KEY 25

/* The fields are the library's.  */
struct skp_websocket
{
  uint64_t limit;
  uint64_t total; /* of the message's payload so far */
  uint64_t left;  /* of the frame's payload */
  uint32_t masked;
  unsigned char mask[4];
  unsigned char mask_offset;
  unsigned char in_payload;
  unsigned char opcode;  /* of the frame */
  unsigned char message; /* the opcode of the message, 0 between messages */
  unsigned char final;
  unsigned char utf8[3];
  unsigned char head_size;
  unsigned char control_size;
  unsigned char head[SKP_WEBSOCKET_HEAD];
  unsigned char control[SKP_WEBSOCKET_CONTROL];
};

/* A piece of a message, or a whole control frame: LENGTH bytes at BYTES, which
   are among those that were read or, of a control frame, in the reader.  USED
   bytes of what was read are done with.  FINAL: the message ends here.  */
struct skp_websocket_event
{
  size_t used;
  const unsigned char *bytes;
  size_t length;
  int final;
};

/* A reader of what a client sends, if MASKED, or a server; messages have at
   most LIMIT bytes.  */
SKP_API void skp_websocket_begin (struct skp_websocket *reader, int masked,
                                  uint64_t limit);

/* Take what it can of SIZE BYTES, which are unmasked where they are.  The
   opcode of the message that EVENT has a piece of, or that of a control frame;
   0 when all bytes are used and make up nothing yet.  -EPROTO, -EILSEQ (text
   that is not UTF-8) or -EMSGSIZE (beyond the limit), to be closed with 1002,
   1007 or 1009: the reader is of no use then.  */
SKP_API int skp_websocket_read (struct skp_websocket *reader, void *bytes,
                                size_t size, struct skp_websocket_event *event);

/* The head of a frame of LENGTH bytes, which is final unless OPCODE has
   SKP_WEBSOCKET_MORE added; MASK is NULL or four bytes.  The head's size.  */
#define SKP_WEBSOCKET_MORE 0x100
SKP_API int skp_websocket_head (unsigned char head[SKP_WEBSOCKET_HEAD],
                                int opcode, uint64_t length,
                                const unsigned char *mask);

/* Mask, or unmask, SIZE bytes from FROM to TO, which may be the same place.
   OFFSET bytes of the payload came before.  */
SKP_API void skp_websocket_mask (void *to, const void *from, size_t size,
                                 const unsigned char mask[4], size_t offset);

/* May a close frame carry CODE?  */
SKP_API int skp_websocket_close_code (int code);

/* What a server has to say for the key of LENGTH bytes that a client sent, and
   a new key for a client; both end with NUL.  0, or -errno if the system has no
   random bytes.  */
SKP_API void skp_websocket_accept (char accept[SKP_WEBSOCKET_ACCEPT],
                                   const char *key, size_t length);
SKP_API int skp_websocket_key (char key[SKP_WEBSOCKET_KEY]);

/* A new mask for a frame of a client.  0 or -errno.  */
SKP_API int skp_websocket_new_mask (unsigned char mask[4]);

SKP_END_DECLS

#endif /* SKP_WEBSOCKET_H */
