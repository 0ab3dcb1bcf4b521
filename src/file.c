/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Opening below a directory.  openat2(2) keeps the kernel itself from leaving
   it, whatever is renamed meanwhile; sandboxes that do not know the call get
   one step a component, without links.  Most paths have no link in them, and
   take one call.  */

#include <sockport/file.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os.h"

/* A pipe without a writer must not be waited for, a terminal not become ours.
 */
#define READ (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
#define DIRECTORY (O_PATH | O_DIRECTORY | O_CLOEXEC)
#define ATTEMPTS 16

static int
open_at (int directory, const char *name, int flags)
{
  int fd;
  do
    fd = openat (directory, name, flags);
  while (fd < 0 && errno == EINTR);
  return fd < 0 ? -errno : fd;
}

/* The next component of *NAME, in COMPONENT, which has NAME_MAX + 1 bytes; its
   length.  *NAME is moved behind it.  */
static int
next_component (const char **name, char *component, size_t size)
{
  const char *start = *name + strspn (*name, "/");
  size_t length = strcspn (start, "/");
  if (length >= size)
    return -ENAMETOOLONG;
  memcpy (component, start, length);
  component[length] = '\0';
  *name = start + length;
  *name += strspn (*name, "/");
  return strcmp (component, "..") == 0 ? -EXDEV : (int)length;
}

/* What openat2 would open, one component after the other.  */
static int
walk (int root, const char *name)
{
  char component[256];
  int at = root;
  for (;;)
    {
      int length = next_component (&name, component, sizeof component);
      int fd = length;
      if (length >= 0)
        fd = *name ? open_at (at, component, DIRECTORY | O_NOFOLLOW)
                   : open_at (at, length ? component : ".", READ | O_NOFOLLOW);
      if (at != root)
        close (at);
      if (fd < 0 || !*name)
        return fd;
      at = fd;
    }
}

static long
open_how (int at, const char *name, uint64_t resolve)
{
  struct open_how how = { .flags = READ | O_LARGEFILE, .resolve = resolve };
  return syscall (SYS_openat2, at, name, &how, sizeof how);
}

/* Does NAME go down from where it begins, and nowhere else?  */
static int
goes_down (const char *name)
{
  if (!*name || *name == '/')
    return 0;
  for (const char *part = strstr (name, ".."); part;
       part = strstr (part + 1, ".."))
    if ((part == name || part[-1] == '/') && (!part[2] || part[2] == '/'))
      return 0;
  return 1;
}

/* Open NAME in DIRECTORY as one path without a link in it, which leads to where
   it says; -ELOOP for those that have to be walked.  */
static int
open_whole (const char *directory, const char *name)
{
  char path[512];
  size_t first = strlen (directory), second = strlen (name);
  if (first == 0 || first + second + 2 > sizeof path || !goes_down (name))
    return -ELOOP;
  memcpy (path, directory, first);
  path[first] = '/';
  memcpy (path + first + 1, name, second + 1);
  long fd = open_how (AT_FDCWD, path, RESOLVE_NO_SYMLINKS);
  return fd >= 0 ? (int)fd : errno == ENOENT ? -ENOENT : -ELOOP;
}

static int
open_beneath (int root, const char *name, enum skp_file_links links)
{
  static const uint64_t resolve[]
      = { [SKP_FILE_NO_LINKS] = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
          [SKP_FILE_BENEATH] = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };

  /* EAGAIN: something was renamed while `..' in a link was followed.  */
  for (int left = ATTEMPTS; left > 0; left--)
    {
      long fd = open_how (root, name, resolve[links]);
      if (fd >= 0)
        return (int)fd;
      if (errno == ENOSYS || errno == EPERM)
        return walk (root, name);
      if (errno != EAGAIN && errno != EINTR)
        return -errno;
    }
  return -EXDEV;
}

static int
describe (struct skp_file *file, int fd)
{
  struct stat status;
  int err = SKP__CALL (fstat (fd, &status));
  if (err < 0)
    {
      close (fd);
      return err;
    }
  int regular = S_ISREG (status.st_mode);
  if (!regular)
    close (fd);
  *file = (struct skp_file){ .fd = regular ? fd : -1,
                             .mode = status.st_mode,
                             .size = (uint64_t)status.st_size,
                             .inode = status.st_ino,
                             .modified_s = status.st_mtim.tv_sec,
                             .modified_ns = (uint32_t)status.st_mtim.tv_nsec };
  return 0;
}

static int
open_in (const char *directory, const char *name, enum skp_file_links links)
{
  int root = open_at (AT_FDCWD, directory, DIRECTORY);
  if (root < 0)
    return root;
  int fd = links == SKP_FILE_ALL_LINKS ? open_at (root, name, READ)
                                       : open_beneath (root, name, links);
  close (root);
  return fd;
}

int
skp_file_open (struct skp_file *file, const char *directory, const char *name,
               enum skp_file_links links)
{
  int fd = open_whole (directory, name);
  if (fd == -ELOOP)
    fd = open_in (directory, name, links);
  return fd < 0 ? fd : describe (file, fd);
}

ssize_t
skp_file_read (int fd, void *bytes, size_t size, int64_t offset)
{
  size_t got = 0;
  while (got < size)
    {
      ssize_t n = pread (fd, (char *)bytes + got, size - got,
                         (off_t)(offset + (int64_t)got));
      if (n == 0)
        break;
      if (n < 0 && errno != EINTR)
        return -errno;
      if (n > 0)
        got += (size_t)n;
    }
  return (ssize_t)got;
}
