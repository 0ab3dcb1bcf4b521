#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# Has spin try every order of what the models in this directory describe, and
# find the fault in each model that has a mistake put into it: the names with
# which a model's first comment lists its mistakes are switches of it.
# usage: [MODEL_MOST=3] check.sh DIRECTORY CC...; prints TAP.
set -u
models=$1
shift
# How many may come at the task at once in wait.pml.
most=${MODEL_MOST:-2}

if ! command -v spin >/dev/null; then
  echo '1..0 # SKIP needs spin'
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
cd "$work" || exit 1
number=0

result ()
{
  number=$((number + 1))
  echo "$1 $number - $2"
}

# Build what tries MODEL with MISTAKE by CC..., and run it; the log is in `log'.
# To optimize it takes longer than what that saves.
try ()
{
  model=$1 mistake=$2
  shift 2
  spin -a "-DMOST=$most" "-D$mistake" "$models/$model.pml" >log 2>&1 \
    && "$@" -O0 -w -DSAFETY -DCOLLAPSE -DVECTORSZ=2048 -o pan pan.c >>log 2>&1 \
    && ./pan -m200000 -w22 -n >>log 2>&1
  # Too small a depth or memory would leave something untried.
  grep -q 'errors: [0-9]' log && ! grep -qE 'max search depth|out of memory' log
}

for model in wait channel ending signal; do
  if try "$model" RIGHT "$@" && grep -q 'errors: 0' log; then
    result ok "$model: $(awk '/states, stored/ { print $1; exit }' log) states"
  else
    result 'not ok' "$model: nothing goes wrong"
    sed 's/^/# /' log
  fi
  # shellcheck disable=SC2013
  for mistake in $(sed -n 's/^     \([A-Z_]*\)  .*/\1/p' "$models/$model.pml"); do
    if try "$model" "$mistake" "$@" && grep -q 'errors: [1-9]' log; then
      result ok "$model: $mistake is found"
    else
      result 'not ok' "$model: $mistake is found"
      tail -n 20 log | sed 's/^/# /'
    fi
  done
done
echo "1..$number"
