#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# Every test of tasks, channels, deadlines and servers in chaos, seed after seed:
# SOAK_ROUNDS (1000) of them, the first being SOAK_SEED; or as many as there is
# time for.  The tests are compiled first, since reading and expanding them took most of
# the processor's time; and as most of them wait, several run at once.
set -u
tests=$SOCKPORT_SOURCE/tests/scheme

# chaos.sh one STEM SEED: one run.
one ()
{
  test "$(date +%s)" -lt "$CHAOS_END" || return 0
  plain=$(($2 % 2)) log=$CHAOS_DIRECTORY/$1-$2.log
  SOCKPORT_CHAOS=$2 SOCKPORT_PLAIN_TASKS=$plain guile --no-auto-compile \
    -c "(load-compiled \"$CHAOS_DIRECTORY/$1.go\")" >"$log" 2>&1 </dev/null || {
    echo >>"$CHAOS_DIRECTORY/failed"
    echo "not ok $1 with SOCKPORT_CHAOS=$2 SOCKPORT_PLAIN_TASKS=$plain"
    grep -v '^ok' "$log"
  }
  rm -f "$log"
  echo >>"$CHAOS_DIRECTORY/done"
  runs=$(wc -l <"$CHAOS_DIRECTORY/done")
  by_time=$(((SOAK_SECONDS - CHAOS_END + $(date +%s)) * CHAOS_RUNS / SOAK_SECONDS))
  echo "progress $((by_time > runs ? by_time : runs)) $CHAOS_RUNS"
}

if test "${1:-}" = one; then
  one "$2" "$3"
  exit 0
fi

# What tests use, then they.
compile ()
{
  guile --no-auto-compile -c '
    (use-modules (system base compile) (ice-9 match))
    (match (command-line)
      ((_ from to use . names)
       (unless (string-null? use)
         (module-use! (current-module) (resolve-interface (list (string->symbol use)))))
       (for-each (lambda (name)
                   (compile-file (string-append from "/" name ".scm")
                                 #:output-file (string-append to "/" name ".go")))
                 names)))' "$tests" "$CHAOS_DIRECTORY" "$@" >/dev/null 2>&1
}

rounds=${SOAK_ROUNDS:-1000}
# Those that ./dev check runs in chaos.
stems=$(awk '/^ *chaos_stems \+?= / { list = 1 } list; /]/ { list = 0 }' "$tests/meson.build" |
  grep -o "'[a-z][a-z-]*'" | tr -d "'")
export CHAOS_DIRECTORY CHAOS_END CHAOS_RUNS SOCKPORT_TEST_PATIENCE=20
CHAOS_DIRECTORY=$(mktemp -d)
CHAOS_END=$(($(date +%s) + SOAK_SECONDS))
CHAOS_RUNS=$((rounds * $(echo "$stems" | wc -l)))
trap 'rm -rf "$CHAOS_DIRECTORY"' EXIT
trap 'exit 1' INT TERM
mkdir "$CHAOS_DIRECTORY/harness"
touch "$CHAOS_DIRECTORY/failed" "$CHAOS_DIRECTORY/done"
GUILE_LOAD_COMPILED_PATH=$GUILE_LOAD_COMPILED_PATH:$CHAOS_DIRECTORY
compile '' harness
# shellcheck disable=SC2046
compile harness $(cd "$tests" && printf '%s\n' harness/*.scm | sed 's/\.scm$//')
# shellcheck disable=SC2086
compile harness $stems
seed=$SOAK_SEED
while test "$seed" -lt $((SOAK_SEED + rounds)); do
  for stem in $stems; do
    echo "$stem $seed"
  done
  seed=$((seed + 1))
done | xargs -L 1 -P $((3 * $(nproc))) sh "$0" one
failures=$(wc -l <"$CHAOS_DIRECTORY/failed")
echo "# $(wc -l <"$CHAOS_DIRECTORY/done") runs, $failures failures"
test "$failures" = 0
