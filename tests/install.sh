#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# install.sh SOURCE-ROOT BUILD-ROOT CC…: TAP.  Builds, installs under a new prefix
# as `./dev install' does, uses what is there as somebody else would (C programs
# with pkg-config, each header alone, the modules with guile -L), and removes it.
set -u
root=$1 built=$2
shift 2
# shellcheck source=tests/tap.sh
. "$root/tests/tap.sh"
prefix=$work/prefix
unset LD_LIBRARY_PATH GUILE_LOAD_PATH GUILE_LOAD_COMPILED_PATH CDPATH
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig" GUILE_AUTO_COMPILE=0

# The modules that BUILD-ROOT compiled are taken over, with the time of now, or they
# would be older than what this build makes.
build_there ()
{
  # Without link-time optimization it is done sooner.
  meson setup "$work/build" "$root" -Db_lto=false -Doptimization=0 || return
  for directory in module fibers; do
    (cd "$built/$directory" && find . -name '*.go' ! -path './installed/*' \
      -exec cp --parents -t "$work/build/$directory" {} +) || return
  done
  ninja -C "$work/build" installed
}

# The directory of libraries was there before, the others were not.
install_there ()
{
  mkdir -p "$prefix/lib" && touch "$work/before" &&
    sh "$root/build-aux/install.sh" install "$work/build" "$prefix" || return
  # But the one that holds the prefix.
  compiled=$(find "$work/build" -name '*.o' ! -name 'helper-path.c.o' \
    -newer "$work/before")
  test -z "$compiled" || { echo "compiled again: $compiled"; return 1; }
}

in_info_directory ()
{
  grep -q '^\* Sockport: (sockport)' "$prefix/share/info/dir"
}

uninstall_there ()
{
  sh "$root/build-aux/install.sh" uninstall "$prefix" || return
  left=$(cd "$prefix" && find . | sort | tr '\n' ' ')
  test "$left" = '. ./lib ' || { echo "left: $left"; return 1; }
}

files_there ()
{
  for file in lib/libsockport.so lib/libguile-sockport.so \
    include/sockport/sockport.h include/sockport/guile-names.h \
    share/guile/site/3.0/sockport.scm lib/guile/3.0/site-ccache/sockport.go \
    share/man/man3/sockport.3 share/man/man3/skp_socket_bind.3 \
    share/man/man7/guile-sockport.7 libexec/sockport/sockport-resolve \
    bin/sockport share/man/man1/sockport.1 \
    share/bash-completion/completions/sockport \
    share/zsh/site-functions/_sockport; do
    test -e "$prefix/$file" || { echo "no $file"; return 1; }
  done
}

# compile FILE PACKAGES CC…: FILE against what is installed.
compile ()
{
  file=$1 name=$(basename "$1" .c) packages=$2
  shift 2
  # shellcheck disable=SC2046,SC2086
  "$@" "$file" $(pkg-config --cflags --libs $packages) \
    -o "$work/$name"
}

headers_alone ()
{
  for header in "$prefix"/include/sockport/*.h; do
    echo "#include <sockport/$(basename "$header")>" >"$work/header.c"
    # shellcheck disable=SC2046
    "$@" -Wall -Wextra -Werror -fsyntax-only "$work/header.c" \
      $(pkg-config --cflags sockport-guile guile-3.0) || return 1
  done
}

# Set `port' to that of a TCP echo server, started now.
start_echo ()
{
  : >"$work/socat"
  socat -d -d TCP-LISTEN:0,bind=127.0.0.1,fork PIPE 2>>"$work/socat" &
  peer=$!
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    port=$(sed -n 's/.*listening on .*:\([0-9][0-9]*\)$/\1/p' "$work/socat")
    test -z "$port" || return 0
    sleep 0.1
  done
}

answers ()
{
  expected=$1
  shift
  answer=$("$@") && test "$answer" = "$expected"
}

last_line ()
{
  "$@" | tail -n 1
}

program='(use-modules (sockport))
(define pair (socketpair AF_UNIX SOCK_STREAM 0))
(define buffer (make-string 5))
(send (car pair) "hello")
(recv! (cdr pair) buffer)
(display buffer)'

echo 1..15
point 'builds' build_there
point 'installs under a prefix, and compiles nothing' install_there
point 'puts every kind of file there' files_there
point 'the command runs' answers 'sockport 0.1.0' "$prefix/bin/sockport" --version
point 'each header compiles alone' headers_alone "$@"
point 'embed.c compiles' compile "$root/examples/embed.c" \
  'sockport-guile guile-3.0' "$@"
point 'core-client.c compiles' compile "$root/examples/core-client.c" \
  sockport "$@"
sed -n '/^```c$/,/^```$/p' "$root/README.md" | sed '/^```/d' >"$work/readme.c"
point "the README's program compiles" compile "$work/readme.c" sockport "$@"
point "the README's program runs" answers 'nobody has come yet' last_line \
  "$work/readme"
if command -v socat >/dev/null; then
  start_echo
  point 'embed runs' answers 'hello from C' "$work/embed" "$port"
  point 'core-client runs' answers 'a few words' \
    "$work/core-client" "127.0.0.1:$port" 'a few words'
else
  echo 'ok 9 - embed runs # SKIP needs socat'
  echo 'ok 10 - core-client runs # SKIP needs socat'
  number=10
fi
point 'guile -L finds the modules' answers hello \
  guile -L "$prefix/share/guile/site/3.0" -c "$program"
if command -v install-info >/dev/null && command -v makeinfo >/dev/null; then
  point "the manual is in info's directory" in_info_directory
else
  echo "ok 12 - the manual is in info's directory # SKIP needs texinfo, install-info"
  number=12
fi
point 'can be installed over itself' install_there
point 'uninstalling leaves nothing' uninstall_there
exit $failed
