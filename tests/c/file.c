/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <sockport/file.h>

/* What openat2 ends with, if not 0, so many times.  */
static int forced, times;

long __real_syscall (long number, ...);
long __wrap_syscall (long number, long a, long b, long c, long d);

long
__wrap_syscall (long number, long a, long b, long c, long d)
{
  if (number == SYS_openat2 && forced && times-- > 0)
    {
      errno = forced;
      return -1;
    }
  return __real_syscall (number, a, b, c, d);
}

static char top[64], root[128];

static const char *
in (const char *name)
{
  static char path[256];
  snprintf (path, sizeof path, "%s/%s", root, name);
  return path;
}

static void
write_file (const char *path, const char *text)
{
  FILE *file = fopen (path, "w");
  assert_non_null (file);
  fputs (text, file);
  fclose (file);
}

/* TOP/secret, and TOP/root with files, a pipe, and links of all kinds.  */
static void
make_tree (void)
{
  char secret[128];
  strcpy (top, "/tmp/sockport-file-XXXXXX");
  assert_non_null (mkdtemp (top));
  snprintf (root, sizeof root, "%s/root", top);
  snprintf (secret, sizeof secret, "%s/secret", top);
  write_file (secret, "secret");
  assert_int_equal (mkdir (root, 0700), 0);
  assert_int_equal (mkdir (in ("sub"), 0700), 0);
  write_file (in ("page"), "a page");
  write_file (in ("sub/page"), "another");
  assert_int_equal (mkfifo (in ("pipe"), 0600), 0);
  assert_int_equal (symlink ("page", in ("link")), 0);
  assert_int_equal (symlink ("../page", in ("sub/up")), 0);
  assert_int_equal (symlink ("sub", in ("folder")), 0);
  assert_int_equal (symlink ("../secret", in ("out")), 0);
  assert_int_equal (symlink (secret, in ("absolute")), 0);
  assert_int_equal (symlink ("loop", in ("loop")), 0);
}

static void
delete_tree (void)
{
  char command[128];
  snprintf (command, sizeof command, "rm -r %s", top);
  assert_int_equal (system (command), 0);
}

/* The size of what NAME is, -1 if it is no regular file, or the error.  */
static long
size_of (const char *name, enum skp_file_links links)
{
  struct skp_file file;
  int err = skp_file_open (&file, root, name, links);
  if (err < 0)
    return err - 1000;
  long size = file.fd < 0 ? -1 : (long)file.size;
  if (file.fd >= 0)
    close (file.fd);
  return size;
}

#define ERROR(number) (-(number)-1000)

/* By how far links are followed.  */
static const struct
{
  const char *name;
  long size[3];
} rows[] = {
  { "page", { 6, 6, 6 } },
  { "sub/page", { 7, 7, 7 } },
  { "sub//page", { 7, 7, 7 } },
  { "sub", { -1, -1, -1 } },
  { "sub/", { -1, -1, -1 } },
  { ".", { -1, -1, -1 } },
  { "pipe", { -1, -1, -1 } },
  { "nothing", { ERROR (ENOENT), ERROR (ENOENT), ERROR (ENOENT) } },
  { "page/more", { ERROR (ENOTDIR), ERROR (ENOTDIR), ERROR (ENOTDIR) } },
  { "link", { ERROR (ELOOP), 6, 6 } },
  { "sub/up", { ERROR (ELOOP), 6, 6 } },
  { "folder/page", { ERROR (ELOOP), 7, 7 } },
  { "out", { ERROR (ELOOP), ERROR (EXDEV), 6 } },
  { "absolute", { ERROR (ELOOP), ERROR (EXDEV), 6 } },
  { "loop", { ERROR (ELOOP), ERROR (ELOOP), ERROR (ELOOP) } },
  { "../secret", { ERROR (EXDEV), ERROR (EXDEV), 6 } },
  { "sub/../../secret", { ERROR (EXDEV), ERROR (EXDEV), 6 } },
  { "..", { ERROR (EXDEV), ERROR (EXDEV), -1 } },
  { "sub/..", { -1, -1, -1 } },
  { "..page", { ERROR (ENOENT), ERROR (ENOENT), ERROR (ENOENT) } },
  { "sub../page", { ERROR (ENOENT), ERROR (ENOENT), ERROR (ENOENT) } },
};

static void
nothing_leads_out (void **state)
{
  (void)state;
  make_tree ();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (int links = 0; links < 3; links++)
      {
        long size = size_of (rows[i].name, (enum skp_file_links)links);
        if (size != rows[i].size[links])
          fail_msg ("%s with %d: %ld", rows[i].name, links, size);
      }
  assert_int_equal (size_of ("/etc/passwd", SKP_FILE_BENEATH), ERROR (EXDEV));
  delete_tree ();
}

