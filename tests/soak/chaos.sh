#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# Every test of tasks, channels, deadlines and servers in chaos, seed after seed:
# SOAK_ROUNDS (1000) of them, the first being SOAK_SEED; or as many as there is
# time for.
set -u
tests=$SOCKPORT_SOURCE/tests/scheme
rounds=${SOAK_ROUNDS:-1000}
begun=$(date +%s)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Those that ./dev check runs in chaos.
stems=$(sed -n '/^foreach seeds, stems/,/^  foreach/p' "$tests/meson.build" |
  grep -o "'[a-z-]*'" | tr -d "'")
failed=0 round=0
export SOCKPORT_CHAOS SOCKPORT_PLAIN_TASKS SOCKPORT_TEST_PATIENCE=5
while test "$round" -lt "$rounds"; do
  SOCKPORT_CHAOS=$((SOAK_SEED + round)) SOCKPORT_PLAIN_TASKS=$((round % 2))
  for stem in $stems; do
    guile --no-auto-compile -s "$tests/$stem.scm" >"$log" 2>&1 </dev/null || {
      failed=$((failed + 1))
      echo "not ok $stem with SOCKPORT_CHAOS=$SOCKPORT_CHAOS SOCKPORT_PLAIN_TASKS=$SOCKPORT_PLAIN_TASKS"
      grep -v '^ok' "$log"
    }
  done
  round=$((round + 1))
  passed=$(($(date +%s) - begun))
  by_time=$((passed * rounds / SOAK_SECONDS))
  echo "progress $((by_time > round ? by_time : round)) $rounds"
  test "$passed" -lt "$SOAK_SECONDS" || break
done
echo "# $round seeds, $failed failures"
test "$failed" = 0
