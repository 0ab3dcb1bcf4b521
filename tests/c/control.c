/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>
#include <sockport/control.h>

#define HEADER sizeof (struct cmsghdr)

static void
a_buffer_is_walked_as_it_was_built (void **state)
{
  (void)state;
  unsigned char buffer[256];
  const size_t lengths[] = { 0, 1, 8, 13 };
  const unsigned char data[] = "thirteen byte";
  ssize_t end = 0;

  for (size_t i = 0; i < 4; i++)
    {
      struct skp_control_item item = { 77, (int)i, data, lengths[i] };
      end = skp_control_append (buffer, sizeof buffer, (size_t)end, &item);
      assert_true (end > 0);
      assert_int_equal (skp_control_space (lengths[i]),
                        CMSG_SPACE (lengths[i]));
    }
  assert_int_equal (end, CMSG_SPACE (0) + CMSG_SPACE (1) + CMSG_SPACE (8)
                             + CMSG_SPACE (13));
  assert_int_equal (skp_control_data_offset (), CMSG_LEN (0));
  size_t at = 0;
  struct skp_control_item item;
  for (size_t i = 0; i < 4; i++)
    {
      assert_int_equal (skp_control_next (buffer, (size_t)end, &at, &item), 1);
      assert_int_equal (item.level, 77);
      assert_int_equal (item.type, i);
      assert_int_equal (item.length, lengths[i]);
      assert_memory_equal (item.bytes, data, lengths[i]);
    }
  assert_int_equal (skp_control_next (buffer, (size_t)end, &at, &item), 0);
  assert_int_equal (skp_control_check (buffer, (size_t)end), 0);
}

static void
a_full_buffer_takes_no_more (void **state)
{
  (void)state;
  unsigned char buffer[64];
  struct skp_control_item item = { 1, 2, NULL, 64 - HEADER };
  assert_int_equal (skp_control_append (buffer, 64, 0, &item), 64);
  assert_int_equal (skp_control_append (buffer, 64, 64, &item), -ENOSPC);
  assert_int_equal (skp_control_append (buffer, 63, 0, &item), -ENOSPC);
  assert_int_equal (skp_control_append (buffer, 64, 65, &item), -ENOSPC);
  item.length = SIZE_MAX - 4;
  assert_int_equal (skp_control_append (buffer, 64, 0, &item), -ENOSPC);
}

/* Every size around a header, with every length that the header can claim.  */
static void
malformed_buffers_are_refused (void **state)
{
  (void)state;
  const size_t sizes[] = { 1, HEADER - 1, HEADER, HEADER + 1, 65536 };
  static unsigned char buffer[65536];

  assert_int_equal (skp_control_check (buffer, 0), 0);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    {
      const size_t claims[] = { 0, HEADER - 1, sizes[i] + 1, SIZE_MAX };
      for (size_t k = 0; k < sizeof claims / sizeof *claims; k++)
        {
          struct cmsghdr header = { claims[k], 77, 7 };
          struct skp_control_item item;
          size_t at = 0;
          memcpy (buffer, &header, sizeof header);
          assert_int_equal (skp_control_next (buffer, sizes[i], &at, &item),
                            -EBADMSG);
          assert_int_equal (skp_control_check (buffer, sizes[i]), -EINVAL);
        }
      struct cmsghdr header = { sizes[i], 77, 7 };
      memcpy (buffer, &header, sizeof header);
      assert_int_equal (skp_control_check (buffer, sizes[i]),
                        sizes[i] < HEADER ? -EINVAL : 0);
    }
}

static int
check (int level, int type, size_t length)
{
  static unsigned char buffer[4096];
  struct skp_control_item item = { level, type, NULL, length };
  ssize_t end = skp_control_append (buffer, sizeof buffer, 0, &item);
  assert_true (end > 0);
  return skp_control_check (buffer, (size_t)end);
}

static void
known_types_must_have_their_size (void **state)
{
  (void)state;
  assert_int_equal (check (SOL_IP, IP_PKTINFO, sizeof (struct in_pktinfo)), 0);
  assert_int_equal (check (SOL_IP, IP_PKTINFO, 11), -EINVAL);
  assert_int_equal (check (SOL_IP, IP_TOS, 1), 0);
  assert_int_equal (check (SOL_IP, IP_TOS, 4), 0);
  assert_int_equal (check (SOL_IP, IP_TOS, 2), -EINVAL);
  assert_int_equal (check (SOL_IP, 12345, 2), 0);
  assert_int_equal (check (SOL_SOCKET, SCM_RIGHTS, 0), 0);
  assert_int_equal (check (SOL_SOCKET, SCM_RIGHTS, 6), -EINVAL);
  assert_int_equal (check (SOL_SOCKET, SCM_RIGHTS, 253 * sizeof (int)), 0);
  assert_int_equal (check (SOL_SOCKET, SCM_RIGHTS, 254 * sizeof (int)),
                    -EINVAL);
}

