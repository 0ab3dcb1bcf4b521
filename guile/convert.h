/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Scheme values to C and back, for every file of the binding.

   Each function that takes POS and WHO refuses a bad argument with
   wrong-type-arg or out-of-range at that position; numbers are looked at before
   libguile converts them, because scm_to_ulong and its siblings crash on some
   integers in Guile 3.0.8.  */

#ifndef SCM_SKP_CONVERT_H
#define SCM_SKP_CONVERT_H

#include <libguile.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sockport/address.h>

#include "error.h"

/* A primitive, for scm_skp__define.  */
struct scm_skp__primitive
{
  const char *name;
  int required, optional, rest;
  SCM (*function) ();
};

/* Define COUNT PRIMITIVES in the current module.  */
void scm_skp__define (const struct scm_skp__primitive *primitives,
                      size_t count);

/* What a primitive that tries once returns:

     n           done; n, or what else it is to return
     #f          nothing was done: it would have to wait for what it does
     -n          n were moved, and a blocking call would go on
     full        nothing was done, and it waits for room at the other end
     refused     not between these two: another way has to be found
     connecting  a number below all others: a connection has begun
   (MSG_FASTOPEN)

   and it throws for an error.  Here for the result N of the core.  */
#define SCM_SKP__FULL scm_from_latin1_symbol ("full")
#define SCM_SKP__REFUSED scm_from_latin1_symbol ("refused")
#define SCM_SKP__CONNECTING SCM_I_MAKINUM (SCM_MOST_NEGATIVE_FIXNUM)
SCM scm_skp__count (ssize_t n, const char *who);

/* The descriptor of PORT, an open file port.  */
static inline int
scm_skp__fd (SCM port, int pos, const char *who)
{
  if (!SCM_OPFPORTP (port))
    scm_skp__refuse_fd (port, pos, who);
  return SCM_FPORT_FDES (port);
}

/* VALUE, an exact integer from LOW to HIGH.  On machines of 32 bits an integer
   above 2^29 is no fixnum.  */
int64_t scm_skp__big_integer (SCM value, int64_t low, int64_t high, int pos,
                              const char *who);

static inline int64_t
scm_skp__integer (SCM value, int64_t low, int64_t high, int pos,
                  const char *who)
{
  if (!SCM_I_INUMP (value) || SCM_I_INUM (value) < low
      || SCM_I_INUM (value) > high)
    return scm_skp__big_integer (value, low, high, pos, who);
  return SCM_I_INUM (value);
}

/* As scm_skp__integer from 0 to INT_MAX, DEFAULT_VALUE if VALUE is absent.  */
static inline int
scm_skp__flags (SCM value, int default_value, int pos, const char *who)
{
  return SCM_UNBNDP (value)
             ? default_value
             : (int)scm_skp__integer (value, 0, INT32_MAX, pos, who);
}

/* A socket port that owns FD, unbuffered, for reading and writing.  FD is
   closed if making the port throws.  */
SCM scm_skp__port (int fd);

/* An unsigned integer of 128 bits from BYTES, most significant first; and the
   bytes of VALUE.  */
SCM scm_skp__wide_from (const unsigned char *bytes);
void scm_skp__wide_to (unsigned char *bytes, SCM value, int pos,
                       const char *who);

/* An address from its vector, and from a procedure's arguments: FAMILY at
   position POS, which may be such a vector, then *FIRST, if bound, then the
   list *ARGS.  *FIRST becomes unbound when it is taken, *ARGS what is left; the
   number of arguments that were taken after FAMILY is returned.  */
void scm_skp__address_to (struct skp_address *address, SCM vector, int pos,
                          const char *who);
int scm_skp__address_args (struct skp_address *address, SCM family, SCM *first,
                           SCM *args, int pos, const char *who);

/* The same when nothing may follow the address.  */
void scm_skp__address_whole (struct skp_address *address, SCM family, SCM first,
                             SCM args, int pos, const char *who);

/* The vector of ADDRESS; #f if it is empty.  */
SCM scm_skp__address_from (const struct skp_address *address);

/* The same, in SPARE if that is a vector of the right length.  */
SCM scm_skp__address_into (SCM spare, const struct skp_address *address);

/* A UNIX name or another string of the system: BYTES as a string in the
   locale's encoding, or as a bytevector when no string would give them back. */
SCM scm_skp__name_from (const void *bytes, size_t length);

