/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "test.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/tcp.h>
#include <sockport/structure.h>

static const struct skp_field *
field (const char *structure, const char *name)
{
  const struct skp_structure *s = skp_structure_named (structure);
  assert_non_null (s);
  for (size_t i = 0; i < s->count; i++)
    if (!strcmp (s->fields[i].name, name))
      return &s->fields[i];
  fail_msg ("%s has no field %s", structure, name);
  return NULL;
}

static void
names_are_found_in_either_spelling (void **state)
{
  (void)state;
  const struct skp_structure *s;
  for (size_t i = 0; (s = skp_structure_at (i)); i++)
    {
      assert_ptr_equal (skp_structure_named (s->name), s);
      assert_true (s->count > 0 && s->size > 0);
      for (size_t k = 0; k < s->count; k++)
        assert_true (s->fields[k].offset + s->fields[k].size <= s->size);
    }
  assert_ptr_equal (skp_structure_named ("tcp-info"),
                    skp_structure_named ("tcp_info"));
  assert_null (skp_structure_named ("tcp_inf"));
  assert_null (skp_structure_named (""));
}

/* The layout is written down here because headers lag behind kernels; where the
   header has a field it must lie at the same place.  */
static void
tcp_info_lies_where_the_header_says (void **state)
{
  (void)state;
#define SAME(name)                                                             \
  assert_int_equal (field ("tcp_info", #name)->offset,                         \
                    offsetof (struct tcp_info, tcpi_##name))
  SAME (state);
  SAME (options);
  SAME (rto);
  SAME (fackets);
  SAME (last_ack_sent);
  SAME (pmtu);
  SAME (advmss);
  SAME (total_retrans);
  SAME (pacing_rate);
  SAME (bytes_received);
  SAME (segs_in);
  SAME (min_rtt);
  SAME (data_segs_out);
  SAME (delivery_rate);
  SAME (sndbuf_limited);
  SAME (delivered_ce);
  SAME (bytes_retrans);
  SAME (snd_wnd);
}

static uint64_t
load (const struct skp_field *from, const void *bytes, size_t length)
{
  struct skp_part part;
  assert_int_equal (skp_field_load (from, bytes, length, &part), 0);
  return part.number;
}

static uint64_t
info_field (const char *name, const struct tcp_info *info, size_t length)
{
  return load (field ("tcp_info", name), info, length);
}

/* 0, or the error.  */
static int
store (const struct skp_field *to, void *bytes, uint64_t number)
{
  struct skp_part part = { .number = number };
  ssize_t past = skp_field_store (to, bytes, 256, &part);
  assert_true (past < 0 || past == to->offset + to->size);
  return past < 0 ? (int)past : 0;
}

static void
bits_are_those_of_the_compiler (void **state)
{
  (void)state;
  unsigned char room[256] = { 0 };
  struct tcp_info info = { .tcpi_snd_wscale = 7,
                           .tcpi_rcv_wscale = 11,
                           .tcpi_delivery_rate_app_limited = 1,
                           .tcpi_fastopen_client_fail = 2 };
  assert_int_equal (info_field ("snd_wscale", &info, sizeof info), 7);
  assert_int_equal (info_field ("rcv_wscale", &info, sizeof info), 11);
  assert_int_equal (info_field ("app_limited", &info, sizeof info), 1);
  assert_int_equal (info_field ("fastopen_fail", &info, sizeof info), 2);
  memcpy (room, &info, sizeof info < sizeof room ? sizeof info : sizeof room);
  assert_int_equal (store (field ("tcp_info", "rcv_wscale"), room, 5), 0);
  memcpy (&info, room, sizeof info < sizeof room ? sizeof info : sizeof room);
  assert_int_equal (info.tcpi_rcv_wscale, 5);
  assert_int_equal (info.tcpi_snd_wscale, 7);
  assert_int_equal (store (field ("tcp_info", "rcv_wscale"), room, 16),
                    -ERANGE);
}

static void
a_short_answer_has_no_later_fields (void **state)
{
  (void)state;
  struct tcp_info info = { .tcpi_rto = 5 };
  struct skp_part part;
  size_t length = offsetof (struct tcp_info, tcpi_ato);
  assert_int_equal (info_field ("rto", &info, length), 5);
  assert_int_equal (
      skp_field_load (field ("tcp_info", "ato"), &info, length + 3, &part),
      -ENODATA);
}

static void
numbers_keep_sign_order_and_range (void **state)
{
  (void)state;
  unsigned char bytes[256] = { 0 };
  const struct skp_field *seconds = field ("linger", "seconds");
  const struct skp_field *uid = field ("ucred", "uid");
  const struct skp_field *group = field ("ip_mreq", "group");

  assert_int_equal (store (seconds, bytes, (uint64_t)-2), 0);
  assert_int_equal ((int64_t)load (seconds, bytes, 8), -2);
  assert_int_equal (store (seconds, bytes, (uint64_t)INT32_MIN), 0);
  assert_int_equal (store (seconds, bytes, (uint64_t)INT32_MIN - 1), -ERANGE);
  assert_int_equal (store (seconds, bytes, 0x80000000), -ERANGE);
  assert_int_equal (store (uid, bytes, UINT32_MAX), 0);
  assert_int_equal (store (uid, bytes, 1ull << 32), -ERANGE);
  assert_int_equal (store (uid, bytes, (uint64_t)-1), -ERANGE);

  assert_int_equal (store (group, bytes, 0xe0000001), 0);
  assert_memory_equal (bytes, ((unsigned char[]){ 224, 0, 0, 1 }), 4);
  assert_int_equal (load (group, bytes, 8), 0xe0000001);
}

static void
bytes_are_as_long_as_their_field (void **state)
{
  (void)state;
  unsigned char bytes[256], zeros[256] = { 0 };
  const struct skp_field *key = field ("tcp_md5sig", "key");
  const struct skp_field *group = field ("ipv6_mreq", "group");
  struct skp_part part = { .bytes = "secret", .length = 6 }, back;

  memset (bytes, 7, sizeof bytes);
  assert_int_equal (skp_field_store (key, bytes, sizeof bytes, &part),
                    key->offset + key->size);
  assert_memory_equal (bytes + key->offset, "secret", 6);
  assert_memory_equal (bytes + key->offset + 6, zeros, key->size - 6u);
  assert_int_equal (bytes[key->offset + key->size], 7);
  assert_int_equal (skp_field_load (key, bytes, sizeof bytes, &back), 0);
  assert_ptr_equal (back.bytes, bytes + key->offset);
  assert_int_equal (back.length, key->size);
  part.length = key->size + 1u;
  assert_int_equal (skp_field_store (key, bytes, sizeof bytes, &part),
                    -ENAMETOOLONG);
  assert_int_equal (skp_field_store (key, bytes, key->offset, &part), -ENOSPC);
  part.length = 15;
  assert_int_equal (skp_field_store (group, bytes, sizeof bytes, &part),
                    -EINVAL);
}

/* Fields that no table has yet: a row of one must work in any of them.  */
static void
every_kind_and_size_goes_both_ways (void **state)
{
  (void)state;
  const uint8_t sizes[] = { 1, 2, 4, 8 };
  for (int kind = SKP_FIELD_UNSIGNED; kind <= SKP_FIELD_SIGNED; kind++)
    for (int i = 0; i < 4; i++)
      {
        unsigned char bytes[16] = { 0 };
        struct skp_field one
            = { .offset = 3, .size = sizes[i], .kind = (uint8_t)kind };
        uint64_t number = 0x0102030405060708 >> (64 - 8 * sizes[i]);
        assert_int_equal (store (&one, bytes, number), 0);
        assert_true (load (&one, bytes, sizeof bytes) == number);
        if (kind == SKP_FIELD_NETWORK)
          assert_memory_equal (bytes + 3, "\1\2\3\4\5\6\7\10", sizes[i]);
      }
}

static void
what_no_field_holds_is_refused (void **state)
{
  (void)state;
  unsigned char bytes[16] = { 0 }, zeros[16] = { 0 };
  struct skp_part part
      = { .number = (uint64_t)INT64_C (1) << 62, .bytes = "abc", .length = 3 };
  const struct skp_field half = { .size = 8, .kind = SKP_FIELD_TIMEVAL };
  const struct skp_field rest
      = { .offset = 14, .kind = SKP_FIELD_BYTES, .open = 1 };
  const struct skp_field fds = { .kind = SKP_FIELD_DESCRIPTORS, .open = 1 };

  assert_int_equal (skp_field_store (&half, bytes, sizeof bytes, &part),
                    -ERANGE);
  assert_int_equal (skp_field_store (&rest, bytes, sizeof bytes, &part),
                    -ENOSPC);
  assert_int_equal (skp_field_store (&fds, bytes, sizeof bytes, &part),
                    -EINVAL);
  assert_memory_equal (bytes, zeros, sizeof bytes);
  memset (bytes, 255, sizeof bytes);
  assert_int_equal (skp_field_load (&half, bytes, sizeof bytes, &part),
                    -ERANGE);
}

TESTS (TEST (names_are_found_in_either_spelling),
       TEST (tcp_info_lies_where_the_header_says),
       TEST (bits_are_those_of_the_compiler),
       TEST (a_short_answer_has_no_later_fields),
       TEST (numbers_keep_sign_order_and_range),
       TEST (bytes_are_as_long_as_their_field),
       TEST (every_kind_and_size_goes_both_ways),
       TEST (what_no_field_holds_is_refused));
