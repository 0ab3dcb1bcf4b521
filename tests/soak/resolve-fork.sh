#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# 500 forks amid look-ups that nobody answers, in a network of its own: no child may
# hang.  Needs root.
set -u
file=$(mktemp)
trap 'rm -f "$file"' EXIT
printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' >"$file"
unshare --net --mount sh -c '
  ip link set lo up && mount --bind "$1" /etc/resolv.conf || exit 1
  "$SOCKPORT_BUILD/bench/name-server" &
  server=$!
  "$SOCKPORT_BUILD/tests/c/resolve-fork" "${SOAK_FORKS:-500}"
  status=$?
  kill $server
  exit $status' sh "$file" || {
  echo 'not ok resolve-fork'
  exit 1
}
