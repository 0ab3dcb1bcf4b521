/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Control messages, the ancillary data of sendmsg(2) and recvmsg(2) (cmsg(3)).

   A control message has a level, a type and data.  A table says what the data
   of the known ones is made of; those that it lacks, or whose data does not fit
   it, are bytes.  Nothing here calls the kernel but skp_control_close.  Memory
   belongs to the caller, needs no alignment, and what is decoded points into
   what it was decoded from.  */

#ifndef SKP_CONTROL_H
#define SKP_CONTROL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sockport/field.h>

SKP_BEGIN_DECLS

/* The most fields that a control message has.  */
#define SKP_CONTROL_FIELDS 8

struct skp_control_layout
{
  uint8_t size; /* of the fixed part */
  uint8_t open; /* 1 if bytes may follow it */
  uint8_t count;
  struct skp_field fields[SKP_CONTROL_FIELDS];
};

/* A level and type can have two rows, with data of different sizes.  */
struct skp_control_type
{
  const char *name;
  int level, type;
  const struct skp_control_layout *layout;
};

/* One control message: LENGTH bytes of data at BYTES.  */
struct skp_control_item
{
  int level, type;
  const void *bytes;
  size_t length;
};

/* The row number INDEX of the table, NULL past its end.  */
SKP_API const struct skp_control_type *skp_control_at (size_t index);

/* The row for LENGTH bytes of data.  Never NULL: one whose name is NULL stands
   for the rows that the table lacks, and has one field, the bytes.  */
SKP_API const struct skp_control_type *skp_control_find (int level, int type,
                                                         size_t length);

/* 1 if the table has a row for LEVEL and TYPE, whatever the data's size.  */
SKP_API int skp_control_known (int level, int type);

/* The room that LENGTH bytes of data take in a control buffer.  */
SKP_API size_t skp_control_space (size_t length);

/* Write ITEM at AT into a buffer of ROOM bytes.  Its BYTES may be NULL (zeros)
   or lie where they will stand (AT + skp_control_data_offset).  The offset past
   it, where the next one goes, or -ENOSPC.  */
SKP_API ssize_t skp_control_append (void *control, size_t room, size_t at,
                                    const struct skp_control_item *item);
SKP_API size_t skp_control_data_offset (void);

/* The control message at *AT of LENGTH bytes; *AT moves past it.  1, 0 at the
   end, or -EBADMSG when what stands there is not a whole control message.  */
SKP_API int skp_control_next (const void *control, size_t length, size_t *at,
                              struct skp_control_item *item);

/* 0 if the kernel can be given this: whole control messages, the known ones
   with data of a right size, at most 253 descriptors in all.  Else -EINVAL.  */
SKP_API int skp_control_check (const void *control, size_t length);

/* Close every descriptor that the control messages hold, those of -1 apart, and
   put -1 in its place.  How many were closed.  */
SKP_API int skp_control_close (void *control, size_t length);

/* Take the data of ITEM apart: PARTS has room for SKP_CONTROL_FIELDS.  Returns
   the row that applies.  Descriptors come as bytes.  */
SKP_API const struct skp_control_type *
skp_control_decode (const struct skp_control_item *item,
                    struct skp_part *parts);

/* Make data of the row TYPE from its COUNT fields into ROOM bytes at DATA.  The
   length; or -EINVAL for another COUNT, -ENOSPC, or what skp_field_store
   reports.  */
SKP_API ssize_t skp_control_encode (const struct skp_control_type *type,
                                    const struct skp_part *parts, int count,
                                    void *data, size_t room);

SKP_END_DECLS

#endif /* SKP_CONTROL_H */
