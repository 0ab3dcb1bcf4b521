/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The C side of bench/datagram.scm, loaded into the same process: COUNT
   datagrams of SIZE bytes through loopback in three ways, one system call each
   (sendto), one for many (sendmmsg), and joined by the kernel on top of that
   (GSO, GRO).  Each function answers nanoseconds, or -1.  */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define MOST 1024
#define SEGMENTS 64
#define PAYLOAD 65507
#define JOINED 65536
#define BENCH __attribute__ ((visibility ("default")))

struct control
{
  _Alignas(struct cmsghdr) char room[CMSG_SPACE (64)];
};

static struct mmsghdr headers[MOST];
static struct iovec slices[MOST];
static struct control controls[MOST];
static struct sockaddr_in peers[MOST];
static char memory[64 * JOINED];
static char filling[MOST * 2048]; /* not MEMORY, which must not be warmed */

static int64_t
now_ns (void)
{
  struct timespec now;
  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C (1000000000) + now.tv_nsec;
}

static struct sockaddr_in
loopback (int port)
{
  return (struct sockaddr_in){ .sin_family = AF_INET,
                               .sin_port = htons ((uint16_t)port),
                               .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
}

BENCH int
datagram_c_gro (int fd)
{
  int on = 1;
  return setsockopt (fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
}

/* Throw away what is queued.  */
BENCH int
datagram_c_drain (int fd)
{
  int count = 0;
  while (recv (fd, memory, 0, MSG_DONTWAIT | MSG_TRUNC) >= 0)
    count++;
  return count;
}

static void
message (size_t i, void *bytes, size_t size, struct sockaddr_in *peer)
{
  slices[i] = (struct iovec){ bytes, size };
  headers[i].msg_hdr = (struct msghdr){ .msg_name = peer,
                                        .msg_namelen = sizeof *peer,
                                        .msg_iov = &slices[i],
                                        .msg_iovlen = 1 };
}

static int
send_headers (int fd, int count)
{
  for (int sent = 0; sent < count;)
    {
      int n = sendmmsg (fd, headers + sent, (unsigned)(count - sent), 0);
      if (n < 0)
        return -1;
      sent += n;
    }
  return 0;
}

static void
segment (size_t i, uint16_t size)
{
  struct cmsghdr *header = (struct cmsghdr *)controls[i].room;
  *header
      = (struct cmsghdr){ CMSG_LEN (sizeof size), IPPROTO_UDP, UDP_SEGMENT };
  memcpy (CMSG_DATA (header), &size, sizeof size);
  headers[i].msg_hdr.msg_control = header;
  headers[i].msg_hdr.msg_controllen = CMSG_SPACE (sizeof size);
}

BENCH int64_t
datagram_c_send_one (int fd, void *bytes, size_t size, int port, int count)
{
  int64_t start = now_ns ();
  for (int i = 0; i < count; i++)
    {
      struct sockaddr_in to = loopback (port);
      if (sendto (fd, bytes, size, 0, (struct sockaddr *)&to, sizeof to) < 0)
        return -1;
    }
  return now_ns () - start;
}

BENCH int64_t
datagram_c_send_many (int fd, void *bytes, size_t size, int port, int count)
{
  int64_t start = now_ns ();
  peers[0] = loopback (port);
  for (int i = 0; i < count; i++)
    {
      memcpy (memory + (size_t)i * size, bytes, size);
      message ((size_t)i, memory + (size_t)i * size, size, &peers[0]);
    }
  return send_headers (fd, count) < 0 ? -1 : now_ns () - start;
}

static int64_t
send_joined (int fd, char *from, void *bytes, size_t size, int port, int count)
{
  int64_t start = now_ns ();
  int most = (int)(PAYLOAD / size), n = 0;
  if (most > SEGMENTS)
    most = SEGMENTS;
  peers[0] = loopback (port);
  for (int i = 0; i < count; i++)
    memcpy (from + (size_t)i * size, bytes, size);
  for (int i = 0; i < count; i += most, n++)
    {
      int segments = count - i < most ? count - i : most;
      message ((size_t)n, from + (size_t)i * size, (size_t)segments * size,
               &peers[0]);
      segment ((size_t)n, (uint16_t)size);
    }
  return send_headers (fd, n) < 0 ? -1 : now_ns () - start;
}

BENCH int64_t
datagram_c_send_joined (int fd, void *bytes, size_t size, int port, int count)
{
  return send_joined (fd, memory, bytes, size, port, count);
}

/* Something to receive; not measured.  */
BENCH int64_t
datagram_c_fill (int fd, void *bytes, size_t size, int port, int count)
{
  return send_joined (fd, filling, bytes, size, port, count);
}

BENCH int64_t
datagram_c_receive_one (int fd, size_t size, int count)
{
  int64_t start = now_ns ();
  for (int i = 0; i < count; i++)
    {
      socklen_t length = sizeof peers[0];
      if (recvfrom (fd, memory, size, MSG_DONTWAIT,
                    (struct sockaddr *)&peers[0], &length)
          < 0)
        return -1;
    }
  return now_ns () - start;
}

static int
receive_headers (int fd, size_t slots, size_t stride)
{
  for (size_t i = 0; i < slots; i++)
    {
      message (i, memory + i * stride, stride, &peers[i]);
      headers[i].msg_hdr.msg_control = &controls[i];
      headers[i].msg_hdr.msg_controllen = sizeof controls[i];
    }
  return recvmmsg (fd, headers, (unsigned)slots, MSG_DONTWAIT, NULL);
}

static int
segment_of (size_t i)
{
  struct msghdr *header = &headers[i].msg_hdr;
  int size = (int)headers[i].msg_len;
  for (struct cmsghdr *c = CMSG_FIRSTHDR (header); c;
       c = CMSG_NXTHDR (header, c))
    if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
      memcpy (&size, CMSG_DATA (c), sizeof size);
  return size;
}

/* What a program needs to look at each datagram.  */
static struct
{
  uint32_t start, length;
  struct sockaddr_in *peer;
} datagrams[64 * SEGMENTS];

/* Note the datagrams of message I, which starts at START; their number.  */
static int
split (size_t i, size_t start, int noted)
{
  int length = (int)headers[i].msg_len, step = segment_of (i), n = 0;
  do
    {
      datagrams[noted + n].start = (uint32_t)start;
      datagrams[noted + n].length = (uint32_t)(length < step ? length : step);
      datagrams[noted + n++].peer = &peers[i];
      start += (size_t)step;
      length -= step;
    }
  while (length > 0);
  return n;
}

BENCH int64_t
datagram_c_receive_many (int fd, size_t size, int count, int joined_ones)
{
  int64_t start = now_ns ();
  size_t stride = joined_ones ? JOINED : size;
  while (count > 0)
    {
      int n = receive_headers (fd, joined_ones ? 64 : (size_t)count, stride);
      int noted = 0;
      if (n < 0)
        return -1;
      for (int i = 0; i < n; i++)
        noted += split ((size_t)i, (size_t)i * stride, noted);
      count -= noted;
    }
  return now_ns () - start;
}

BENCH int64_t
datagram_c_echo_one (int fd, size_t size, int count)
{
  int64_t start = now_ns ();
  for (int i = 0; i < count; i++)
    {
      socklen_t length = sizeof peers[0];
      struct sockaddr *peer = (struct sockaddr *)&peers[0];
      ssize_t n = recvfrom (fd, memory, size, MSG_DONTWAIT, peer, &length);
      if (n < 0 || sendto (fd, memory, (size_t)n, 0, peer, length) < 0)
        return -1;
    }
  return now_ns () - start;
}

BENCH int64_t
datagram_c_echo_many (int fd, size_t size, int count, int joined_ones)
{
  int64_t start = now_ns ();
  while (count > 0)
    {
      int n = joined_ones ? receive_headers (fd, 64, JOINED)
                          : receive_headers (fd, (size_t)count, size);
      if (n < 0)
        return -1;
      for (int i = 0; i < n; i++)
        {
          int length = (int)headers[i].msg_len, step = segment_of ((size_t)i);
          count -= (length + step - 1) / step;
          slices[i].iov_len = (size_t)length;
          headers[i].msg_hdr.msg_control = NULL;
          headers[i].msg_hdr.msg_controllen = 0;
          if (step < length)
            segment ((size_t)i, (uint16_t)step);
        }
      if (send_headers (fd, n) < 0)
        return -1;
    }
  return now_ns () - start;
}
