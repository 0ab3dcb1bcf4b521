/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the tests of batches share: two UDP sockets, a batch, and a sendmmsg
   that counts and fails as it is told.  */

#ifndef SKP_TEST_BATCH_FIXTURE_H
#define SKP_TEST_BATCH_FIXTURE_H

#include "test.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <unistd.h>
#include <sockport/batch.h>
#include <sockport/control.h>
#include <sockport/message.h>
#include <sockport/option.h>
#include <sockport/socket.h>
#include <sockport/transfer.h>

/* What a test asks of sendmmsg, and what it saw.  */
struct forced
{
  int refuse; /* the errno for a joined message that comes first */
  int again;  /* after this many messages the socket is full, if not 0 */
  int calls, messages, joined;
};
extern struct forced forced;

extern int in, out;           /* two UDP sockets */
extern struct skp_address to; /* the address of `in' */
extern struct skp_batch *batch;

/* A UDP socket with much room, and its ADDRESS.  */
int open_udp (struct skp_address *address);

/* Open the sockets and the batch; and close them.  */
void begin (size_t slots, size_t size, int offload);
void end (void);

/* End the test as skipped unless a socket may have room for thousands.  */
void need_room (void);

/* The bytes of datagram INDEX.  */
const unsigned char *at (size_t index, size_t *length);

/* A datagram of LENGTH bytes that say its NUMBER.  */
void add (size_t number, size_t length);

/* The next datagrams on `in' are COUNT ones, those of `add', LENGTH long.  */
void expect (size_t first, size_t count, size_t length);

/* All COUNT of them go.  */
void send_all (size_t count);

#endif /* SKP_TEST_BATCH_FIXTURE_H */