/* Whatever fills the fixed part of a row must come back from its fields.  */
static void
every_row_round_trips (void **state)
{
  (void)state;
  const struct skp_control_type *type;

  for (size_t i = 0; (type = skp_control_at (i)); i++)
    {
      struct skp_part parts[SKP_CONTROL_FIELDS];
      unsigned char data[64], again[64];
      size_t length = type->layout->size;
      int kind = type->layout->fields[0].kind;
      int is_time = kind == SKP_FIELD_TIMEVAL || kind == SKP_FIELD_TIMESPEC;
      memset (data, is_time ? 0 : 1, sizeof data);
      struct skp_control_item item = { type->level, type->type, data, length };
      assert_ptr_equal (skp_control_decode (&item, parts), type);
      memset (again, 0, sizeof again);
      ssize_t n = skp_control_encode (type, parts, type->layout->count, again,
                                      sizeof again);
      assert_int_equal (n, length);
      if (strcmp (type->name, "timestamping-pktinfo") != 0
          && strstr (type->name, "recverr") == NULL)
        assert_memory_equal (again, data, length);
      assert_true (skp_control_known (type->level, type->type));
    }
}

static void
times_are_nanoseconds (void **state)
{
  (void)state;
  const int64_t times[] = { 0, 1000, 1700000000123456000, -1000, -1000000000 };
  const int types[] = { SO_TIMESTAMP_OLD, SO_TIMESTAMP_NEW, SO_TIMESTAMPNS_OLD,
                        SO_TIMESTAMPNS_NEW };
  const size_t sizes[] = { 2 * sizeof (long), 16, 2 * sizeof (long), 16 };
  for (size_t i = 0; i < 5; i++)
    for (size_t k = 0; k < 4; k++)
      {
        struct skp_part part = { .number = (uint64_t)times[i] }, back[8];
        unsigned char data[16];
        const struct skp_control_type *type
            = skp_control_find (SOL_SOCKET, types[k], sizes[k]);
        assert_int_equal (skp_control_encode (type, &part, 1, data, 16),
                          sizes[k]);
        struct skp_control_item item = { SOL_SOCKET, types[k], data, sizes[k] };
        assert_ptr_equal (skp_control_decode (&item, back), type);
        assert_true ((int64_t)back[0].number == times[i]);
      }
}

static void
an_impossible_time_stays_bytes (void **state)
{
  (void)state;
  int64_t data[2] = { INT64_MAX, 0 };
  struct skp_part parts[SKP_CONTROL_FIELDS];
  struct skp_control_item item
      = { SOL_SOCKET, SO_TIMESTAMPNS_NEW, data, sizeof data };
  assert_null (skp_control_decode (&item, parts)->name);
  assert_ptr_equal (parts[0].bytes, data);
  assert_int_equal (parts[0].length, sizeof data);
}

static void
numbers_that_do_not_fit_are_refused (void **state)
{
  (void)state;
  unsigned char data[64];
  const struct skp_control_type *segment
      = skp_control_find (IPPROTO_UDP, 103, 2);
  const struct skp_control_type *ttl = skp_control_find (SOL_IP, IP_TTL, 4);
  struct skp_part part = { .number = 65535 };
  assert_int_equal (skp_control_encode (segment, &part, 1, data, 64), 2);
  part.number = 65536;
  assert_int_equal (skp_control_encode (segment, &part, 1, data, 64), -ERANGE);
  part.number = (uint64_t)-1;
  assert_int_equal (skp_control_encode (ttl, &part, 1, data, 64), 4);
  part.number = (uint64_t)1 << 31;
  assert_int_equal (skp_control_encode (ttl, &part, 1, data, 64), -ERANGE);
  assert_int_equal (skp_control_encode (ttl, &part, 2, data, 64), -EINVAL);
  assert_int_equal (skp_control_encode (ttl, &part, 1, data, 3), -ENOSPC);
}

static void
unknown_messages_are_bytes (void **state)
{
  (void)state;
  struct skp_part parts[SKP_CONTROL_FIELDS];
  struct skp_control_item item = { 4711, 17, "whole", 5 };
  const struct skp_control_type *type = skp_control_decode (&item, parts);
  assert_null (type->name);
  assert_int_equal (parts[0].length, 5);
  assert_memory_equal (parts[0].bytes, "whole", 5);
}

static void
closing_finds_every_descriptor (void **state)
{
  (void)state;
  unsigned char buffer[256];
  int before = descriptors_open (), fds[3];
  for (int i = 0; i < 3; i++)
    fds[i] = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  struct skp_control_item two
      = { SOL_SOCKET, SCM_RIGHTS, fds, 2 * sizeof (int) };
  struct skp_control_item other = { SOL_IP, IP_TTL, fds, sizeof (int) };
  struct skp_control_item one = { SOL_SOCKET, SCM_RIGHTS, fds + 2, 4 };
  ssize_t end = skp_control_append (buffer, sizeof buffer, 0, &two);
  end = skp_control_append (buffer, sizeof buffer, (size_t)end, &other);
  end = skp_control_append (buffer, sizeof buffer, (size_t)end, &one);
  assert_int_equal (skp_control_close (buffer, (size_t)end), 3);
  assert_int_equal (skp_control_close (buffer, (size_t)end), 0);
  assert_int_equal (descriptors_open (), before);
}

TESTS (TEST (a_buffer_is_walked_as_it_was_built),
       TEST (a_full_buffer_takes_no_more), TEST (malformed_buffers_are_refused),
       TEST (known_types_must_have_their_size), TEST (every_row_round_trips),
       TEST (times_are_nanoseconds), TEST (an_impossible_time_stays_bytes),
       TEST (numbers_that_do_not_fit_are_refused),
       TEST (unknown_messages_are_bytes),
       TEST (closing_finds_every_descriptor));
