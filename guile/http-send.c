/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The head of a response with what is behind it, a body that is there or a
   small part of a file, in one send and without a copy that the collector has
   to take away again.  */

#include "http.h"
#include "layer.h"
#include "loop.h"
#include "port.h"
#include "primitive.h"
#include "value.h"

#include <errno.h>
#include <sys/uio.h>
#include <sockport/file.h>

static const char who[] = "serve-http";

/* Send HEAD and SIZE BYTES, but for the first START of all these: how many
   went; #f if SOCK has to be waited for.  */
static SCM
send_both (SCM sock, SCM head, signed char *bytes, size_t size, size_t start)
{
  if (!SCM_BYTEVECTOR_P (head))
    scm_wrong_type_arg_msg (who, 2, head, "bytevector");
  size_t first = SCM_BYTEVECTOR_LENGTH (head);
  size_t gone = start < first ? start : first, behind = start - gone;
  struct iovec slices[]
      = { { SCM_BYTEVECTOR_CONTENTS (head) + gone, first - gone },
          { bytes + behind, size - behind } };
  int skipped = gone == first;
  scm_skp__port_fd (sock, 1, who);
  ssize_t n = scm_skp__port_send (sock, slices + skipped, 2 - skipped);
  scm_remember_upto_here_1 (head);
  if (n == -EAGAIN)
    return SCM_BOOL_F;
  if (n < 0)
    scm_skp__port_fail (sock, n, who);
  return scm_from_ssize_t (n);
}

static SCM
send_bytes (SCM sock, SCM head, SCM body, SCM start)
{
  if (!SCM_BYTEVECTOR_P (head))
    scm_wrong_type_arg_msg (who, 2, head, "bytevector");
  if (!SCM_BYTEVECTOR_P (body))
    scm_wrong_type_arg_msg (who, 3, body, "bytevector");
  if (scm_skp__turn_over ())
    return SCM_BOOL_F;
  size_t size = SCM_BYTEVECTOR_LENGTH (body);
  size_t most = SCM_BYTEVECTOR_LENGTH (head) + size;
  SCM sent
      = send_both (sock, head, SCM_BYTEVECTOR_CONTENTS (body), size,
                   (size_t)scm_skp__integer (start, 0, (int64_t)most, 4, who));
  scm_remember_upto_here_1 (body);
  return sent;
}

/* COUNT bytes of FILE from OFFSET on, at most SCM_SKP__HTTP_FILE of them: for
   so few, that is cheaper than sendfile(2).  Regular files make nobody wait. */
static SCM
send_file (SCM sock, SCM head, SCM memory, SCM file, SCM offset, SCM count)
{
  int fd = SCM_I_INUMP (file) ? (int)SCM_I_INUM (file)
                              : scm_skp__fd (file, 4, who);
  int64_t from = scm_to_int64 (offset);
  int64_t size = scm_skp__integer (count, 0, SCM_SKP__HTTP_FILE, 6, who);
  char *bytes = scm_skp__http_file_buffer (scm_skp__http_memory (memory));
  if (scm_skp__turn_over ())
    return SCM_BOOL_F;
  ssize_t n = skp_file_read (fd, bytes, (size_t)size, from);
  if (n < 0)
    scm_skp__error (n, who);
  if (n < size)
    scm_misc_error (who, "a file ends before the part that is to be sent: ~s",
                    scm_list_1 (file));
  SCM sent = send_both (sock, head, (signed char *)bytes, (size_t)size, 0);
  scm_remember_upto_here_2 (file, memory);
  return sent;
}

void
scm_skp__init_http_send (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%http-send", 4, 0, 0, send_bytes },
    { "%http-send-file", 6, 0, 0, send_file },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
