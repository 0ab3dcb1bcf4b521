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
load (const char *name, const struct tcp_info *info, size_t length)
{
  uint64_t number = 99;
  assert_int_equal (
      skp_structure_load (field ("tcp_info", name), info, length, &number), 0);
  return number;
}

static void
bits_are_those_of_the_compiler (void **state)
{
  (void)state;
  struct tcp_info info = { .tcpi_snd_wscale = 7,
                           .tcpi_rcv_wscale = 11,
                           .tcpi_delivery_rate_app_limited = 1,
                           .tcpi_fastopen_client_fail = 2 };
  assert_int_equal (load ("snd_wscale", &info, sizeof info), 7);
  assert_int_equal (load ("rcv_wscale", &info, sizeof info), 11);
  assert_int_equal (load ("app_limited", &info, sizeof info), 1);
  assert_int_equal (load ("fastopen_fail", &info, sizeof info), 2);
  assert_int_equal (
      skp_structure_store (field ("tcp_info", "rcv_wscale"), &info, 5), 0);
  assert_int_equal (info.tcpi_rcv_wscale, 5);
  assert_int_equal (info.tcpi_snd_wscale, 7);
  assert_int_equal (
      skp_structure_store (field ("tcp_info", "rcv_wscale"), &info, 16),
      -ERANGE);
}

static void
a_short_answer_has_no_later_fields (void **state)
{
  (void)state;
  struct tcp_info info = { .tcpi_rto = 5 };
  uint64_t number;
  size_t length = offsetof (struct tcp_info, tcpi_ato);
  assert_int_equal (load ("rto", &info, length), 5);
  assert_int_equal (skp_structure_load (field ("tcp_info", "ato"), &info,
                                        length + 3, &number),
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
  uint64_t number;

  assert_int_equal (skp_structure_store (seconds, bytes, (uint64_t)-2), 0);
  assert_int_equal (skp_structure_load (seconds, bytes, 8, &number), 0);
  assert_int_equal ((int64_t)number, -2);
  assert_int_equal (skp_structure_store (seconds, bytes, (uint64_t)INT32_MIN),
                    0);
  assert_int_equal (
      skp_structure_store (seconds, bytes, (uint64_t)INT32_MIN - 1), -ERANGE);
  assert_int_equal (skp_structure_store (seconds, bytes, 0x80000000), -ERANGE);
  assert_int_equal (skp_structure_store (uid, bytes, UINT32_MAX), 0);
  assert_int_equal (skp_structure_store (uid, bytes, 1ull << 32), -ERANGE);
  assert_int_equal (skp_structure_store (uid, bytes, (uint64_t)-1), -ERANGE);

  assert_int_equal (skp_structure_store (group, bytes, 0xe0000001), 0);
  assert_memory_equal (bytes, ((unsigned char[]){ 224, 0, 0, 1 }), 4);
  assert_int_equal (skp_structure_load (group, bytes, 8, &number), 0);
  assert_int_equal (number, 0xe0000001);
}

static void
only_numbers_are_loaded (void **state)
{
  (void)state;
  unsigned char bytes[256] = { 0 };
  uint64_t number;
  const struct skp_field *group = field ("ipv6_mreq", "group");
  assert_int_equal (skp_structure_load (group, bytes, sizeof bytes, &number),
                    -EINVAL);
  assert_int_equal (skp_structure_store (group, bytes, 0), -EINVAL);
}

TESTS (TEST (names_are_found_in_either_spelling),
       TEST (tcp_info_lies_where_the_header_says),
       TEST (bits_are_those_of_the_compiler),
       TEST (a_short_answer_has_no_later_fields),
       TEST (numbers_keep_sign_order_and_range),
       TEST (only_numbers_are_loaded));
