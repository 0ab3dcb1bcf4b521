/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Owners for descriptors that came from elsewhere.  What Guile has no port for
   (directories, epoll sets, memory without a mode …) becomes a descriptor
   object, which closes it when it is dropped.  */

#include "message.h"
#include "port.h"
#include "primitive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

static scm_t_bits descriptor_type;

static void
close_pending (void *fd)
{
  close (*(int *)fd);
}

/* Take the descriptor out of OBJECT: once only, whoever asks.  */
static int
descriptor_take (SCM object)
{
  _Atomic scm_t_bits *place
      = (_Atomic scm_t_bits *)SCM_CELL_OBJECT_LOC (object, 1);
  return (int)atomic_exchange (place, (scm_t_bits)-1);
}

static size_t
descriptor_free (SCM object)
{
  int fd = descriptor_take (object);
  if (fd >= 0)
    close (fd);
  return 0;
}

static int
descriptor_print (SCM object, SCM port, scm_print_state *state)
{
  (void)state;
  scm_puts ("#<descriptor ", port);
  scm_display (scm_from_int ((int)SCM_SMOB_DATA (object)), port);
  scm_puts (">", port);
  return 1;
}

/* The mode of a port for FD, NULL if there is none.  */
static const char *
port_mode (int fd)
{
  static const char *const modes[] = { "r", "w", "r+" };
  struct stat status;
  int flags = TEMP_FAILURE_RETRY (fcntl (fd, F_GETFL));

  if (flags < 0 || flags & O_PATH
      || TEMP_FAILURE_RETRY (fstat (fd, &status)) < 0
      || (flags & O_ACCMODE) > O_RDWR)
    return NULL;
  switch (status.st_mode & S_IFMT)
    {
    case S_IFSOCK:
      return "socket";
    case S_IFREG:
    case S_IFIFO:
    case S_IFCHR:
      return modes[flags & O_ACCMODE];
    default:
      return NULL;
    }
}

SCM
scm_skp__owner (int fd)
{
  const char *mode = port_mode (fd);
  SCM owner;

  if (mode && mode[0] == 's')
    return scm_skp__port (fd);
  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler (close_pending, &fd, 0);
  owner = mode ? scm_fdes_to_port (fd, (char *)mode,
                                   scm_from_utf8_string ("received"))
               : scm_new_smob (descriptor_type, (scm_t_bits)fd);
  scm_dynwind_end ();
  return owner;
}

int
scm_skp__owned (SCM owner, int pos, const char *who)
{
  if (SCM_I_INUMP (owner))
    return (int)scm_skp__integer (owner, 0, INT32_MAX, pos, who);
  if (!SCM_SMOB_PREDICATE (descriptor_type, owner))
    return scm_skp__fd (owner, pos, who);
  int fd = (int)SCM_SMOB_DATA (owner);
  if (fd < 0)
    scm_wrong_type_arg_msg (who, pos, owner, "open descriptor");
  return fd;
}

static void
check_descriptor (SCM object, const char *who)
{
  if (!SCM_SMOB_PREDICATE (descriptor_type, object))
    scm_wrong_type_arg_msg (who, 1, object, "descriptor");
}

static SCM
is_descriptor (SCM object)
{
  return scm_from_bool (SCM_SMOB_PREDICATE (descriptor_type, object));
}

static SCM
descriptor_number (SCM object)
{
  check_descriptor (object, "descriptor-fileno");
  return scm_from_int (scm_skp__owned (object, 1, "descriptor-fileno"));
}

static SCM
descriptor_release (SCM object)
{
  check_descriptor (object, "descriptor-release!");
  int fd = descriptor_take (object);
  return fd < 0 ? SCM_BOOL_F : scm_from_int (fd);
}

static SCM
descriptor_close (SCM object)
{
  check_descriptor (object, "close-descriptor");
  int fd = descriptor_take (object);
  if (fd < 0)
    return SCM_BOOL_F;
  close (fd);
  return SCM_BOOL_T;
}

static SCM
own (SCM number)
{
  int fd = (int)scm_skp__integer (number, 0, INT32_MAX, 1, "own-descriptor");
  int flags = TEMP_FAILURE_RETRY (fcntl (fd, F_GETFD));
  if (flags < 0
      || TEMP_FAILURE_RETRY (fcntl (fd, F_SETFD, flags | FD_CLOEXEC)) < 0)
    scm_syserror ("own-descriptor");
  return scm_skp__owner (fd);
}

void
scm_skp__descriptor_type_make (void)
{
  descriptor_type = scm_make_smob_type ("descriptor", 0);
  scm_set_smob_free (descriptor_type, descriptor_free);
  scm_set_smob_print (descriptor_type, descriptor_print);
}

void
scm_skp__init_descriptor (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "descriptor?", 1, 0, 0, is_descriptor },
    { "descriptor-fileno", 1, 0, 0, descriptor_number },
    { "descriptor-release!", 1, 0, 0, descriptor_release },
    { "close-descriptor", 1, 0, 0, descriptor_close },
    { "own-descriptor", 1, 0, 0, own },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
