/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A peer of the tests, which knows nothing of Sockport: gives or takes a file
   at a UNIX socket with the system calls themselves.

     pass-file give NAME FILE
     pass-file take NAME  */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

union control
{
  struct cmsghdr header;
  char room[CMSG_SPACE (sizeof (int))];
};

static int
unix_address (struct sockaddr_un *address, const char *name)
{
  memset (address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  if (strlen (name) >= sizeof address->sun_path)
    return -1;
  strcpy (address->sun_path, name);
  return 0;
}

static int
give (const struct sockaddr_un *address, const char *file)
{
  char text[] = "from C";
  struct iovec slice = { text, strlen (text) };
  union control control
      = { .header = { CMSG_LEN (sizeof (int)), SOL_SOCKET, SCM_RIGHTS } };
  struct msghdr message = { .msg_iov = &slice,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof control };
  int listener = socket (AF_UNIX, SOCK_STREAM, 0);
  int fd = open (file, O_RDONLY);

  if (fd < 0 || bind (listener, (void *)address, sizeof *address) < 0
      || listen (listener, 1) < 0)
    return 1;
  memcpy (CMSG_DATA (&control.header), &fd, sizeof fd);
  int sock = accept (listener, NULL, NULL);
  return sendmsg (sock, &message, 0) != (ssize_t)slice.iov_len;
}

static int
take (const struct sockaddr_un *address)
{
  char text[256], bytes[4096];
  struct iovec slice = { text, sizeof text };
  union control control;
  struct msghdr message = { .msg_iov = &slice,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof control };
  int fd, sock = socket (AF_UNIX, SOCK_STREAM, 0);

  if (connect (sock, (void *)address, sizeof *address) < 0)
    return 1;
  ssize_t length = recvmsg (sock, &message, 0);
  if (length < 0 || !CMSG_FIRSTHDR (&message)
      || control.header.cmsg_type != SCM_RIGHTS
      || control.header.cmsg_len != CMSG_LEN (sizeof (int)))
    return 1;
  memcpy (&fd, CMSG_DATA (&control.header), sizeof fd);
  printf ("%.*s: ", (int)length, text);
  length = read (fd, bytes, sizeof bytes);
  printf ("%.*s", (int)(length < 0 ? 0 : length), bytes);
  return 0;
}

int
main (int argc, char **argv)
{
  struct sockaddr_un address;

  if (argc < 3 || unix_address (&address, argv[2]) < 0)
    return 2;
  return strcmp (argv[1], "give") ? take (&address) : give (&address, argv[3]);
}
