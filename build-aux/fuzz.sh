#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# Runs the fuzz targets that are built in DIRECTORY, one process for each
# processor, for FUZZ_SECONDS each: fuzz.sh DIRECTORY [NAME...].  Called by
# ./dev fuzz and ./dev check.  What it learns stays in DIRECTORY/corpus for the
# next time; with FUZZ_KEEP=1 what reaches new code goes to the tree as well, as
# few inputs as do it.  The points are TAP; a bar shows how far it is.
set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
directory=$1
shift
seconds=${FUZZ_SECONDS:-60} jobs=${FUZZ_JOBS:-$(nproc)}
# What costs most of the time and finds nothing: stacks of each malloc (replay an input
# for those), memory that is never used again, formats of printf, and energies that are
# counted anew for each input of the corpus.
export UBSAN_OPTIONS=halt_on_error=1
ASAN_OPTIONS=detect_leaks=1:malloc_context_size=0:quarantine_size_mb=16:check_printf=0
export ASAN_OPTIONS
number=0 failed=0 total=0
mkdir -p "$directory/crash" "$directory/log"

if test $# -eq 0; then
  for target in "$directory"/fuzz/fuzz-*; do
    test ! -f "$target" || set -- "$@" "${target##*/fuzz-}"
  done
fi
test $# -gt 0 || { echo "not ok there is no target in $directory"; exit 1; }
targets=$#

begin ()
{
  mkdir -p "$directory/corpus/$1" "$root/fuzz/corpus/$1"
  rm -f "$directory/log/$1.status"
  {
    "$directory/fuzz/fuzz-$1" -max_total_time="$seconds" -max_len=512 -entropic=0 \
      -print_final_stats=1 -artifact_prefix="$directory/crash/$1-" \
      "$directory/corpus/$1" "$root/fuzz/corpus/$1" \
      >"$directory/log/$1" 2>&1
    echo $? >"$directory/log/$1.status"
  } &
  running="$running $1"
}

executions ()
{
  sed -n 's/^stat::number_of_executed_units: *//p' "$directory/log/$1"
}

keep ()
{
  "$directory/fuzz/fuzz-$1" -set_cover_merge=1 -max_len=512 \
    "$root/fuzz/corpus/$1" "$directory/corpus/$1" >"$directory/log/$1.keep" 2>&1
}

finish ()
{
  number=$((number + 1))
  if test "$(cat "$directory/log/$1.status")" = 0; then
    count=$(executions "$1")
    total=$((total + ${count:-0}))
    echo "ok $number - fuzz $1: ${count:-0} executions"
    test "${FUZZ_KEEP:-0}" = 0 || keep "$1"
  else
    failed=1
    echo "not ok $number - fuzz $1; the input is $directory/crash/$1-*"
    tail -n 30 "$directory/log/$1" | sed 's/^/# /'
  fi
}

# One line on standard error, if that is a terminal.
bar ()
{
  test -t 2 || return 0
  at=''
  for name in $running; do
    at="$at $name $(grep -o '^#[0-9]*' "$directory/log/$name" | tail -n 1)"
  done
  printf '\r\033[K%d of %d done;%s' "$number" "$targets" "$at" >&2
}

running=
while test $# -gt 0 || test -n "$running"; do
  while test $# -gt 0 && test "$(echo "$running" | wc -w)" -lt "$jobs"; do
    begin "$1"
    shift
  done
  bar
  sleep 1
  left=
  for name in $running; do
    if test -f "$directory/log/$name.status"; then
      test ! -t 2 || printf '\r\033[K' >&2
      finish "$name"
    else
      left="$left $name"
    fi
  done
  running=$left
done
echo "1..$number"
echo "# $total executions"
exit $failed
