#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# Compares what the core's archive asks of the C library (fault-calls.sh ARCHIVE
# WRAPPED...) with the calls that tests/c/fault-calls.c makes fail and those that
# cannot: a new one must be put among either.
set -eu

archive=$1
shift
# These report no error that could be injected.
harmless='_GLOBAL_OFFSET_TABLE_ abs bcmp bsearch free freeifaddrs htonl htons munmap
  ntohl ntohs qsort sched_yield snprintf sysconf vsnprintf'

flat=$(printf "%s" "$harmless" | tr -s "[:space:]" " ")
unknown=
# The resolver waits, in threads and processes of its own, and its tests replace
# what it waits for (tests/c/resolve.c); a program that is started goes on in
# another process (tests/c/process.c).
for name in $(nm -A -u "$archive" |
    awk '!/(process-start|query|query-apart|query-entry|resolve|resolve-lookup|resolve-thread)(\.c)?\.o:/ && $(NF - 1) == "U" { print $NF }' |
    sort -u); do
  case " $* $flat " in
    *" $name "*) continue ;;
  esac
  case $name in
    skp_* | str* | mem* | is* | inet_* | sig* | pthread_* | __*) ;;
    *) unknown="$unknown $name" ;;
  esac
done

echo 1..1
if test -z "$unknown"; then
  echo 'ok 1 - every call of the core fails on purpose or cannot fail'
else
  echo 'not ok 1 - every call of the core fails on purpose or cannot fail'
  echo "# neither in tests/c/fault-calls.c nor harmless:$unknown"
  exit 1
fi
