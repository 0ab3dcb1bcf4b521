/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Files below a directory, for those who send them.  */

#include "primitive.h"
#include "value.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sockport/file.h>

static int
links_from (SCM links, const char *who)
{
  return (int)scm_skp__integer (links, SKP_FILE_NO_LINKS, SKP_FILE_ALL_LINKS, 3,
                                who);
}

/* The bytes of NAME, or NULL if there is a NUL among them.  */
static const char *
name_bytes (SCM name, int pos, const char *who)
{
  size_t length;
  const char *bytes = scm_skp__name_to (name, &length, pos, who);
  char *copy = scm_gc_malloc_pointerless (length + 1, who);
  memcpy (copy, bytes, length);
  copy[length] = '\0';
  return memchr (copy, '\0', length) ? NULL : copy;
}

/* Open NAME in DIRECTORY.  A negative errno, 0 for a directory, 1 for a regular
   file; then FOUND, a vector, gets descriptor, size, inode, and the time of the
   last change in seconds and nanoseconds.  The descriptor is the caller's.  */
static SCM
file_open (SCM directory, SCM name, SCM links, SCM found)
{
  static const char who[] = "file-handler";
  struct skp_file file;
  const char *root = name_bytes (directory, 1, who);
  const char *path = name_bytes (name, 2, who);
  int how = links_from (links, who);
  if (!root || !path)
    return scm_from_int (-ENOENT);
  int err = skp_file_open (&file, root, path, (enum skp_file_links)how);
  if (err < 0)
    return scm_from_int (err);
  if (S_ISDIR (file.mode))
    return SCM_INUM0;
  if (file.fd < 0)
    return scm_from_int (-ENOENT);
  scm_c_vector_set_x (found, 0, SCM_I_MAKINUM (file.fd));
  scm_c_vector_set_x (found, 1, scm_from_uint64 (file.size));
  scm_c_vector_set_x (found, 2, scm_from_uint64 (file.inode));
  scm_c_vector_set_x (found, 3, scm_from_int64 (file.modified_s));
  scm_c_vector_set_x (found, 4, scm_from_uint32 (file.modified_ns));
  return SCM_I_MAKINUM (1);
}

void
scm_skp__init_file (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%file-open", 4, 0, 0, file_open },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
