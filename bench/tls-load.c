/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The load for servers of HTTPS: many connections, each with one request under
   way at a time.

     tls-load PORT full|resumed|requests|bytes CONNECTIONS SECONDS

   prints what was done in a second: connections, each with a whole handshake or
   a session that was resumed, and one request; requests for what is small, on
   connections that are kept; or bytes of what is large.  Connections are begun
   for SECONDS and all brought to their end; what is kept counts for SECONDS
   from when each has had its first answer.  A client shares its key by X25519,
   as browsers and OpenSSL do, and looks at no certificate.  */

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 256
#define AHEAD 65536

enum mode
{
  FULL,
  RESUMED,
  REQUESTS,
  BYTES,
  MODES
};

static const char *const names[MODES]
    = { "full", "resumed", "requests", "bytes" };
static const char *const requests[MODES] = {
  "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
  "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n",
};

struct connection
{
  gnutls_session_t session;
  int fd, established;
  size_t body; /* that is to come; 0 while the head is */
  size_t have; /* of the head */
  char head[4096];
  size_t ahead_at, ahead_end;
  char ahead[AHEAD];
};

static gnutls_certificate_credentials_t credentials;
static gnutls_priority_t priorities;
static gnutls_datum_t ticket;
static struct sockaddr_in address;
static enum mode mode;
static int set;
static uint64_t answers, bytes;

static int64_t
now_ns (void)
{
  struct timespec now;
  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C (1000000000) + now.tv_nsec;
}

/* Much in one system call, so that the server is what is measured.  */
static ssize_t
pull (gnutls_transport_ptr_t transport, void *buffer, size_t size)
{
  struct connection *c = transport;
  if (c->ahead_at == c->ahead_end)
    {
      ssize_t n = recv (c->fd, c->ahead, AHEAD, MSG_DONTWAIT);
      if (n <= 0)
        return n;
      c->ahead_at = 0;
      c->ahead_end = (size_t)n;
    }
  size_t left = c->ahead_end - c->ahead_at;
  size = size < left ? size : left;
  memcpy (buffer, c->ahead + c->ahead_at, size);
  c->ahead_at += size;
  return (ssize_t)size;
}

static int
pull_ready (gnutls_transport_ptr_t transport, unsigned ms)
{
  (void)transport;
  (void)ms;
  return 1;
}

static void
begin (struct connection *c)
{
  struct epoll_event event
      = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
  int one = 1;
  c->fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect (c->fd, (struct sockaddr *)&address, sizeof address) < 0)
    err (1, "connect");
  setsockopt (c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  c->established = 0;
  c->body = c->have = c->ahead_at = c->ahead_end = 0;
  gnutls_init (&c->session,
               GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_KEY_SHARE_TOP);
  gnutls_priority_set (c->session, priorities);
  gnutls_credentials_set (c->session, GNUTLS_CRD_CERTIFICATE, credentials);
  gnutls_server_name_set (c->session, GNUTLS_NAME_DNS, "localhost", 9);
  gnutls_transport_set_int (c->session, c->fd);
  gnutls_transport_set_ptr2 (c->session, c, (void *)(intptr_t)c->fd);
  gnutls_transport_set_pull_function (c->session, pull);
  gnutls_transport_set_pull_timeout_function (c->session, pull_ready);
  if (ticket.data)
    gnutls_session_set_data (c->session, ticket.data, ticket.size);
  if (epoll_ctl (set, EPOLL_CTL_ADD, c->fd, &event) < 0)
    err (1, "epoll_ctl");
}

static void
end (struct connection *c)
{
  if (mode == RESUMED && !ticket.data)
    gnutls_session_get_data2 (c->session, &ticket);
  else if (mode == RESUMED && !gnutls_session_is_resumed (c->session))
    errx (1, "the server does not resume");
  gnutls_bye (c->session, GNUTLS_SHUT_WR);
  gnutls_deinit (c->session);
  close (c->fd);
}

static void
ask (struct connection *c)
{
  size_t size = strlen (requests[mode]);
  if (gnutls_record_send (c->session, requests[mode], size) != (ssize_t)size)
    errx (1, "a request does not go");
}

/* Take SIZE more bytes, at the end of the head or of the body: 1 if the answer
   is whole.  */
