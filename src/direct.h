/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The calls of transfer.h that are made most often, without flags and in line;
   and getsockopt.

   Returns are not predicted behind a system call where the kernel guards
   against what processors speculate on: each function that one returns through
   costs 7 to 20 ns.  Here there is none, not even syscall(2).  */

#ifndef SKP_DIRECT_H
#define SKP_DIRECT_H

#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sockport/option.h>
#include <sockport/transfer.h>

/* Defined by a library that puts a `syscall' of its own underneath: then all
   calls go there.  */
extern const char skp_syscall_replaced
    __attribute__ ((weak, visibility ("default")));

/* What the kernel answers, -EINTR where the call has to be made otherwise.  */
static inline long
skp__direct (long number, long a, long b, long c, long d, long e, long f)
{
  if (&skp_syscall_replaced)
    return -EINTR;
#if defined __x86_64__ && defined __LP64__
  long result;
  register long fourth __asm__("r10") = d;
  register long fifth __asm__("r8") = e;
  register long sixth __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "0"(number), "D"(a), "S"(b), "d"(c), "r"(fourth),
                     "r"(fifth), "r"(sixth)
                   : "rcx", "r11", "memory");
  return result;
#elif defined __aarch64__ && defined __LP64__
  register long call __asm__("x8") = number;
  register long result __asm__("x0") = a;
  register long second __asm__("x1") = b;
  register long third __asm__("x2") = c;
  register long fourth __asm__("x3") = d;
  register long fifth __asm__("x4") = e;
  register long sixth __asm__("x5") = f;
  __asm__ volatile("svc 0"
                   : "+r"(result)
                   : "r"(call), "r"(second), "r"(third), "r"(fourth),
                     "r"(fifth), "r"(sixth)
                   : "memory");
  return result;
#else
  (void)number, (void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
  return -EINTR;
#endif
}

/* skp_transfer_recvfrom, or skp_transfer_recv if FROM is NULL.  */
static inline ssize_t
skp__direct_receive (int fd, void *buffer, size_t size,
                     struct skp_address *from)
{
  socklen_t length = sizeof from->storage;
  long n
      = skp__direct (SYS_recvfrom, fd, (long)buffer, (long)size, MSG_DONTWAIT,
                     from ? (long)&from->storage : 0, from ? (long)&length : 0);
  if (n == -EINTR)
    return from ? skp_transfer_recvfrom (fd, buffer, size, 0, from)
                : skp_transfer_recv (fd, buffer, size, 0);
  if (n >= 0 && from)
    from->length = length;
  return n;
}

/* skp_transfer_sendto, or skp_transfer_send if TO is NULL.  */
static inline ssize_t
skp__direct_send (int fd, const void *buffer, size_t size,
                  const struct skp_address *to)
{
  long n = skp__direct (SYS_sendto, fd, (long)buffer, (long)size,
                        MSG_DONTWAIT | MSG_NOSIGNAL,
                        to ? (long)&to->storage : 0, to ? to->length : 0);
  if (n == -EINTR)
    return to ? skp_transfer_sendto (fd, buffer, size, 0, to)
              : skp_transfer_send (fd, buffer, size, 0);
  return n;
}

/* skp_option_get_int.  */
static inline int
skp__direct_option (int fd, int level, int number, int *value)
{
  const struct skp_option *option = skp_option_find (level, number);
  socklen_t length = sizeof *value;
  if (!option
      || (option->kind != SKP_OPTION_INT && option->kind != SKP_OPTION_BOOL))
    return -ENOMSG;
  long result = skp__direct (SYS_getsockopt, fd, level, number, (long)value,
                             (long)&length, 0);
  if (result == -EINTR)
    return skp_option_get_int (fd, level, number, value);
  return result < 0 || length == sizeof *value ? (int)result : -ENOMSG;
}

#endif /* SKP_DIRECT_H */
