/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the C tests share: cmocka, and a runner that counts descriptors.

   A test program defines `tests' and `tests_count'; main.c runs them and fails
   a test that leaves a descriptor open or closes one that it did not open.  */

#ifndef SKP_TEST_H
#define SKP_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

extern const struct CMUnitTest tests[];
extern const size_t tests_count;

#define TESTS(...)                                                             \
  const struct CMUnitTest tests[] = { __VA_ARGS__ };                           \
  const size_t tests_count = sizeof tests / sizeof *tests
#define TEST(function) cmocka_unit_test (function)

/* The number of descriptors that this process has open.  */
int descriptors_open (void);

#endif /* SKP_TEST_H */
