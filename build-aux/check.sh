#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# Builds and tests everything; called by `./dev check', which installs what
# this needs.  Each step prints TAP or Meson's log into build-check/steps, where
# tally.awk counts it; the last line is the sum.  The tests of Scheme mostly wait, so
# what needs a processor alone is done beside them, and its words kept until then.
set -u
cd "$(dirname "$0")/.." || exit 1
steps=$PWD/build-check/steps
passed=0 failed=0 skipped=0
start=$(date +%s)
mkdir -p "$steps"
: >"$steps/skipped"
: >"$steps/failed"
: >"$steps/times"
# So that a fault in a test looks the same everywhere.
unset GUILE_LOAD_PATH GUILE_LOAD_COMPILED_PATH GUILE_AUTO_COMPILE
export GUILE_AUTO_COMPILE=0 LC_ALL=C.UTF-8
# What is done beside a test, or by others on this machine, takes its time.
export SOCKPORT_TEST_PATIENCE="${SOCKPORT_TEST_PATIENCE:-4}"
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1

# Seconds since the start.
now () { echo $(($(date +%s) - start)); }

# Note that STEP began at SINCE and ends now.
took () { echo "$1 $(now) $2" >>"$steps/times"; }

# Count the points in the file LOG and show the failing ones.
count ()
{
  test -f "$1" || echo "not ok there is no $1" >"$1"
  : >"$1.skipped"
  awk -v MAY=build-aux/may-skip -v SKIPPED="$1.skipped" \
    -f build-aux/tally.awk "$1" >"$1.sum"
  cat "$1.skipped" >>"$steps/skipped"
  sed '$d' "$1.sum" | tee -a "$steps/failed"
  read -r good bad left <<END
$(tail -n 1 "$1.sum")
END
  passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + left))
  echo "    $good passed, $bad failed, $left skipped"
}

# Run COMMAND..., one point called NAME; its output is shown when it fails.
point ()
{
  name=$1 since=$(now)
  shift
  echo "==> $name"
  log=$steps/$(echo "$name" | tr -c 'a-z0-9\n' -).log
  if "$@" >"$log" 2>&1; then
    took "$since" "$name"
    passed=$((passed + 1))
    return 0
  fi
  tail -n 60 "$log"
  echo "not ok $name" | tee -a "$steps/failed"
  failed=$((failed + 1))
  return 1
}

# Run COMMAND... beside what follows, as PHASE, by what that leaves of the processors.
# What it says and counts is there after `joined PHASE'.
beside ()
{
  phase=$1 lesser=$2
  shift 2
  echo "==> $phase: begun, beside what follows"
  rm -f "$steps/$phase.counted"
  {
    renice -n $(($(nice) + lesser)) -p "$(exec sh -c 'echo $PPID')" >/dev/null
    passed=0 failed=0 skipped=0
    "$@"
    echo "$passed $failed $skipped" >"$steps/$phase.counted"
  } >"$steps/$phase.said" 2>&1 &
  echo $! >"$steps/$phase.pid"
}

joined ()
{
  wait "$(cat "$steps/$1.pid")"
  cat "$steps/$1.said"
  good=0 bad=0 left=0
  if ! test -f "$steps/$1.counted"; then
    echo "not ok $1 did not come to its end" | tee -a "$steps/failed"
    bad=1
  else
    read -r good bad left <"$steps/$1.counted"
  fi
  passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + left))
}

# Anew each time, or what has been installed since would stay out of it.
configured ()
{
  if test -f "$1/build.ninja"; then
    meson configure "$1" --clearcache
    meson setup --reconfigure "$@"
  else
    meson setup "$@"
  fi
}

# Configure DIRECTORY for WHAT with OPTION... and build it.
build ()
{
  what=$1 directory=$2
  shift 2
  point "$what: configure" configured "$directory" -Dwerror=true \
    -Dtests=enabled "$@" &&
    point "$what: build without a warning" ninja -C "$directory"
}

# Run the tests in DIRECTORY, as many at a time as PROCESSES.
run_tests ()
{
  echo "==> $1: test"
  since=$(now)
  meson test -C "$2" --no-rebuild --num-processes "$3" -t "$SOCKPORT_TEST_PATIENCE" 2>&1 |
    grep --line-buffered -E '^ *[0-9]+/[0-9]+ '
  count "$2/meson-logs/testlog.txt"
  took "$since" "$1: test"
}

no_guile_asked ()
{
  ! grep -E 'libguile|guile-3|guild' build-core/build.ninja
}

