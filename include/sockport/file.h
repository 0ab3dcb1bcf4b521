/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Files to be sent: opened below a directory, by a name that a peer chose.  */

#ifndef SKP_FILE_H
#define SKP_FILE_H

#include <stdint.h>
#include <sys/types.h>
#include <sockport/api.h>

SKP_BEGIN_DECLS

enum skp_file_links
{
  SKP_FILE_NO_LINKS, /* none is followed */
  SKP_FILE_BENEATH,  /* those that stay below the directory are */
  SKP_FILE_ALL_LINKS /* wherever they lead */
};

/* FD is open for reading if it is a regular file, else -1.  */
struct skp_file
{
  int fd;
  uint32_t mode; /* st_mode of stat(2) */
  uint64_t size;
  uint64_t inode;
  int64_t modified_s;
  uint32_t modified_ns;
};

/* Open NAME, which is relative, in DIRECTORY.  0 or -errno: -EXDEV or -ELOOP
   for what leads out of the directory or through a link that is not to be
   followed. Nothing that is opened makes the call wait, as a pipe would.
   Without openat2(2), links are followed with SKP_FILE_ALL_LINKS only.  */
SKP_API int skp_file_open (struct skp_file *file, const char *directory,
                           const char *name, enum skp_file_links links);

/* SIZE bytes of the regular file FD from OFFSET on; fewer only at its end.  */
SKP_API ssize_t skp_file_read (int fd, void *bytes, size_t size,
                               int64_t offset);

SKP_END_DECLS

#endif /* SKP_FILE_H */
