/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Every function of the core, with every call that it makes failing by every
   error that the call's man page lists: the result is that error, what the
   function would have written is as it was, and no descriptor and no memory is
   lost.  Interrupted calls change nothing.  What is otherwise stands in the
   table `exceptions' with its reason.  */

#include "fault.h"

#include <stdio.h>
#include <stdlib.h>

enum
{
  /* Or another negative result.  */
  FAILS,  /* the result is the error */
  PASSES, /* as if the call had not failed */
  ZERO,   /* the result is 0: not known to be so */
  PARTLY  /* what was done before counts: the result is not negative */
};

#define ANY (-1)

/* When CALL fails by ERROR inside OPERATION (a beginning of its name), from its
   NTH time on.  */
static const struct
{
  const char *operation, *call;
  int error, nth, outcome;
} exceptions[] = {
  /* An interrupted connect goes on by itself (connect(2)); fault_interrupted
     looks at it.  To put the mode back is not worth the news of what has been
     done.  */
  { "socket_connect", "fcntl", ANY, 2, PASSES },
  /* That it goes on is no failure.  */
  { "connect_begin", "connect", EINPROGRESS, 0, PARTLY },
  { "connect_begin", "connect", EALREADY, 0, PARTLY },
  /* What has been done is told, whether or not it can be settled.  */
  { "socket_connected", "connect", ANY, 0, PASSES },
  { "socket_connected", "getsockopt", ANY, 1, PASSES },
  { "socket_accept", "accept4", ECONNABORTED, 0, PASSES },
  { "socket_accept", "accept4", EPROTO, 0, PASSES },
  { "socket_accept", "accept4", EPERM, 0, PASSES },
  { "socket_accept", "accept4", ENETDOWN, 0, PASSES },
  { "socket_accept", "accept4", ENOPROTOOPT, 0, PASSES },
  { "socket_accept", "accept4", EHOSTDOWN, 0, PASSES },
  { "socket_accept", "accept4", ENONET, 0, PASSES },
  { "socket_accept", "accept4", EHOSTUNREACH, 0, PASSES },
  { "socket_accept", "accept4", ENETUNREACH, 0, PASSES },
  /* Questions with the answers yes and no.  */
  { "socket_stream", "getsockopt", ANY, 0, ZERO },
  { "socket_tcp", "getsockopt", ANY, 0, ZERO },
  { "socket_patience", "getsockopt", ANY, 0, ZERO },
  /* The name was that of an interface, which there is not.  */
  { "interface_list", "if_nametoindex", ENODEV, 0, PASSES },
  { "message_send, many slices", "sendmsg", ANY, 1, PARTLY },
  /* Closed all the same (close(2)).  */
  { "control_close", "close", EIO, 0, PASSES },
  { "control_close", "close", EDQUOT, 0, PASSES },
  { "control_close", "close", ENOSPC, 0, PASSES },
  { "control_close", "close", EBADF, 0, PARTLY },
  /* A pipe of the usual size will do.  */
  { "bulk_pipe", "fcntl", ANY, 0, PASSES },
  { "bulk_send_file", "fcntl", ANY, 6, PASSES },
  /* What sendfile refuses is copied.  */
  { "bulk_send_file", "sendfile", EINVAL, 0, PASSES },
  { "bulk_send_file, copied", "sendto", ENOTSOCK, 0, PASSES },
  { "bulk_send_file, copied from", "lseek", ANY, 1, PASSES },
  { "bulk_write", "sendto", ENOTSOCK, 0, PASSES },
  { "bulk_splice", "fcntl", ANY, 6, PASSES },
  /* No socket that could join datagrams: they go and come one by one.  */
  { "batch_recv", "setsockopt", ANY, 0, PASSES },
  { "batch_send", "getsockopt", ANY, 0, PASSES },
  /* Joined datagrams are refused: they go one by one.  */
  { "batch_send", "sendmmsg", EINVAL, 0, PASSES },
  { "batch_send", "sendmmsg", EMSGSIZE, 0, PASSES },
  { "batch_send", "sendmmsg", EIO, 0, PASSES },
  { "batch_send", "sendmmsg", ENOPROTOOPT, 0, PASSES },
  { "batch_send", "sendmmsg", EOPNOTSUPP, 0, PASSES },
  /* Large pages are a wish.  */
  { "batch_open", "madvise", ANY, 0, PASSES },
  /* No socket, it seems: as for a pipe.  */
  { "stream_read", "recvfrom", ENOTSOCK, 0, PASSES },
  { "stream_write", "sendto", ENOTSOCK, 0, PASSES },
  /* What was only read, or looked at, is gone (close(2)).  */
  { "file_open", "close", ANY, 0, PASSES },
  /* Something was renamed; a sandbox does not know the call.  */
  { "file_open", "openat2", EAGAIN, 0, PASSES },
  { "file_open", "openat2", ENOSYS, 0, PASSES },
  { "file_open", "openat2", EPERM, 0, PASSES },
  /* Whatever is in the way of a whole path, which is tried first, but that it
     is not there: then it is walked.  */
  { "file_open", "openat2", ENOENT, 0, FAILS },
  { "file_open", "openat2", ANY, 1, FAILS },
  { "file_open", "openat2", ANY, 0, PASSES },
  /* What is there already is changed, and here is nothing to change.  */
  { "poller_watch, again", "epoll_ctl", EEXIST, 1, FAILS },
  { "poller_watch, again", "epoll_ctl", EEXIST, 0, PASSES },
  { "poller_watch", "epoll_ctl", EEXIST, 0, -ENOENT },
  { "poller_set_add, again", "epoll_ctl", EEXIST, 1, FAILS },
  { "poller_set_add, again", "epoll_ctl", EEXIST, 0, PASSES },
  { "poller_set_add", "epoll_ctl", EEXIST, 0, -ENOENT },
  { "poller_open", "epoll_ctl", EEXIST, 0, -ENOENT },
  { "poller_wake", "write", EAGAIN, 0, PASSES },
  { "poller_wait", "epoll_pwait2", ENOSYS, 0, PASSES },
};

static int
outcome_of (const struct operation *operation, const char *call, int nth,
            int error)
{
  for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++)
    if (strncmp (operation->name, exceptions[i].operation,
                 strlen (exceptions[i].operation))
            == 0
        && strcmp (call, exceptions[i].call) == 0
        && (exceptions[i].error == ANY || exceptions[i].error == error)
        && nth >= exceptions[i].nth)
      return exceptions[i].outcome;
  return FAILS;
}

/* Say what is wrong, and go on.  */
static int faults;

__attribute__ ((format (printf, 1, 2))) static void
wrong (const char *format, ...)
{
  va_list arguments;
  va_start (arguments, format);
  printf ("# ");
  vprintf (format, arguments);
  printf ("\n");
  va_end (arguments);
  faults++;
}

/* Run OPERATION with the call number FAIL of it failing TIMES times.  */
static long
probe (const struct operation *operation, int fail, int error, int times)
{
  int descriptors = descriptors_open ();
  run = (struct run){ .fail = fail, .error = error, .times = times };
  memset (&output, 0xa5, sizeof output);
  run.counting = 1;
  long result = operation->probe ();
  run.counting = 0;
  if (run.memory != 0 || descriptors_open () != descriptors)
    wrong ("%s, call %d failing by %d: %ld pieces of memory, %d descriptors",
           operation->name, fail, error, run.memory,
           descriptors_open () - descriptors);
  return result;
}

static void
check (const struct operation *operation, int fail, int nth, int error,
       long usual)
{
  const char *call = calls[run.names[fail]].name;
  int outcome = outcome_of (operation, call, nth, error);
  long result = probe (operation, fail, error, 1);
  int right = outcome < 0         ? result == outcome
              : outcome == FAILS  ? result == -error
              : outcome == PASSES ? result == usual
              : outcome == ZERO   ? result == 0
                                  : result >= 0;
  if (!right)
    wrong ("%s, %s number %d failing by %d (%s): %ld, usually %ld",
           operation->name, call, nth, error, strerror (error), result, usual);
  if (result < 0 && memcmp (&output, &before, sizeof output) != 0)
    wrong ("%s, %s failing by %d: the output has changed", operation->name,
           call, error);
}

/* How often the call number INDEX was made before in this run.  */
static int
earlier (int index)
{
  int count = 0;
  for (int i = 0; i < index; i++)
    count += run.names[i] == run.names[index];
  return count;
}

static void
check_all (const struct operation *operation)
{
  long usual = probe (operation, -1, 0, 0);
  struct run recorded = run;
  assert_true (run.count > 0);
  for (int i = 0; i < recorded.count; i++)
    for (const int *error = calls[recorded.names[i]].errors; *error; error++)
      {
        run = recorded;
        check (operation, i, earlier (i), *error, usual);
      }
}

static void
each (void (*check) (const struct operation *))
{
  faults = 0;
  for (const struct operation *o = socket_operations; o->name; o++)
    check (o);
  for (const struct operation *o = transfer_operations; o->name; o++)
    check (o);
  for (const struct operation *o = bulk_operations; o->name; o++)
    check (o);
  assert_int_equal (faults, 0);
}

static void
every_error_of_every_call (void **state)
{
  (void)state;
  each (check_all);
}

/* What an interruption makes of it.  */
static long
interrupted (const struct operation *operation, int call, long usual)
{
  if (strcmp (calls[call].name, "connect") == 0
      && strcmp (operation->name, "socket_connected") != 0
      && strncmp (operation->name, "connect_begin", 13) != 0)
    return -EINPROGRESS;
  return strncmp (operation->name, "poller_wait", 11) == 0 ? -EINTR : usual;
}

/* The first, the first two and the first three attempts of each call.  */
static void
check_interrupted (const struct operation *operation)
{
  long usual = probe (operation, -1, 0, 0);
  struct run recorded = run;
  for (int i = 0; i < recorded.count; i++)
    for (int times = 1; times <= 3; times++)
      {
        if (calls[recorded.names[i]].memory)
          continue;
        long wanted = interrupted (operation, recorded.names[i], usual);
        long result = probe (operation, i, EINTR, times);
        if (result != wanted)
          wrong ("%s, %s number %d interrupted %d times: %ld, not %ld",
                 operation->name, calls[recorded.names[i]].name, i, times,
                 result, wanted);
      }
}

static void
interruptions_change_nothing (void **state)
{
  (void)state;
  each (check_interrupted);
}

/* A call that no operation makes would be one that nothing fails.  */
static void
every_call_was_made (void **state)
{
  (void)state;
  for (size_t i = 0; i < calls_count; i++)
    if ((calls[i].made == 0) != (calls[i].errors[0] == 0))
      fail_msg ("%s was made %d times", calls[i].name, calls[i].made);
}

TESTS (TEST (every_error_of_every_call), TEST (interruptions_change_nothing),
       TEST (every_call_was_made));
