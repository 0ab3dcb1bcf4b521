#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# What ./dev check counts (build-aux/tally.awk), as TAP.
set -u
tally=$1/build-aux/tally.awk
number=0
may=$(mktemp)
trap 'rm -f "$may"' EXIT
echo '^needs a moon' >"$may"

# The last line of the tally of standard input is to be WANTED.
counts ()
{
  number=$((number + 1))
  got=$(awk -v MAY="$may" -f "$tally" | tail -n 1)
  if test "$got" = "$2"; then
    echo "ok $number - $1"
  else
    echo "not ok $number - $1"
    echo "# wanted $2, got $got"
  fi
}

counts 'points that hold and that do not' '2 1 0' <<'END'
ok 1 - one
not ok 2 - two
# why
ok 3 - three
1..3
END
counts 'a point that is to be done is no failure' '1 0 0' <<'END'
not ok 1 - one # TODO
ok 2 - two
END
counts 'what is left out for a known reason is counted as such' '1 0 3' <<'END'
test:         a
result:       exit status 0
not ok 1 # SKIP needs a moon
ok 2 - two # SKIP needs a moon, full
ok 3 - three
1..3
test:         b
result:       exit status 0
1..0 # SKIP needs a moon
END
counts 'what is left out for another reason has failed' '1 2 0' <<'END'
test:         a
result:       exit status 0
ok 1 - one
ok 2 - two # SKIP no sun
1..2
test:         b
result:       exit status 0
1..0 # SKIP no sun
END
counts 'a program without points that ends well is one' '1 0 0' <<'END'
test:         a
result:       exit status 0
END
counts 'a program without points that ends badly is one' '0 1 0' <<'END'
test:         a
result:       exit status 2
END
counts 'a program that dies after its points is a failure more' '2 1 0' <<'END'
test:         a
result:       killed by signal 11 SIGSEGV
1..3
ok 1 - one
ok 2 - two
END
counts 'a program that says less than it planned is a failure more' '1 1 0' <<'END'
test:         a
result:       exit status 0
1..2
ok 1 - one
END
counts 'a failing program whose failing point is known is counted once' '1 1 0' <<'END'
test:         a
result:       exit status 1
ok 1 - one
not ok 2 - two
1..2
test:         b
result:       exit status 0
1..0
END
echo "1..$number"
