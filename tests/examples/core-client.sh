#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# core-client.sh COMMAND…: TAP.  Runs the example, COMMAND, against socat as the
# echo server, over a UNIX socket and over TCP, and against nobody.
set -u
command -v socat >/dev/null || { echo '1..0 # SKIP needs socat'; exit 0; }
# shellcheck source=tests/tap.sh
. "${0%/*}/../tap.sh"

answered ()
{
  "$@" 'three words here' >"$work/out" \
    && test "$(cat "$work/out")" = 'three words here'
}

refused ()
{
  "$@" 'words' >"$work/out" 2>"$work/said"
  test $? = 1 && test ! -s "$work/out" && grep -q 'connect: ' "$work/said"
}

misused ()
{
  "$@" 'no address' words
  test $? = 2
}

# Wait until socat listens, which it tells in the file LOG; set its port.
listening ()
{
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    grep -q 'listening on .*[^ ]$' "$1" && break
    sleep 0.1
  done
  port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$1")
}

echo 1..4
socat -d -d "UNIX-LISTEN:$work/echo" PIPE 2>"$work/unix" &
peer=$!
listening "$work/unix"
point 'an echo over a UNIX socket' answered "$@" "unix:$work/echo"
kill "$peer" 2>/dev/null
wait "$peer"
socat -d -d TCP-LISTEN:0,bind=127.0.0.1 PIPE 2>"$work/tcp" &
peer=$!
listening "$work/tcp"
point 'an echo over TCP' answered "$@" "127.0.0.1:$port"
kill "$peer" 2>/dev/null
wait "$peer"
peer=
point 'nobody listens' refused "$@" "127.0.0.1:$port"
point 'an argument that is no address' misused "$@"
exit $failed
