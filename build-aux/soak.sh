#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# Runs the long tests, tests/soak/NAME.scm and NAME.sh, one after the other, with
# a bar that shows how far each is: soak.sh [NAME...].  Called by ./dev soak, which
# sets the paths.  A program runs for about SOAK_SECONDS, draws all that is random
# from SOAK_SEED, prints "progress DONE TOTAL" now and then, "not ok WHAT" for each
# fault, and ends with 0 if there was none.  The last line is the sum.
set -u
directory=${SOAK_DIRECTORY:-$SOCKPORT_SOURCE/tests/soak}
logs=$SOCKPORT_BUILD/soak
export SOAK_SECONDS="${SOAK_SECONDS:-600}"
# Another one each time, and told, so that what was found is found again.
export SOAK_SEED="${SOAK_SEED:-$(date +%s)}"
passed=0 failed=0
mkdir -p "$logs"

run_program ()
{
  case $1 in
    *.scm) guile --no-auto-compile -s "$1" ;;
    *) sh "$1" ;;
  esac
}

# Copy the lines of standard input to the file LOG, and show the bar of NAME.
show ()
{
  awk -v name="$1" -v log_file="$2" -v tty="$(test -t 1 && echo 1)" '
    function bar(percent,  text, i) {
      for (i = 0; i < 40; i++)
        text = text (i * 100 < percent * 40 ? "#" : ".")
      return sprintf("[%s] %3d %%  %s", text, percent, name)
    }
    $1 == "progress" && $3 > 0 {
      percent = int(100 * $2 / $3)
      if (percent != shown && (tty || percent - percent % 10 != shown)) {
        shown = tty ? percent : percent - percent % 10
        printf "%s%s%s", tty ? "\r" : "", bar(shown), tty ? "" : "\n"
        fflush()
      }
      next
    }
    { print >log_file; fflush(log_file) }
    /^not ok/ { print (tty ? "\n" : "") $0; fflush() }
    END { if (tty) print ""; close(log_file) }'
}

# Run the program FILE.
soak ()
{
  name=$(basename "${1%.*}")
  log=$logs/$name.log
  : >"$log"
  echo "==> soak $name: $SOAK_SECONDS seconds, SOAK_SEED=$SOAK_SEED"
  { { run_program "$1" 2>&1; echo $? >"$logs/$name.status"; } </dev/null; } |
    show "$name" "$log"
  if test "$(cat "$logs/$name.status")" = 0 && ! grep -q '^not ok' "$log"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    tail -n 20 "$log"
    echo "not ok $name; see $log"
  fi
}

if test $# -eq 0; then
  set -- "$directory"/*.scm "$directory"/*.sh
fi
for program; do
  for file in "$program" "$directory/$program.scm" "$directory/$program.sh"; do
    test -f "$file" || continue
    soak "$file"
    continue 2
  done
  # A pattern that matched nothing is no program.
  case $program in
    *\**) ;;
    *) echo "not ok there is no tests/soak/$program"; failed=$((failed + 1)) ;;
  esac
done
echo "$passed passed, $failed failed"
test "$failed" = 0