/* The bytes of NAME, a string or a bytevector, in memory of the collector.  */
const char *scm_skp__name_to (SCM name, size_t *length, int pos,
                              const char *who);

/* The index of the interface that VALUE, an integer or a name, stands for.  */
int scm_skp__interface (SCM value, int pos, const char *who);

/* A part of a buffer: SIZE bytes at BYTES.  */
struct scm_skp__slice
{
  char *bytes;
  size_t size;
  size_t start;
};

/* The slice of BUFFER, a bytevector or a string of characters 0 to 255, from
   START to END (absent: all), to send from or to receive into.  POS is the
   buffer's position, START_POS that of START.  A string's bytes are a copy.  */
void scm_skp__out_part (struct scm_skp__slice *slice, SCM buffer, SCM start,
                        SCM end, int pos, int start_pos, const char *who);
void scm_skp__in_part (struct scm_skp__slice *slice, SCM buffer, SCM start,
                       SCM end, int pos, int start_pos, const char *who);

static inline void
scm_skp__whole (struct scm_skp__slice *slice, SCM bytevector)
{
  slice->bytes = (char *)SCM_BYTEVECTOR_CONTENTS (bytevector);
  slice->size = SCM_BYTEVECTOR_LENGTH (bytevector);
  slice->start = 0;
}

static inline void
scm_skp__out_slice (struct scm_skp__slice *slice, SCM buffer, SCM start,
                    SCM end, int pos, int start_pos, const char *who)
{
  if (SCM_UNBNDP (start) && SCM_BYTEVECTOR_P (buffer))
    scm_skp__whole (slice, buffer);
  else
    scm_skp__out_part (slice, buffer, start, end, pos, start_pos, who);
}

static inline void
scm_skp__in_slice (struct scm_skp__slice *slice, SCM buffer, SCM start, SCM end,
                   int pos, int start_pos, const char *who)
{
  if (SCM_UNBNDP (start) && SCM_MUTABLE_BYTEVECTOR_P (buffer))
    scm_skp__whole (slice, buffer);
  else
    scm_skp__in_part (slice, buffer, start, end, pos, start_pos, who);
}

/* Keep what a string holds for bytes that the kernel will not store.  */
void scm_skp__in_keep (const struct scm_skp__slice *slice, SCM buffer);

/* Store the COUNT bytes that were received for BUFFER, if it is a string.  */
void scm_skp__in_done (const struct scm_skp__slice *slice, SCM buffer,
                       size_t count);

/* The flags with which receiving never waits, in blocking mode either: the
   error queue (recv(2)) and urgent data (tcp_recv_urg in Linux).  */
#define SCM_SKP__RECEIVE_INSTANT (MSG_DONTWAIT | MSG_ERRQUEUE | MSG_OOB)

/* Wait until PORT is readable (POLLIN) or writable (POLLOUT), as a blocking
   call of WHO would: outside Guile mode, woken by asyncs and by a close, at
   most for the socket's SO_RCVTIMEO or SO_SNDTIMEO.  Throws EAGAIN if PORT is
   in non-blocking mode or that time has passed, EBADF if it was closed.
   Returns as scm_skp__wait.  */
int scm_skp__block (SCM port, int events, const char *who);

/* When such a wait has to end; -1: never.  */
int64_t scm_skp__block_deadline (SCM port, int events, const char *who);

/* The same without regard to mode and options: 1 when ready, 0 when the
   monotonic clock has reached DEADLINE_NS (-1: never).  SCM_SKP__ERRORS says
   that there is an error and nothing else: if the call does not meet it then,
   it is in the queue of errors, which ends every wait as long as it is not
   empty.  */
#define SCM_SKP__ERRORS 2
int scm_skp__wait (SCM port, int events, int64_t deadline_ns, const char *who);

/* Around a call of the core that sets O_NONBLOCK for a moment.  Nothing may
   throw between the two.  */
void scm_skp__mode_lock (void);
void scm_skp__mode_unlock (void);

/* Has the user set O_NONBLOCK on FD?  1, 0 or a negative errno.  */
int scm_skp__nonblocking (int fd);

/* The monotonic clock.  */
int64_t scm_skp__monotonic_ns (void);

/* Is PORT being closed, by another than what runs here?  */
extern atomic_int scm_skp__closing_count;
int scm_skp__in_closing (SCM port);

static inline int
scm_skp__closing (SCM port)
{
  return atomic_load (&scm_skp__closing_count) && scm_skp__in_closing (port);
}

