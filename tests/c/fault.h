/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Failing system calls on purpose: the calls that the core makes, what their
   man pages say of errors (fault-calls.c), and the functions of the core that
   make them (fault-socket.c, fault-transfer.c), which fault.c combines.  */

#ifndef SKP_TEST_FAULT_H
#define SKP_TEST_FAULT_H

#include "test.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <sockport/sockport.h>

/* A call and the errors of its man page, ended by 0.  */
struct call
{
  const char *name;
  int errors[28];
  int memory; /* obtains memory, and cannot be interrupted */
  int made;   /* how often the core made it */
};
extern struct call calls[];
extern const size_t calls_count;

/* What the calls of one run do.  FAIL is the index among the calls of the run
   of the one that fails, or -1; it and the TIMES - 1 next ones of its name fail
   with ERROR.  */
struct run
{
  int armed;    /* calls are noted, and fail */
  int counting; /* and memory is counted */
  int fail, error, times;
  int count;      /* the calls made so far */
  int names[512]; /* their indices in CALLS */
  long memory;    /* pieces obtained and not given back */
};
extern _Thread_local struct run run;

/* What functions write to.  A run fills it, and looks whether it has changed
   since the call (PROBE) began.  */
extern union output
{
  unsigned char bytes[16384];
  struct skp_address address;
  struct
  {
    struct skp_message message;
    struct skp_address address;
    unsigned char data[4096], control[1024];
  } message;
  struct
  {
    struct skp_address address;
    char data[64];
  } transfer;
  struct skp_file file;
  int numbers[8];
  int64_t offset;
  void *pointer;
  struct skp_poller_event events[4];
  struct
  {
    unsigned char bytes[256];
    socklen_t length;
  } option;
  char name[64];
} output, before;

/* The result of the core's function CALL, during which calls are counted and
   fail.  */
#define PROBE(call)                                                            \
  __extension__({                                                              \
    before = output;                                                           \
    run.armed = 1;                                                             \
    long probed_ = (call);                                                     \
    run.armed = 0;                                                             \
    probed_;                                                                   \
  })

/* One function of the core in one situation.  PROBE calls it between what it
   needs and what undoes it.  */
struct operation
{
  const char *name;
  long (*probe) (void);
};
extern const struct operation socket_operations[], transfer_operations[],
    bulk_operations[];

/* A pair of connected sockets of TYPE, in non-blocking mode or not.  */
void open_pair (int type, int fds[2]);
void close_pair (const int fds[2]);
/* An ephemeral port on loopback that listens, with one CALLER waiting.  */
int open_listener (int *caller, struct skp_address *address);

#endif /* SKP_TEST_FAULT_H */
