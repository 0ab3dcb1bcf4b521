/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What batch.c (memory and contents), batch-recv.c and batch-send.c share.  */

#ifndef SKP_BATCH_PRIVATE_H
#define SKP_BATCH_PRIVATE_H

#include <sockport/batch.h>

#include <sys/socket.h>
#include <sys/uio.h>

#define CALL_MAX                                                               \
  1024 /* UIO_MAXIOV: messages in one sendmmsg, slices in one                  \
        */
#define JOINED_MAX 65536 /* room for the largest joined datagram */
#define JOINED_SLOTS 64  /* that many of those are received at once */
#define SEGMENTS_MAX 128 /* UDP_MAX_SEGMENTS since Linux 6.9; 64 before */
#define CONTROL_ROOM 256 /* for UDP_GRO behind timestamps and the like */

union control
{
  struct cmsghdr header;
  unsigned char bytes[CONTROL_ROOM];
};

struct skp_batch
{
  unsigned char *bytes;
  size_t capacity; /* of BYTES */
  size_t used;     /* of BYTES, by the datagrams */
  size_t slots, size;
  size_t stride;   /* from one received message to the next */
  size_t messages; /* that many are received at once */
  int offload;
  int own_bytes;
  size_t count, count_max, addresses_used;
  struct skp_datagram *datagrams;
  struct skp_address *addresses;
  size_t calls; /* entries of each of the following */
  struct call_slots
  {
    struct mmsghdr *headers;
    struct iovec *slices;
    union control *controls;
  } in, out;
  /* Entries of IN that are still as the first receiving call needs them, in
     slots of this stride: from READY_FROM up to READY_TO.  */
  size_t ready_from, ready_to, ready_stride;
  uint16_t *covers;  /* the datagrams that each header of OUT stands for */
  int gro_fd;        /* the socket on which UDP_GRO was tried last */
  int gro;           /* and whether it is on */
  int join_fd;       /* the socket that JOIN_LIMIT is about */
  size_t join_limit; /* datagrams of this length and more are not joined */
};

#endif /* SKP_BATCH_PRIVATE_H */