# Valgrind 3.19 does not read clang's own choice of debugging information.
core_alone ()
{
  what='the core with no guile, by clang'
  CC=clang CFLAGS=-gdwarf-4 build "$what" build-core -Dguile=false -Db_lto=false &&
    run_tests "$what" build-core "$(nproc)"
  point 'the core asks for no guile' no_guile_asked
  what='the core under address and undefined-behaviour sanitizers'
  build "$what" build-asan -Dguile=false -Db_lto=false -Db_sanitize=address,undefined \
    -Doptimization=1 && run_tests "$what" build-asan "$(nproc)"
}

# The C example under valgrind, talking to an echo; as gcc built it, because
# valgrind 3.19 cannot read what clang says for debuggers.
valgrind_example ()
{
  sh tests/examples/core-client.sh valgrind -q --error-exitcode=99 \
    --leak-check=full --track-fds=yes build-check/examples/core-client
}

# A minute of each fuzz target; the tests do not mind.
fuzz ()
{
  point 'the fuzz targets: build' fuzz_targets || return
  echo '==> fuzz'
  since=$(now)
  nice -n 5 sh build-aux/fuzz.sh build-fuzz >"$steps/fuzz.tap" 2>&1
  count "$steps/fuzz.tap"
  grep executions "$steps/fuzz.tap" | sed 's/^/    /'
  took "$since" fuzz
}

fuzz_targets ()
{
  CC=clang CFLAGS=-fsanitize=fuzzer-no-link configured build-fuzz \
    -Dguile=false -Dfuzz=true -Db_lto=false -Db_sanitize=address,undefined \
    -Db_lundef=false && ninja -C build-fuzz fuzzers
}

# What the tests reach of the C code: those of C, and those of Scheme that are about
# it, on the modules that are compiled already.  Whether they hold was counted before.
coverage ()
{
  directory=$PWD/build-coverage
  configured "$directory" -Dtests=enabled -Db_coverage=true -Db_lto=false \
    -Doptimization=0 -Dc_args=-fprofile-update=atomic || return
  # shellcheck disable=SC2046
  ninja -C "$directory" $(ninja -C "$directory" -t targets rule c_LINKER |
    sed -n 's/^\([^:]*\):.*/\1/; /-threads$/d
            /^\(src\|guile\|tests\/\(c\|binding\|scheme\)\)\//p') || return
  guild compile -o "$directory/module/sockport/primitive.go" \
    "$directory/module/sockport/primitive.scm" || return
  find "$directory" -name '*.gcda' -delete
  # shellcheck disable=SC2046
  GUILE_LOAD_COMPILED_PATH=$PWD/build-check/module meson test -C "$directory" \
    --no-rebuild --num-processes 6 $(meson test -C "$directory" --list |
      sed 's/.*[ :]//' | grep -E '^(c|binding|scheme)-' | grep -vE \
      '^scheme-(bench|command|example|harness|manual|real|surface|tutorial)' |
      grep -vE -- '-(cases|crowd|model|mutate|programs)$' |
      grep -vE -- '-(plain|unknown|interpreted|compiled|threads)$')
  true
}

# What cannot be reached is listed by what GCC 12 makes of it.
covered ()
{
  if test "$(gcc -dumpversion)" = 12; then
    point 'the coverage of the C code is measured' coverage
    python3 build-aux/coverage.py build-coverage build-aux/uncovered \
      >"$steps/coverage.tap" || grep -q '^1\.\.' "$steps/coverage.tap" ||
      echo 'not ok the coverage cannot be read' >>"$steps/coverage.tap"
  else
    echo "ok 1 - coverage # SKIP made for GCC 12, this is $(gcc -dumpversion)" \
      >"$steps/coverage.tap"
  fi
  count "$steps/coverage.tap"
  grep '^#' "$steps/coverage.tap" | sed 's/^#/   /'
}

lints ()
{
  echo '==> lints'
  since=$(now)
  sh build-aux/lint.sh build-check >"$steps/lint.tap" 2>&1
  count "$steps/lint.tap"
  took "$since" lints
}

beside fuzz 5 fuzz
beside core 5 core_alone
if build 'all' build-check; then
  beside coverage 5 covered
  beside lints 5 lints
  run_tests 'all' build-check $((2 * $(nproc)))
  point 'the C example under valgrind' valgrind_example
  joined coverage
  joined lints
fi
joined core
joined fuzz

echo '==> minutes from the start'
sort -n "$steps/times" | awk '
  function minutes(seconds) { return sprintf("%2d:%02d", seconds / 60, seconds % 60) }
  {
    from = $1
    to = $2
    sub(/^[0-9]+ [0-9]+ /, "")
    printf "    %s to %s  %s\n", minutes(from), minutes(to), $0
  }'
test "$failed" = 0 || { echo '==> failed'; sed 's/^/    /' "$steps/failed"; }
test "$skipped" = 0 || { echo '==> left out'; sed 's/^/    /' "$steps/skipped"; }
echo "$passed passed, $failed failed, $skipped skipped"
test "$failed" = 0
