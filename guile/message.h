/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What descriptor.c, control.c, message.c and batch.c share.  */

#ifndef SCM_SKP_MESSAGE_H
#define SCM_SKP_MESSAGE_H

#include "value.h"

#include <sockport/message.h>

/* What owns FD, which came from elsewhere: a socket port, a file port, or a
   descriptor object.  FD is closed if making it throws.  */
SCM scm_skp__owner (int fd);

/* The descriptor of OWNER, which may be a number too.  */
int scm_skp__owned (SCM owner, int pos, const char *who);

/* Room for control messages, on the stack as far as that goes.  */
struct scm_skp__control
{
  void *bytes;
  size_t size;
  _Alignas(struct cmsghdr) unsigned char few[2048];
};

/* Room for SIZE bytes.  */
void scm_skp__control_room (struct scm_skp__control *control, size_t size);

/* Control messages from the list LIST; sets SIZE.  */
void scm_skp__control_to (struct scm_skp__control *control, SCM list, int pos,
                          const char *who);

/* A list of the control messages in LENGTH bytes at CONTROL.  Descriptors in it
   get owners, and -1 takes their place.  */
SCM scm_skp__control_from (void *control, size_t length);

/* Slices of buffers: a bytevector or a string, or a list of them and of lists
   (buffer start [end]).  */
struct scm_skp__slices
{
  struct iovec *slices;
  struct scm_skp__slice *parts;
  size_t count, total;
  struct iovec few[8];
  struct scm_skp__slice few_parts[8];
};

typedef void scm_skp__slicer (struct scm_skp__slice *, SCM, SCM, SCM, int, int,
                              const char *);

/* The slices of BUFFERS but their first SKIP bytes; SLICER is
   scm_skp__out_slice or scm_skp__in_slice.  */
void scm_skp__slices (struct scm_skp__slices *slices, SCM buffers, size_t skip,
                      scm_skp__slicer *slicer, int pos, const char *who);

/* Store the received bytes number FROM to TO where buffers are strings.  */
void scm_skp__slices_done (const struct scm_skp__slices *slices, SCM buffers,
                           size_t from, size_t to);

/* The types of control messages and descriptor objects.  */
extern SCM scm_skp__control_type;
void scm_skp__control_type_make (void);
void scm_skp__descriptor_type_make (void);

/* The record type NAME with the fields FIELDS, a text with blanks.  */
SCM scm_skp__record_type (const char *name, const char *fields);

#endif /* SCM_SKP_MESSAGE_H */