static int
take (struct connection *c, size_t size)
{
  if (c->body == 0)
    {
      c->have += size;
      c->head[c->have] = '\0';
      char *past = strstr (c->head, "\r\n\r\n");
      char *length = strcasestr (c->head, "\r\nContent-Length:");
      if (!past)
        return 0;
      if (strncmp (c->head, "HTTP/1.1 200", 12) != 0 || !length)
        errx (1, "the server has answered: %s", c->head);
      c->body = strtoul (length + 17, NULL, 10);
      size = (size_t)(c->head + c->have - past - 4);
    }
  if (size > c->body)
    errx (1, "an answer is too long");
  bytes += size;
  c->body -= size;
  c->have = c->body ? c->have : 0;
  return c->body == 0;
}

/* Go on as far as C can: 1 if it has had its answer.  */
static int
go_on (struct connection *c)
{
  static char scratch[16384];
  if (!c->established)
    {
      int code = gnutls_handshake (c->session);
      if (code == GNUTLS_E_AGAIN)
        return 0;
      if (code < 0)
        errx (1, "handshake: %s", gnutls_strerror (code));
      c->established = 1;
      ask (c);
    }
  for (;;)
    {
      char *to = c->body ? scratch : c->head + c->have;
      size_t room = c->body ? sizeof scratch : sizeof c->head - 1 - c->have;
      ssize_t n = gnutls_record_recv (c->session, to, room);
      if (n == GNUTLS_E_AGAIN && c->ahead_at == c->ahead_end)
        return 0;
      if (n == GNUTLS_E_AGAIN)
        continue;
      if (n <= 0)
        errx (1, "answer: %s", gnutls_strerror ((int)n));
      if (take (c, (size_t)n))
        return 1;
    }
}

/* Call PROC for each connection that has had its answer until it returns 0.  */
static void
loop (int (*proc) (struct connection *c))
{
  struct epoll_event events[EVENTS];
  for (;;)
    {
      int n = epoll_wait (set, events, EVENTS, 5000);
      if (n == 0)
        errx (1, "the server is silent");
      for (int i = 0; i < n; i++)
        if (go_on (events[i].data.ptr) && !proc (events[i].data.ptr))
          return;
    }
}

static int64_t end_ns;
static int waiting;

static int
count_down (struct connection *c)
{
  (void)c;
  return --waiting > 0;
}

static int
renew (struct connection *c)
{
  end (c);
  answers++;
  if (now_ns () >= end_ns)
    return --waiting > 0;
  begin (c);
  return 1;
}

static int
ask_again (struct connection *c)
{
  answers++;
  ask (c);
  return now_ns () < end_ns;
}

static int
stop (struct connection *c)
{
  end (c);
  return 0;
}

static double
run (struct connection *all, int count, double seconds)
{
  if (mode == RESUMED)
    {
      begin (all);
      loop (stop);
    }
  int64_t start = now_ns ();
  end_ns = start + (int64_t)(seconds * 1e9);
  waiting = count;
  for (int i = 0; i < count; i++)
    begin (&all[i]);
  if (mode < REQUESTS)
    loop (renew);
  else
    {
      loop (count_down);
      for (int i = 0; i < count; i++)
        ask (&all[i]);
      answers = bytes = 0;
      start = now_ns ();
      end_ns = start + (int64_t)(seconds * 1e9);
      loop (ask_again);
    }
  uint64_t done = mode == BYTES ? bytes : answers;
  return (double)done * 1e9 / (double)(now_ns () - start);
}

int
main (int argc, char **argv)
{
  for (mode = FULL; argc == 5 && mode < MODES; mode++)
    if (strcmp (argv[2], names[mode]) == 0)
      break;
  if (argc != 5 || mode == MODES || atoi (argv[3]) < 1)
    errx (2, "usage: tls-load PORT full|resumed|requests|bytes CONNECTIONS "
             "SECONDS");
  signal (SIGPIPE, SIG_IGN);
  address = (struct sockaddr_in){ .sin_family = AF_INET,
                                  .sin_port = htons ((uint16_t)atoi (argv[1])),
                                  .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  gnutls_certificate_allocate_credentials (&credentials);
  gnutls_priority_init (
      &priorities, "NORMAL:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1", NULL);
  set = epoll_create1 (EPOLL_CLOEXEC);
  int count = atoi (argv[3]);
  struct connection *all = calloc ((size_t)count, sizeof *all);
  double rate = run (all, count, atof (argv[4]));
  printf ("%.0f %llu\n", rate, (unsigned long long)answers);
  return 0;
}
