/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* name-server: a name server at 127.0.0.1:53 that knows every name: the address
   is 192.0.2.7, and there is none of IPv6.  For a network namespace.  */

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* RFC 1035, 4.1: the header, then the name, then type and class.  */
enum
{
  HEADER = 12,
  A = 1
};

static const unsigned char answer[]
    = { 0xc0, HEADER, 0, A, 0, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2, 7 };

static int
begins (const unsigned char *message, const char *word)
{
  return memcmp (message + HEADER + 1, word, strlen (word)) == 0;
}

/* Make the SIZE bytes of a query in MESSAGE into its answer; return its size, 0
   for none.  */
static size_t
reply (unsigned char *message, size_t size)
{
  size_t end = HEADER;
  while (end < size && message[end])
    end += message[end] + 1u;
  if (end + 5 > size || begins (message, "dead"))
    return 0;
  int count = message[end + 2] != A ? 0 : begins (message, "two") ? 2 : 1;
  end += 5;
  message[2] = 0x81;
  message[3] = 0x80;
  memset (message + 6, 0, 6);
  message[7] = (unsigned char)count;
  for (int i = 0; i < count; i++, end += sizeof answer)
    {
      memcpy (message + end, answer, sizeof answer);
      message[end + sizeof answer - 1] += (unsigned char)i;
    }
  return end;
}

int
main (void)
{
  unsigned char message[1024];
  struct sockaddr_storage from;
  struct sockaddr_in here = { .sin_family = AF_INET,
                              .sin_port = htons (53),
                              .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  int fd = socket (AF_INET, SOCK_DGRAM, 0), room = 4 << 20;
  setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  if (bind (fd, (struct sockaddr *)&here, sizeof here) < 0)
    {
      perror ("name-server");
      return 1;
    }
  for (;;)
    {
      socklen_t length = sizeof from;
      ssize_t n
          = recvfrom (fd, message, 512, 0, (struct sockaddr *)&from, &length);
      size_t size = n > 0 ? reply (message, (size_t)n) : 0;
      if (size > 0)
        sendto (fd, message, size, 0, (struct sockaddr *)&from, length);
    }
}