/* In a sandbox that does not know openat2: the same, but that no link is
   followed, nor `..'.  The kernel says ENOTDIR for a link where a directory is
   wanted.  */
static void
nothing_does_without_openat2 (void **state)
{
  (void)state;
  static const int errors[] = { ENOSYS, EPERM };
  make_tree ();
  for (size_t e = 0; e < 2; e++)
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
      for (int links = 0; links < 2; links++)
        {
          forced = errors[e];
          times = 2;
          long size = size_of (rows[i].name, (enum skp_file_links)links);
          long wanted = rows[i].size[0];
          if (strcmp (rows[i].name, "folder/page") == 0)
            wanted = ERROR (ENOTDIR);
          if (strcmp (rows[i].name, "sub/..") == 0)
            wanted = ERROR (EXDEV);
          if (size != wanted)
            fail_msg ("%s with %d: %ld", rows[i].name, links, size);
        }
  char name[400];
  memset (name, 'x', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  times = 2;
  assert_int_equal (size_of (name, SKP_FILE_BENEATH), ERROR (ENAMETOOLONG));
  forced = 0;
  delete_tree ();
}

/* The path to the directory is as it is written, links and all.  */
static void
the_directory_may_be_anything (void **state)
{
  (void)state;
  static const char *const names[] = { "page", "sub/page" };
  make_tree ();
  char linked[128], longer[1024];
  snprintf (linked, sizeof linked, "%s/linked", top);
  assert_int_equal (symlink ("root", linked), 0);
  snprintf (longer, sizeof longer, "%s/sub/..", root);
  while (strlen (longer) < 900)
    strcat (longer, "/sub/..");
  const char *const directories[] = { root, linked, longer };
  for (int d = 0; d < 3; d++)
    for (int links = 0; links < 3; links++)
      for (int n = 0; n < 2; n++)
        {
          struct skp_file file;
          assert_int_equal (skp_file_open (&file, directories[d], names[n],
                                           (enum skp_file_links)links),
                            0);
          assert_int_equal (file.size, n == 0 ? 6 : 7);
          close (file.fd);
          assert_int_equal (skp_file_open (&file, directories[d], "nothing",
                                           (enum skp_file_links)links),
                            -ENOENT);
        }
  struct skp_file file;
  assert_int_equal (skp_file_open (&file, "", "page", 0), -ENOENT);
  assert_int_equal (skp_file_open (&file, root, "", 0), -ENOENT);
  assert_int_equal (skp_file_open (&file, in ("page"), "page", 0), -ENOTDIR);
  delete_tree ();
}

static void
a_race_is_run_again (void **state)
{
  (void)state;
  make_tree ();
  forced = EAGAIN;
  times = 3;
  assert_int_equal (size_of ("page", SKP_FILE_BENEATH), 6);
  times = 1000;
  assert_int_equal (size_of ("page", SKP_FILE_BENEATH), ERROR (EXDEV));
  forced = 0;
  delete_tree ();
}

static void
what_is_told (void **state)
{
  (void)state;
  struct skp_file file;
  struct stat status;
  make_tree ();
  assert_int_equal (skp_file_open (&file, root, "page", SKP_FILE_BENEATH), 0);
  assert_int_equal (fstat (file.fd, &status), 0);
  assert_true (file.mode == status.st_mode && file.inode == status.st_ino
               && file.size == 6 && file.modified_s == status.st_mtim.tv_sec
               && file.modified_ns == (uint32_t)status.st_mtim.tv_nsec);
  assert_int_equal (fcntl (file.fd, F_GETFD), FD_CLOEXEC);
  close (file.fd);
  assert_int_equal (skp_file_open (&file, "/nowhere/at/all", "x", 0), -ENOENT);
  delete_tree ();
}

static void
what_is_read (void **state)
{
  (void)state;
  struct skp_file file;
  char bytes[16];
  make_tree ();
  assert_int_equal (skp_file_open (&file, root, "page", SKP_FILE_BENEATH), 0);
  assert_int_equal (skp_file_read (file.fd, bytes, 4, 2), 4);
  assert_memory_equal (bytes, "page", 4);
  assert_int_equal (skp_file_read (file.fd, bytes, sizeof bytes, 1), 5);
  assert_int_equal (skp_file_read (file.fd, bytes, sizeof bytes, 6), 0);
  assert_int_equal (skp_file_read (-1, bytes, 1, 0), -EBADF);
  close (file.fd);
  delete_tree ();
}

TESTS (TEST (nothing_leads_out), TEST (nothing_does_without_openat2),
       TEST (the_directory_may_be_anything), TEST (a_race_is_run_again),
       TEST (what_is_told), TEST (what_is_read));
