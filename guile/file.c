/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Files below a directory, for those who send them.  */

#include "primitive.h"
#include "value.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sockport/file.h>

#define LOCAL 256

static int
links_from (SCM links, const char *who)
{
  return (int)scm_skp__integer (links, SKP_FILE_NO_LINKS, SKP_FILE_ALL_LINKS, 3,
                                who);
}

/* The bytes of NAME, with a NUL behind them that may be in LOCAL, or NULL if
   there is one among them.  */
static const char *
name_bytes (SCM name, char local[LOCAL], int pos, const char *who)
{
  size_t length;
  const char *bytes = scm_skp__name_to (name, &length, pos, who);
  char *copy
      = length < LOCAL ? local : scm_gc_malloc_pointerless (length + 1, who);
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
  char local[2][LOCAL];
  const char *root = name_bytes (directory, local[0], 1, who);
  const char *path = name_bytes (name, local[1], 2, who);
  int how = links_from (links, who);
  if (!scm_is_vector (found) || SCM_SIMPLE_VECTOR_LENGTH (found) < 5)
    scm_wrong_type_arg_msg (who, 4, found, "vector");
  if (!root || !path)
    return scm_from_int (-ENOENT);
  int err = skp_file_open (&file, root, path, (enum skp_file_links)how);
  scm_remember_upto_here_2 (directory, name);
  if (err < 0)
    return scm_from_int (err);
  if (S_ISDIR (file.mode))
    return SCM_INUM0;
  if (file.fd < 0)
    return scm_from_int (-ENOENT);
  SCM_SIMPLE_VECTOR_SET (found, 0, SCM_I_MAKINUM (file.fd));
  SCM_SIMPLE_VECTOR_SET (found, 1, scm_from_uint64 (file.size));
  SCM_SIMPLE_VECTOR_SET (found, 2, scm_from_uint64 (file.inode));
  SCM_SIMPLE_VECTOR_SET (found, 3, scm_from_int64 (file.modified_s));
  SCM_SIMPLE_VECTOR_SET (found, 4, scm_from_uint32 (file.modified_ns));
  return SCM_I_MAKINUM (1);
}

/* Close FD, whatever it is and whatever comes of it.  */
static SCM
file_close (SCM fd)
{
  if (scm_is_signed_integer (fd, 0, INT_MAX))
    close (scm_to_int (fd));
  return SCM_UNSPECIFIED;
}

void
scm_skp__init_file (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%file-open", 4, 0, 0, file_open },
    { "%file-close", 1, 0, 0, file_close },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
