#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# Builds and tests everything; called by `./dev check', which installs what
# this needs.  Each step prints TAP or Meson's log into build-check/steps, where
# tally.awk counts it; the last line is the sum.
set -u
cd "$(dirname "$0")/.." || exit 1
steps=$PWD/build-check/steps
passed=0 failed=0 skipped=0
mkdir -p "$steps"
: >"$steps/skipped"
: >"$steps/failed"
# So that a fault in a test looks the same everywhere.
unset GUILE_LOAD_PATH GUILE_LOAD_COMPILED_PATH GUILE_AUTO_COMPILE
export GUILE_AUTO_COMPILE=0 LC_ALL=C.UTF-8
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1

# Count the points in the file LOG and show the failing ones.
count ()
{
  test -f "$1" || echo "not ok there is no $1" >"$1"
  : >"$steps/skipped.new"
  awk -v MAY=build-aux/may-skip -v SKIPPED="$steps/skipped.new" \
    -f build-aux/tally.awk "$1" >"$1.sum"
  cat "$steps/skipped.new" >>"$steps/skipped"
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
  name=$1
  shift
  echo "==> $name"
  log=$steps/$(echo "$name" | tr -c 'a-z0-9\n' -).log
  if "$@" >"$log" 2>&1; then
    passed=$((passed + 1))
    return 0
  fi
  tail -n 60 "$log"
  echo "not ok $name" | tee -a "$steps/failed"
  failed=$((failed + 1))
  return 1
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

# Build DIRECTORY with OPTION... and run its tests, those of SUITE if given.
build_and_test ()
{
  what=$1 directory=$2
  shift 2
  point "$what: configure" configured "$directory" -Dwerror=true \
    -Dtests=enabled "$@" || return
  point "$what: build without a warning" ninja -C "$directory" || return
  echo "==> $what: test"
  meson test -C "$directory" --no-rebuild --num-processes $(($(nproc) + 1)) 2>&1 |
    grep --line-buffered -E '^ *[0-9]+/[0-9]+ '
  count "$directory/meson-logs/testlog.txt"
}

no_guile_asked ()
{
  ! grep -E 'libguile|guile-3|guild' build-core/build.ninja
}

# The C example under valgrind, talking to an echo; as gcc built it, because
# valgrind 3.19 cannot read what clang says for debuggers.
valgrind_example ()
{
  sh tests/examples/core-client.sh valgrind -q --error-exitcode=99 \
    --leak-check=full --track-fds=yes build-check/examples/core-client
}

# A minute of each fuzz target, in the background of what follows: the tests mostly
# wait, and do not mind.  Two share a processor, or the fuzzing would be what the
# whole check waits for.
fuzz ()
{
  CC=clang CFLAGS=-fsanitize=fuzzer-no-link configured build-fuzz \
    -Dguile=false -Dfuzz=true -Db_lto=false -Db_sanitize=address,undefined \
    -Db_lundef=false && ninja -C build-fuzz ||
    { echo 'not ok the fuzz targets do not build'; return; }
  FUZZ_JOBS=$((2 * $(nproc))) nice -n 10 sh build-aux/fuzz.sh build-fuzz
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
    sed -n 's/^\([^:]*\):.*/\1/; /^\(src\|guile\|tests\)\//p') || return
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

build_and_test 'all' build-check
fuzz >"$steps/fuzz.tap" 2>&1 &
# Valgrind 3.19 does not read clang's own choice of debugging information.
CC=clang CFLAGS=-gdwarf-4 build_and_test 'the core with no guile, by clang' build-core \
  -Dguile=false -Db_lto=false
point 'the core asks for no guile' no_guile_asked
build_and_test 'the core under address and undefined-behaviour sanitizers' \
  build-asan -Dguile=false -Db_lto=false -Db_sanitize=address,undefined -Doptimization=1
point 'the C example under valgrind' valgrind_example
# What cannot be reached is listed by what GCC 12 makes of it.
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
echo '==> fuzz'
wait
count "$steps/fuzz.tap"
grep executions "$steps/fuzz.tap" | sed 's/^/    /'
echo '==> lints'
sh build-aux/lint.sh build-check >"$steps/lint.tap" 2>&1
count "$steps/lint.tap"

test "$failed" = 0 || { echo '==> failed'; sed 's/^/    /' "$steps/failed"; }
test "$skipped" = 0 || { echo '==> left out'; sed 's/^/    /' "$steps/skipped"; }
echo "$passed passed, $failed failed, $skipped skipped"
test "$failed" = 0
