/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "message-fixture.h"

static void
any_number_of_descriptors_passes (void **state)
{
  (void)state;
  const int counts[] = { 0, 1, 4, 253 };
  const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
  for (size_t t = 0; t < 3; t++)
    for (size_t i = 0; i < 4; i++)
      {
        open_pair (types[t]);
        assert_int_equal (send_rights (counts[i], 1, 4), 4);
        assert_int_equal (receive (sizeof received_control, 0), 4);
        assert_int_equal (rights_received (), counts[i]);
        assert_int_equal (received.flags & (MSG_CTRUNC | MSG_TRUNC), 0);
        assert_int_equal (close_rights (), counts[i]);
        close_pair ();
      }
}

static void
too_many_descriptors_are_refused (void **state)
{
  (void)state;
  open_pair (SOCK_STREAM);
  assert_int_equal (send_rights (254, 1, 4), -EINVAL);
  assert_int_equal (send_rights (127, 2, 4), -EINVAL);
  assert_int_equal (receive (64, 0), -EAGAIN);
  close_pair ();
}

static void
two_items_arrive_as_one (void **state)
{
  (void)state;
  open_pair (SOCK_STREAM);
  assert_int_equal (send_rights (2, 2, 4), 4);
  assert_int_equal (receive (sizeof received_control, 0), 4);
  assert_int_equal (rights_received (), 4);
  assert_int_equal (close_rights (), 4);
  close_pair ();
}

static void
peeking_makes_descriptors_of_its_own (void **state)
{
  (void)state;
  open_pair (SOCK_STREAM);
  assert_int_equal (send_rights (3, 1, 4), 4);
  for (int i = 0; i < 3; i++)
    {
      assert_int_equal (receive (sizeof received_control, MSG_PEEK), 4);
      assert_int_equal (rights_received (), 3);
      assert_int_equal (close_rights (), 3);
    }
  assert_int_equal (receive (sizeof received_control, 0), 4);
  assert_int_equal (close_rights (), 3);
  close_pair ();
}

/* Every room from none to enough: what came is told, nothing leaks.  */
static void
cut_control_data_leaks_nothing (void **state)
{
  (void)state;
  const size_t header = CMSG_LEN (0), whole = CMSG_SPACE (4 * sizeof (int));
  for (size_t room = 0; room <= whole + 8; room++)
    {
      open_pair (SOCK_DGRAM);
      assert_int_equal (send_rights (4, 1, 4), 4);
      assert_int_equal (receive (room, 0), 4);
      size_t fit = room < header ? 0 : (room - header) / sizeof (int);
      if (fit > 4)
        fit = 4;
      assert_int_equal (rights_received (), fit);
      assert_int_equal (!!(received.flags & MSG_CTRUNC), fit < 4);
      assert_int_equal (close_rights (), fit);
      close_pair ();
    }
}

static void
forced_rooms_are_believed (void **state)
{
  (void)state;
  open_pair (SOCK_STREAM);
  assert_int_equal (send_rights (4, 1, 4), 4);
  forced.room = CMSG_LEN (2 * sizeof (int));
  assert_int_equal (receive (sizeof received_control, 0), 4);
  assert_int_equal (rights_received (), 2);
  assert_true (received.flags & MSG_CTRUNC);
  assert_int_equal (close_rights (), 2);
  close_pair ();
}

static void
a_full_descriptor_table_cuts (void **state)
{
  (void)state;
  struct rlimit limit, lower;
  open_pair (SOCK_STREAM);
  assert_int_equal (send_rights (8, 1, 4), 4);
  assert_int_equal (getrlimit (RLIMIT_NOFILE, &limit), 0);
  int first = dup (pair[0]); /* the lowest free number */
  close (first);
  lower = limit;
  lower.rlim_cur = (rlim_t)first + 3;
  assert_int_equal (setrlimit (RLIMIT_NOFILE, &lower), 0);
  ssize_t n = receive (sizeof received_control, 0);
  size_t came = rights_received ();
  close_rights ();
  setrlimit (RLIMIT_NOFILE, &limit);
  assert_int_equal (n, 4);
  assert_int_equal (came, 3);
  assert_true (received.flags & MSG_CTRUNC);
  close_pair ();
}

TESTS (TEST (any_number_of_descriptors_passes),
       TEST (too_many_descriptors_are_refused), TEST (two_items_arrive_as_one),
       TEST (peeking_makes_descriptors_of_its_own),
       TEST (cut_control_data_leaks_nothing), TEST (forced_rooms_are_believed),
       TEST (a_full_descriptor_table_cuts));
