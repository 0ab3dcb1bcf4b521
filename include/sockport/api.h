/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What every public header needs: visibility, and the conventions.

   A function returns a value >= 0, or -errno; errno itself is not part of the
   interface.  Outputs are written on success only.  No function waits unless
   its name says so: one that would have to returns -EAGAIN.  Interrupted
   system calls are retried.  Sizes are bytes, times are named with their
   unit, numbers in addresses are in host order.  */

#ifndef SKP_API_H
#define SKP_API_H

/* The headers work in C++ as well.  */
#ifdef __cplusplus
#  define SKP_BEGIN_DECLS                                                      \
    extern "C"                                                                 \
    {
#  define SKP_END_DECLS }
#else
#  define SKP_BEGIN_DECLS
#  define SKP_END_DECLS
#endif

/* Marks what the library exports.  */
#define SKP_API __attribute__ ((visibility ("default")))

#endif /* SKP_API_H */
