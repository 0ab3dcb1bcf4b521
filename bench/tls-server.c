/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls-server PORT CERTIFICATE KEY: what an expert writes with GnuTLS and epoll
   to answer requests of HTTP: one thread, records of 16 KiB, tickets.  The peer
   of bench/tls.scm; it takes every request for a GET, of /large or of something
   small.  */

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LARGE (1 << 20)
#define RECORD 16384

struct connection
{
  gnutls_session_t session;
  int fd, established, closing;
  size_t have;     /* of the request */
  const char *out; /* what is to be sent */
  size_t left;     /* of it */
  size_t body;     /* of what is behind it */
  size_t pending;  /* of a record that did not go */
  char request[4096], head[256];
};

static gnutls_certificate_credentials_t credentials;
static gnutls_priority_t priorities;
static gnutls_datum_t ticket_key;
static char body[LARGE];
static int set;

static void
end (struct connection *c)
{
  gnutls_bye (c->session, GNUTLS_SHUT_WR);
  gnutls_deinit (c->session);
  close (c->fd);
  free (c);
}

/* 1 when all has gone, 0 to wait, -1 for the end.  */
static int
send_some (struct connection *c)
{
  while (c->left > 0 || c->body > 0)
    {
      const char *bytes = c->left > 0 ? c->out : body + LARGE - c->body;
      size_t size = c->left > 0 ? c->left : c->body;
      size = size < RECORD ? size : RECORD;
      ssize_t n = c->pending ? gnutls_record_send (c->session, NULL, 0)
                             : gnutls_record_send (c->session, bytes, size);
      if (n == GNUTLS_E_AGAIN)
        {
          c->pending = 1;
          return 0;
        }
      if (n < 0)
        return -1;
      c->pending = 0;
      if (c->left > 0)
        {
          c->out += n;
          c->left -= (size_t)n;
        }
      else
        c->body -= (size_t)n;
    }
  return 1;
}

static void
answer (struct connection *c)
{
  static const char hello[] = "Hello, World!";
  int large = strncmp (c->request, "GET /large", 10) == 0;
  c->closing = strstr (c->request, "onnection: close")
               || strstr (c->request, " HTTP/1.0\r\n");
  int length = snprintf (
      c->head, sizeof c->head,
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n%sContent-Length: "
      "%d\r\n\r\n%s",
      c->closing ? "Connection: close\r\n" : "",
      large ? LARGE : (int)sizeof hello - 1, large ? "" : hello);
  c->out = c->head;
  c->left = (size_t)length;
  c->body = large ? LARGE : 0;
  c->have = 0;
}

static int
go_on (struct connection *c)
{
  if (!c->established)
    {
      int code = gnutls_handshake (c->session);
      if (code < 0)
        return gnutls_error_is_fatal (code) ? -1 : 0;
      c->established = 1;
    }
  for (;;)
    {
      int sent = send_some (c);
      if (sent <= 0)
        return sent;
      if (c->closing)
        return -1;
      ssize_t n = gnutls_record_recv (c->session, c->request + c->have,
                                      sizeof c->request - 1 - c->have);
      if (n == GNUTLS_E_AGAIN)
        return 0;
      if (n <= 0)
        return -1;
      c->have += (size_t)n;
      c->request[c->have] = '\0';
      if (c->have > 4 && memcmp (c->request + c->have - 4, "\r\n\r\n", 4) == 0)
        answer (c);
      else if (c->have == sizeof c->request - 1)
        return -1;
    }
}

static void
begin (int fd)
{
  struct connection *c = calloc (1, sizeof *c);
  struct epoll_event event
      = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
  int one = 1;
  c->fd = fd;
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  gnutls_init (&c->session, GNUTLS_SERVER | GNUTLS_NONBLOCK);
  gnutls_priority_set (c->session, priorities);
  gnutls_credentials_set (c->session, GNUTLS_CRD_CERTIFICATE, credentials);
  gnutls_session_ticket_enable_server (c->session, &ticket_key);
  gnutls_transport_set_int (c->session, fd);
  epoll_ctl (set, EPOLL_CTL_ADD, fd, &event);
}

static int
listen_at (int port)
{
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_port = htons ((uint16_t)port),
                                 .sin_addr = { htonl (INADDR_LOOPBACK) } };
  int one = 1, fd = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind (fd, (struct sockaddr *)&address, sizeof address) < 0
      || listen (fd, 4096) < 0)
    exit (1);
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
  epoll_ctl (set, EPOLL_CTL_ADD, fd, &event);
  return fd;
}

static void
loop (int listener)
{
  struct epoll_event events[256];
  for (;;)
    {
      int count = epoll_wait (set, events, 256, -1);
      for (int i = 0; i < count; i++)
        {
          struct connection *c = events[i].data.ptr;
          int fd;
          if (c && go_on (c) < 0)
            end (c);
          while (!c
                 && (fd = accept4 (listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
            begin (fd);
        }
    }
}

int
main (int argc, char **argv)
{
  if (argc < 4)
    return 2;
  signal (SIGPIPE, SIG_IGN);
  memset (body, 'a', sizeof body);
  gnutls_certificate_allocate_credentials (&credentials);
  if (gnutls_certificate_set_x509_key_file (credentials, argv[2], argv[3],
                                            GNUTLS_X509_FMT_PEM)
      < 0)
    return 1;
  gnutls_priority_init (&priorities, "NORMAL", NULL);
  gnutls_session_ticket_key_generate (&ticket_key);
  set = epoll_create1 (EPOLL_CLOEXEC);
  loop (listen_at (atoi (argv[1])));
}
