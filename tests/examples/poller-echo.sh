#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# poller-echo.sh SERVER CLIENT: TAP.  Runs the example poller-echo, and talks to it
# with core-client: words, much more than its buffer, and fifty at once, more than it
# has descriptors for.
set -u
server=$1 client=$2
# shellcheck source=tests/tap.sh
. "${0%/*}/../tap.sh"

# The line in which it says where it listens comes through a pipe that has a name.
mkfifo "$work/said"
# Debian's sh has it.
# shellcheck disable=SC3045
(ulimit -n 20 && exec "$server" 127.0.0.1:0) >"$work/said" 2>"$work/server" &
peer=$!
read -r _ _ place <"$work/said"

echoed ()
{
  "$client" "$place" "$1" >"$work/out.$2" &&
    test "$(cat "$work/out.$2")" = "$1"
}

many ()
{
  echo >"$work/wrong"
  pids=
  for i in $(seq 50); do
    (echoed "words $i" "$i" || echo "$i" >>"$work/wrong") &
    pids="$pids $!"
  done
  # shellcheck disable=SC2086
  wait $pids
  test "$(wc -l <"$work/wrong")" = 1
}

ended ()
{
  kill "$peer"
  wait "$peer"
  status=$?
  peer=
  test "$status" = 0
}

misused ()
{
  "$server" nowhere
  test $? = 1
}

echo 1..5
point 'words come back' echoed 'a few words' 0
long=$(seq 20000)
point 'and a hundred thousand bytes' echoed "$long" 0
point 'fifty clients, more than there are descriptors' many
point 'SIGTERM ends it well' ended
point 'an argument that is no address' misused
exit $failed
