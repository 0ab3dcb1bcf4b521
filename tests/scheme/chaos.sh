#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# Run a test in chaos (guile/task/chaos.h): every second seed with plain tasks.
# usage: chaos.sh FIRST LAST GUILE ARGUMENT...; prints TAP, a point a seed.
set -u
first=$1 last=$2
shift 2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 1' INT TERM
# Collections and threads at every point take their time.
SOCKPORT_TEST_PATIENCE=$((4 * ${SOCKPORT_TEST_PATIENCE:-1}))
export SOCKPORT_TEST_PATIENCE
echo "1..$((last - first + 1))"
seed=$first
while test "$seed" -le "$last"; do
  if SOCKPORT_CHAOS=$seed SOCKPORT_PLAIN_TASKS=$((seed % 2)) "$@" >"$log" 2>&1 \
      </dev/null; then
    echo "ok $((seed - first + 1)) - SOCKPORT_CHAOS=$seed"
  else
    echo "not ok $((seed - first + 1)) - SOCKPORT_CHAOS=$seed"
    grep -v '^ok' "$log" | tail -n 40 | sed 's/^/# /'
  fi
  seed=$((seed + 1))
done
