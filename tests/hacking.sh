#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# hacking.sh SOURCE-ROOT BUILD-ROOT: TAP.  Follows the worked example of HACKING in
# a copy of the tree: puts each block where it says, builds what that needs, and
# runs the tests that it adds to.
set -u
root=$1 built=$2
# shellcheck source=tests/tap.sh
. "$root/tests/tap.sh"
tree=$work/tree build=$work/build
unset LD_LIBRARY_PATH GUILE_LOAD_PATH GUILE_LOAD_COMPILED_PATH CDPATH
export LC_ALL=C.UTF-8 GUILE_AUTO_COMPILE=0

copy ()
{
  mkdir "$tree" && cd "$root" &&
    sh build-aux/sources.sh '*' | xargs -d '\n' cp -p --parents -t "$tree"
}

# Each block into a file of its own: N.file, N.where, N.anchor and N.text.
blocks ()
{
  awk -v out="$work" '
    match($0, /^ +[a-zA-Z\/.-]+, (before|after|inside) ".*":$/) {
      name = out "/" ++n
      file = $1
      sub(/,$/, "", file)
      print file >(name ".file")
      print $2 >(name ".where")
      sub(/^[^"]*"/, "")
      sub(/":$/, "")
      print >(name ".anchor")
      inside = 1
      started = 0
      held = ""
      next
    }
    inside && /^        / {
      printf "%s%s\n", held, substr($0, 9) >(name ".text")
      held = ""
      started = 1
      next
    }
    inside && /^$/ {
      if (started)
        held = held "\n"
      next
    }
    { inside = 0 }
    END { print n }' "$tree/HACKING"
}

# Put the block NAME where it says: before or after the first line that has its
# anchor in it, or inside that line, behind the anchor.
put ()
{
  name=$1
  file=$tree/$(cat "$name.file")
  awk -v where="$(cat "$name.where")" -v text="$name.text" '
    function block(line) {
      while ((getline line <text) > 0)
        print line
    }
    BEGIN { getline anchor <ARGV[1]; ARGV[1] = "" }
    !done && index($0, anchor) {
      done = 1
      if (where == "before")
        block()
      if (where == "inside") {
        at = index($0, anchor) + length(anchor)
        print substr($0, 1, at - 1)
        block()
        print substr($0, at)
        next
      }
      print
      if (where == "after")
        block()
      next
    }
    { print }
    END { exit !done }' "$name.anchor" "$file" >"$work/changed" \
    || { echo "no $(cat "$name.anchor") in $file"; return 1; }
  cat "$work/changed" >"$file"
}

put_all ()
{
  count=$(blocks)
  test "$count" -ge 10 || { echo "$count blocks"; return 1; }
  for i in $(seq "$count"); do
    put "$work/$i" || return
  done
}

build ()
{
  meson setup "$build" "$tree" -Dwerror=true -Db_lto=false -Doptimization=0 ||
    return
  libraries=$(ninja -C "$build" -t targets all |
    grep -oE '^((guile/)?tls|src|guile)/lib(guile-)?sockport(-tls)?[.]so([.][0-9]+)*:' |
    tr -d : | sort -u)
  # shellcheck disable=SC2086
  ninja -C "$build" tests/c/test-transfer $libraries
}

# What BUILD-ROOT compiled serves for the modules that the example leaves alone;
# the others are newer, so Guile reads their source.
scheme ()
{
  GUILE_LOAD_COMPILED_PATH=$built/module \
    GUILE_LOAD_PATH=$tree/module:$build/module:$tree/tests/scheme \
    SOCKPORT_SOURCE=$tree SOCKPORT_BUILD=$build \
    guile --no-auto-compile -s "$tree/tests/scheme/$1.scm" >"$work/tap" 2>&1 &&
    ! grep -q '^not ok' "$work/tap" && return
  grep -v '^ok' "$work/tap"
  return 1
}

c_reference ()
{
  ninja -C "$build" doc/c-reference.texi doc/constant-table.texi \
    doc/control-table.texi doc/option-table.texi doc/structure-table.texi
}

echo 1..8
point 'a copy of the tree' copy
point 'each block has its place' put_all
point 'it is built without a warning' build
point 'the test in C' "$build/tests/c/test-transfer"
point 'the test in Scheme' scheme transfer
point 'the bad arguments' scheme arguments
if command -v makeinfo >/dev/null; then
  point 'the C reference' c_reference
  point 'exported, documented and tested are the same' scheme surface
else
  echo 'ok 7 - the C reference # SKIP needs texinfo'
  echo 'ok 8 - exported, documented and tested are the same # SKIP needs texinfo'
fi
exit $failed
