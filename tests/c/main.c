/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Runs the tests of one program; see test.h.  */

#include "test.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>

static int before;

int
descriptors_open (void)
{
  DIR *dir = opendir ("/proc/self/fd");
  int count = -3; /* ".", "..", and the directory itself */
  while (readdir (dir))
    count++;
  closedir (dir);
  return count;
}

static int
setup (void **state)
{
  (void)state;
  before = descriptors_open ();
  return 0;
}

static int
teardown (void **state)
{
  (void)state;
  return descriptors_open () - before;
}

int
main (void)
{
  /* Who started this may have ignored it, and then nothing would be shown.  */
  signal (SIGPIPE, SIG_DFL);
  struct CMUnitTest *counted = calloc (tests_count, sizeof *counted);
  for (size_t i = 0; i < tests_count; i++)
    {
      counted[i] = tests[i];
      counted[i].setup_func = setup;
      counted[i].teardown_func = teardown;
    }
  cmocka_set_message_output (CM_OUTPUT_TAP);
  int failed
      = _cmocka_run_group_tests ("sockport", counted, tests_count, NULL, NULL);
  free (counted);
  return failed != 0;
}
