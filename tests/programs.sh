#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# That what ./dev run builds is what a program needs, and no more, as TAP.
set -u
build=$1
number=0
made=$(ninja -C "$build" -t commands programs) || made=

report ()
{
  number=$((number + 1))
  if test "$1" = 0; then
    echo "ok $number - $2"
  else
    echo "not ok $number - $2"
  fi
}

for part in src/libsockport.so guile/libguile-sockport.so src/sockport-resolve \
  compile-modules.scm.*/module compile-modules.scm.*/fibers; do
  echo "$made" | grep -q "$part"
  report $? "it builds $part"
done
for part in tests/ bench/ examples/ fuzz/ makeinfo; do
  echo "$made" | grep -qE "(-o|-c|^) *[^ ]*$part"
  report $((! $?)) "it builds nothing of $part"
done
echo "1..$number"
