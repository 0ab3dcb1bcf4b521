/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Descriptors that were received while something throws: none may stay open.
   The functions of libguile that make owners for them are this program's own
   here, and throw when they are told to.  Prints TAP.  */

#include "guile-test.h"

#include <sockport/guile.h>

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static int made, throw_at; /* 0: never */

static void
count_or_throw (void)
{
  if (throw_at && ++made == throw_at)
    scm_misc_error ("forced", "no memory, say", SCM_EOL);
}

/* ISO C has no conversion from what dlsym answers.  */
#define REAL(name)                                                             \
  __typeof__ (name) *real;                                                     \
  *(void **)&real = dlsym (RTLD_NEXT, #name);                                  \
  count_or_throw ()

SKP_API SCM
scm_fdes_to_port (int fd, char *mode, SCM name)
{
  REAL (scm_fdes_to_port);
  return real (fd, mode, name);
}

SKP_API SCM
scm_c_make_port (scm_t_port_type *type, unsigned long mode, scm_t_bits stream)
{
  REAL (scm_c_make_port);
  return real (type, mode, stream);
}

SKP_API SCM
scm_c_make_structv (SCM type, size_t tail, size_t count, scm_t_bits *fields)
{
  REAL (scm_c_make_structv);
  return real (type, tail, count, fields);
}

static int
descriptors (void)
{
  DIR *directory = opendir ("/proc/self/fd");
  int count = 0;
  while (readdir (directory))
    count++;
  closedir (directory);
  return count;
}

/* Send two files, a socket and a directory.  */
static void
send_four (int sock)
{
  int fds[4] = { open ("/dev/null", O_RDONLY), open ("/dev/null", O_WRONLY),
                 sock, open ("/", O_RDONLY) };
  union
  {
    struct cmsghdr header;
    char room[CMSG_SPACE (sizeof fds)];
  } control = { .header = { CMSG_LEN (sizeof fds), SOL_SOCKET, SCM_RIGHTS } };
  struct iovec slice = { "x", 1 };
  struct msghdr message = { .msg_iov = &slice,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof control };
  for (int i = 0; i < 4; i++)
    ((int *)(void *)CMSG_DATA (&control.header))[i] = fds[i];
  check (sendmsg (sock, &message, 0) == 1, "four descriptors are sent");
  close (fds[0]);
  close (fds[1]);
  close (fds[3]);
}

static SCM
receive (void *sock)
{
  return scm_skp_recvmsg (*(SCM *)sock, scm_c_make_bytevector (1), ABSENT,
                          ABSENT);
}

/* Owners that were made before the throw are closed by the collector.  */
static int
settles_at (int before)
{
  for (int i = 0; i < 200 && descriptors () != before; i++)
    {
      scm_gc ();
      usleep (5000);
    }
  return descriptors () == before;
}

static void *
run (void *data)
{
  SCM pair
      = scm_skp_socketpair (number (AF_UNIX), number (SOCK_STREAM), number (0));
  SCM far = scm_cdr (pair);
  int near = scm_to_int (scm_fileno (scm_car (pair)));
  (void)data;
  settles_at (0); /* so that the collector's own threads have begun */
  int before = descriptors ();
  /* Three ports, and the records of the control message and the message.  */
  for (int at = 1; at <= 5; at++)
    {
      char text[64];
      send_four (near);
      made = 0;
      throw_at = at;
      SCM error = thrown (receive, &far);
      throw_at = 0;
      check (threw (error, "misc-error") && errno_of (error) == 0,
             "the forced error is seen");
      snprintf (text, sizeof text, "nothing is left after step %d threw", at);
      check (settles_at (before), text);
    }
  send_four (near);
  check (!threw (thrown (receive, &far), "misc-error"), "and then it works");
  scm_remember_upto_here_1 (pair);
  return NULL;
}

int
main (void)
{
  scm_with_guile (run, NULL);
  printf ("1..%d\n", points);
  return failures != 0;
}
