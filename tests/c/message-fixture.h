/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the tests of messages share: a pair of UNIX sockets, messages with
   descriptors over it, and system calls that do as they are told.  */

#ifndef SKP_TEST_MESSAGE_FIXTURE_H
#define SKP_TEST_MESSAGE_FIXTURE_H

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <sockport/message.h>
#include <sockport/socket.h>

/* What a test asks of the next system calls.  */
struct forced
{
  int interruptions; /* this many recvmsg end with EINTR */
  size_t room;       /* control room that recvmsg sees, if not 0 */
  size_t most;       /* bytes that one sendmsg moves, if not 0 */
};
extern struct forced forced;

extern int pair[2];
void open_pair (int type);
void close_pair (void);

/* Send COUNT descriptors, all of them copies of one end of the pair, in as many
   control messages as ITEMS, with SIZE bytes of data.  */
ssize_t send_rights (int count, int items, size_t size);

/* Receive on the other end, with ROOM for control data.  */
extern struct skp_message received;
extern unsigned char received_control[2048];
extern char received_data[16];
ssize_t receive (size_t room, int flags);

/* How many descriptors came, and close them.  */
size_t rights_received (void);
int close_rights (void);

#endif /* SKP_TEST_MESSAGE_FIXTURE_H */
