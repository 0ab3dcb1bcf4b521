/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Runs a fuzz target over the files of directories, as a test (TAP) that needs
   no fuzzer.  */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static int
replay (const char *directory, const char *name)
{
  char path[4096];
  snprintf (path, sizeof path, "%s/%s", directory, name);
  FILE *file = fopen (path, "rb");
  if (!file)
    return -1;
  fseek (file, 0, SEEK_END);
  size_t size = (size_t)ftell (file);
  rewind (file);
  /* Of the exact size, so that a read past the end is seen.  */
  uint8_t *data = malloc (size ? size : 1);
  size_t got = fread (data, 1, size, file);
  fclose (file);
  LLVMFuzzerTestOneInput (data, got);
  free (data);
  return 0;
}

int
main (int argc, char **argv)
{
  int count = 0, failed = 0;
  for (int i = 1; i < argc; i++)
    {
      DIR *directory = opendir (argv[i]);
      struct dirent *entry;
      while (directory && (entry = readdir (directory)))
        if (entry->d_name[0] != '.')
          {
            int err = replay (argv[i], entry->d_name);
            failed |= err;
            printf ("%s %d - %s\n", err ? "not ok" : "ok", ++count,
                    entry->d_name);
          }
      if (directory)
        closedir (directory);
    }
  printf ("1..%d\n", count);
  return failed != 0 || count == 0;
}
