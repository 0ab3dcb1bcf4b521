/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Options by number.  */

#include <sockport/option.h>

#include "os.h"

int
skp_option_get (int fd, int level, int number, void *value, socklen_t *length)
{
  return skp__result (getsockopt (fd, level, number, value, length));
}

int
skp_option_set (int fd, int level, int number, const void *value,
                socklen_t length)
{
  return skp__result (setsockopt (fd, level, number, value, length));
}
