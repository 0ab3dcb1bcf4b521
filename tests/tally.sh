#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# What ./dev check counts (build-aux/tally.awk), as TAP.
set -u
tally=$1/build-aux/tally.awk
number=0

# The last line of the tally of standard input is to be WANTED.
counts ()
{
  number=$((number + 1))
  got=$(awk -f "$tally" | tail -n 1)
  if test "$got" = "$2"; then
    echo "ok $number - $1"
  else
    echo "not ok $number - $1"
    echo "# wanted $2, got $got"
  fi
}

counts 'points that hold and that do not' '2 1' <<'END'
ok 1 - one
not ok 2 - two
# why
ok 3 - three
1..3
END
counts 'a point that is to be done or was left out is no failure' '1 0' <<'END'
not ok 1 - one # TODO
ok 2 - two
not ok 3 # SKIP three
END
counts 'a program without points that ends well is one' '1 0' <<'END'
test:         a
result:       exit status 0
END
counts 'a program without points that ends badly is one' '0 1' <<'END'
test:         a
result:       exit status 2
END
counts 'a program that dies after its points is a failure more' '2 1' <<'END'
test:         a
result:       killed by signal 11 SIGSEGV
1..3
ok 1 - one
ok 2 - two
END
counts 'a program that says less than it planned is a failure more' '1 1' <<'END'
test:         a
result:       exit status 0
1..2
ok 1 - one
END
counts 'a failing program whose failing point is known is counted once' '1 1' <<'END'
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
