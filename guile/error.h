/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How the binding throws: keys, positions and errno are those of Guile's own
   procedures; the words say what was wrong and, for common mistakes, what would
   be right.  */

#ifndef SCM_SKP_ERROR_H
#define SCM_SKP_ERROR_H

#include <libguile.h>
#include <stdint.h>
#include <sockport/address.h>

/* Throw system-error with the errno that NEGATIVE_ERRNO stands for.  */
_Noreturn void scm_skp__error (long negative_errno, const char *who);

/* The same for a call on FD: names ADDRESS, or if that is NULL the peer when
   the error is about it, and says what would have been right when the state of
   the socket shows it.  */
_Noreturn void scm_skp__error_at (long negative_errno, const char *who, int fd,
                                  const struct skp_address *address);

/* Throw system-error EBADF that says the port was closed meanwhile.  */
_Noreturn void scm_skp__error_closed (const char *who);

/* Throw out-of-range for VALUE, the argument at POS; BOUNDS are words such as
   "0 to 65535".  */
_Noreturn void scm_skp__out_of_range (SCM value, const char *bounds, int pos,
                                      const char *who);

/* Throw wrong-type-arg for PORT, which is no open file port; and for VALUE,
   which is no integer or not from LOW to HIGH.  */
_Noreturn void scm_skp__refuse_fd (SCM port, int pos, const char *who);
_Noreturn void scm_skp__refuse_integer (SCM value, int64_t low, int64_t high,
                                        int pos, const char *who);

#endif /* SCM_SKP_ERROR_H */
