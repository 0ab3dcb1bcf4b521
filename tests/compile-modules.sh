#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# What build-aux/compile-modules.scm compiles again, as TAP: compile-modules.sh SOURCE GUILE.
set -u
source=$1 guile=$2
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory" || exit 1
mkdir below above
echo '(define-module (below) #:export (one)) (define one 1)' >below/below.scm
echo '(define-module (above) #:use-module (below) #:export (two)) (define two (+ one 1))' \
  >above/above.scm
number=0
export GUILE_AUTO_COMPILE=0 GUILE_LOAD_PATH="$directory/below"
export GUILE_LOAD_COMPILED_PATH="$directory/below"

# Compile the module NAME; whether that was needed is as WANTED.
compiles ()
{
  number=$((number + 1))
  "$guile" --no-auto-compile "$source/build-aux/compile-modules.scm" "$1" "$1" "$1.scm" \
    >output 2>&1
  if test "$(grep -c GUILEC output)" = "$2"; then
    echo "ok $number - $3"
  else
    echo "not ok $number - $3"
    sed 's/^/# /' output
  fi
}

compiles below 1 'what was not compiled'
compiles above 1 'what uses it'
compiles above 0 'not what is newer than its source'
touch below/below.scm
compiles below 1 'what is older than its source'
compiles above 1 'what is older than what it uses, though that is compiled apart'
compiles above 0 'once'
echo "1..$number"
