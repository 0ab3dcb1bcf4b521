#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# That ./dev soak sees each way in which a program can fail, as TAP.
set -u
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
mkdir "$directory/programs"
export SOCKPORT_SOURCE="$1" SOCKPORT_BUILD="$directory"
export SOAK_DIRECTORY="$directory/programs" SOAK_SEED=7 SOAK_SECONDS=1
number=0

# What soak.sh NAME prints has a line that matches WANTED, and it ends as it should.
says ()
{
  number=$((number + 1))
  name=$1 wanted=$2 status=$3
  sh "$SOCKPORT_SOURCE/build-aux/soak.sh" $name >"$directory/output" 2>&1
  got=$?
  if test $got = "$status" && grep -q "$wanted" "$directory/output"; then
    echo "ok $number - $4"
  else
    echo "not ok $number - $4"
    sed 's/^/# /' "$directory/output"
  fi
}

program ()
{
  cat >"$SOAK_DIRECTORY/$1.sh"
}

says '' '^0 passed, 0 failed$' 0 'none is no fault'
program good <<'END'
echo "a word"
echo "progress $SOAK_SEED 10"
END
says good '^1 passed, 0 failed$' 0 'one that ends well has passed'
says good '70 %' 0 'the bar tells how far it is'
program says <<'END'
echo "not ok a fault"
END
says says '^not ok a fault' 1 'a fault is shown'
program ends <<'END'
exit 3
END
says ends '^0 passed, 1 failed$' 1 'one that ends badly has failed'
says '' '^1 passed, 2 failed$' 1 'without names all are run'
says absent 'there is no tests/soak/absent' 1 'an unknown name is a fault'
echo "1..$number"
