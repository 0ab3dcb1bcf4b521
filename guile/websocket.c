/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Frames of WebSocket as bytevectors.  A reader is a bytevector that holds the
   core's, and one call of it takes one frame or a piece of one.  */

#include "primitive.h"
#include "value.h"

#include <string.h>
#include <sockport/websocket.h>

/* MASKED is #t for what a client sends.  */
static SCM
reader_make (SCM masked, SCM limit)
{
  SCM reader = scm_c_make_bytevector (sizeof (struct skp_websocket));
  int64_t most
      = scm_skp__integer (limit, 0, SCM_MOST_POSITIVE_FIXNUM, 2, "websocket");
  skp_websocket_begin ((struct skp_websocket *)SCM_BYTEVECTOR_CONTENTS (reader),
                       scm_is_true (masked), (uint64_t)most);
  return reader;
}

static SCM
bytes_from (const unsigned char *bytes, size_t size)
{
  SCM copy = scm_c_make_bytevector (size);
  memcpy (SCM_BYTEVECTOR_CONTENTS (copy), bytes, size);
  return copy;
}

/* What describes a message, from index 1 on: a piece as the place of its bytes
   in BUFFER and whether it is the last; one that came whole as itself, and #f.
 */
static void
note_message (SCM event, const struct skp_websocket *reader, int opcode,
              const struct skp_websocket_event *found,
              const unsigned char *buffer)
{
  ptrdiff_t from = found->bytes - buffer;
  if (found->final && reader->total == found->length)
    {
      scm_c_vector_set_x (event, 1,
                          opcode == SKP_WEBSOCKET_TEXT
                              ? scm_from_utf8_stringn (
                                  (const char *)found->bytes, found->length)
                              : bytes_from (found->bytes, found->length));
      scm_c_vector_set_x (event, 2, SCM_BOOL_F);
      return;
    }
  scm_c_vector_set_x (event, 1, SCM_I_MAKINUM (from));
  scm_c_vector_set_x (event, 2,
                      SCM_I_MAKINUM (from + (ptrdiff_t)found->length));
  scm_c_vector_set_x (event, 3, scm_from_bool (found->final));
}

/* Read BUFFER from START to END.  The opcode, 0, or a negative errno; in EVENT,
   a vector of 4, where to go on, and the message or a control frame's payload.
 */
static SCM
reader_read (SCM reader, SCM event, SCM buffer, SCM start, SCM end)
{
  static const char who[] = "websocket";
  struct skp_websocket_event found;
  if (!SCM_BYTEVECTOR_P (reader)
      || SCM_BYTEVECTOR_LENGTH (reader) != sizeof (struct skp_websocket))
    scm_wrong_type_arg_msg (who, 1, reader, "reader");
  if (!SCM_MUTABLE_BYTEVECTOR_P (buffer))
    scm_wrong_type_arg_msg (who, 3, buffer, "mutable bytevector");
  struct skp_websocket *state
      = (struct skp_websocket *)SCM_BYTEVECTOR_CONTENTS (reader);
  int64_t to = scm_skp__integer (
      end, 0, (int64_t)SCM_BYTEVECTOR_LENGTH (buffer), 5, who);
  int64_t from = scm_skp__integer (start, 0, to, 4, who);
  unsigned char *bytes = (unsigned char *)SCM_BYTEVECTOR_CONTENTS (buffer);
  int result
      = skp_websocket_read (state, bytes + from, (size_t)(to - from), &found);
  if (result < 0)
    return scm_from_int (result);
  scm_c_vector_set_x (event, 0, SCM_I_MAKINUM (from + (int64_t)found.used));
  if (result >= SKP_WEBSOCKET_CLOSE)
    scm_c_vector_set_x (event, 1, bytes_from (found.bytes, found.length));
  else if (result > 0)
    note_message (event, state, result, &found, bytes);
  return scm_from_int (result);
}

/* A frame of BYTES, masked if MASKED.  */
static SCM
frame (SCM opcode, SCM bytes, SCM masked)
{
  static const char who[] = "websocket-send";
  unsigned char head[SKP_WEBSOCKET_HEAD], mask[4];
  int code = (int)scm_skp__integer (opcode, 0, INT32_MAX, 1, who);
  if (!SCM_BYTEVECTOR_P (bytes))
    scm_wrong_type_arg_msg (who, 2, bytes, "bytevector");
  int err = scm_is_true (masked) ? skp_websocket_new_mask (mask) : 0;
  if (err < 0)
    scm_skp__error (err, who);
  size_t size = SCM_BYTEVECTOR_LENGTH (bytes);
  size_t before = (size_t)skp_websocket_head (
      head, code, size, scm_is_true (masked) ? mask : NULL);
  SCM whole = scm_c_make_bytevector (before + size);
  signed char *to = SCM_BYTEVECTOR_CONTENTS (whole);
  memcpy (to, head, before);
  if (scm_is_true (masked))
    skp_websocket_mask (to + before, SCM_BYTEVECTOR_CONTENTS (bytes), size,
                        mask, 0);
  else
    memcpy (to + before, SCM_BYTEVECTOR_CONTENTS (bytes), size);
  return whole;
}

static SCM
key_accept (SCM key)
{
  char accept[SKP_WEBSOCKET_ACCEPT];
  size_t length;
  const char *bytes = scm_skp__name_to (key, &length, 1, "websocket");
  skp_websocket_accept (accept, bytes, length);
  return scm_from_latin1_string (accept);
}

static SCM
key_make (void)
{
  char key[SKP_WEBSOCKET_KEY];
  int err = skp_websocket_key (key);
  if (err < 0)
    scm_skp__error (err, "open-websocket");
  return scm_from_latin1_string (key);
}

static SCM
close_code_p (SCM code)
{
  return scm_from_bool (SCM_I_INUMP (code) && SCM_I_INUM (code) > 0
                        && SCM_I_INUM (code) < 5000
                        && skp_websocket_close_code ((int)SCM_I_INUM (code)));
}

void
scm_skp__init_websocket (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%websocket-reader", 2, 0, 0, reader_make },
    { "%websocket-read", 5, 0, 0, reader_read },
    { "%websocket-frame", 3, 0, 0, frame },
    { "%websocket-accept", 1, 0, 0, key_accept },
    { "%websocket-key", 0, 0, 0, key_make },
    { "%websocket-close-code?", 1, 0, 0, close_code_p },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