/* Wake the threads that wait for PORT, which is being closed.  */
void scm_skp__wake_waiters (SCM port);
void scm_skp__init_closing (void);

/* Have every loop forget PORT, and what waits for it there go on.  */
void scm_skp__forget (SCM port);

/* The task that runs in this thread, or the thread.  */
SCM scm_skp__who_runs (void);

/* What the loop that runs in this thread knows of its TCP sockets, by
   descriptor. On such a socket, a read of less than was asked for has taken all
   there was, and the poller reports when there is more, so the next attempt
   needs no system call to know that it would have to wait.  COUNT is 0 where no
   loop runs.  */
enum scm_skp__hint
{
  SCM_SKP__HINT_NONE,   /* nothing can be known */
  SCM_SKP__HINT_UNREAD, /* there may be something */
  SCM_SKP__HINT_DRAINED
};

struct scm_skp__hints
{
  unsigned char *hint;
  size_t count;
};

/* A task that never has to wait shall not keep its thread from the others: of
   so many attempts, the last returns as if it had to wait, and then waiting
   is letting the others run.  LEFT is 0 where no loop runs.  */
#define SCM_SKP__TURN 32
struct scm_skp__turn
{
  unsigned left;
  int over;
};

extern __thread struct scm_skp__turn scm_skp__turn
    __attribute__ ((tls_model ("initial-exec")));

/* For the beginning of an attempt: is the turn over?  */
static inline int
scm_skp__turn_over (void)
{
  if (!scm_skp__turn.left || --scm_skp__turn.left)
    return 0;
  scm_skp__turn = (struct scm_skp__turn){ .left = SCM_SKP__TURN, .over = 1 };
  return 1;
}

/* For those who wait: was it the turn that was over?  */
static inline int
scm_skp__turn_was_over (void)
{
  int over = scm_skp__turn.over;
  scm_skp__turn.over = 0;
  return over;
}

/* Does a task run here that cannot be left, because of C code that called this?
   (guile/task/task.c)  */
int scm_skp__below_c (void);

/* Does a loop run in this thread?  */
int scm_skp__in_loop (void);

/* Where the last attempt that would have had to wait wanted to receive: nothing
   that is relied on.  */
extern __thread const char *scm_skp__wanted
    __attribute__ ((tls_model ("initial-exec")));

extern __thread struct scm_skp__hints scm_skp__hints
    __attribute__ ((tls_model ("initial-exec")));

static inline int
scm_skp__drained (int fd)
{
  return (size_t)fd < scm_skp__hints.count
         && scm_skp__hints.hint[fd] == SCM_SKP__HINT_DRAINED;
}

static inline void
scm_skp__note_drained (int fd)
{
  if ((size_t)fd < scm_skp__hints.count
      && scm_skp__hints.hint[fd] == SCM_SKP__HINT_UNREAD)
    scm_skp__hints.hint[fd] = SCM_SKP__HINT_DRAINED;
}

void scm_skp__init_address (void);
void scm_skp__init_batch (void);
void scm_skp__init_bulk (void);
void scm_skp__init_byte_order (void);
void scm_skp__init_constant (void);
void scm_skp__init_file (void);
void scm_skp__init_http_input (void);
void scm_skp__init_http_memory (void);
void scm_skp__init_http_output (void);
void scm_skp__init_http_request (void);
void scm_skp__init_http_response (void);
void scm_skp__init_http_send (void);
void scm_skp__init_http_client (void);
void scm_skp__init_scheme_port (void);
void scm_skp__init_interface (void);
void scm_skp__init_control (void);
void scm_skp__init_layer (void);
void scm_skp__init_descriptor (void);
void scm_skp__init_message (void);
void scm_skp__init_option (void);
void scm_skp__init_poller (void);
void scm_skp__init_print (void);
void scm_skp__init_process (void);
void scm_skp__init_proxy_header (void);
void scm_skp__init_resolve (void);
void scm_skp__init_resolve_entry (void);
void scm_skp__init_socket (void);
void scm_skp__init_stream (void);
void scm_skp__init_chaos (void);
void scm_skp__init_task (void);
void scm_skp__init_dynamic_stack (void);
void scm_skp__init_structure (void);
void scm_skp__init_transfer (void);
void scm_skp__init_wait (void);
void scm_skp__init_websocket (void);

#endif /* SCM_SKP_CONVERT_H */
