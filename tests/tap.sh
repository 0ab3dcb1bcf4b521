# SPDX-License-Identifier: LGPL-3.0-or-later
# shellcheck shell=sh disable=SC2034
# To be sourced by tests that are shell scripts: a directory $work that goes in the
# end, with the process $peer if there is one, and points.
work=$(mktemp -d)
peer='' number=0 failed=0
trap 'test -z "$peer" || kill "$peer" 2>/dev/null; rm -rf "$work"' EXIT

# point WHAT COMMAND...: whether COMMAND succeeds, as TAP; what it said is shown if
# it did not.
point ()
{
  number=$((number + 1))
  what=$1
  shift
  if "$@" >"$work/log" 2>&1; then
    echo "ok $number - $what"
  else
    echo "not ok $number - $what"
    tail -n 40 "$work/log" | sed 's/^/# /'
    failed=1
  fi
}
