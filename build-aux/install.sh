#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# `./dev install' and `./dev uninstall':
#
#   install.sh install BUILD PREFIX    install the build in BUILD, without
#                                      compiling it again
#   install.sh uninstall PREFIX        remove what that put there
#
# What was put there, and which directories were made for it, stands in
# PREFIX/share/sockport/installed, so that it goes without the build as well.
set -eu

list=share/sockport/installed

die () { printf 'dev: %s\n' "$*" >&2; exit 1; }

# Run this script with ARGUMENT... as somebody who may write to PREFIX.
as_owner ()
{
  nearest=$1
  shift
  until test -e "$nearest"; do
    nearest=$(dirname "$nearest")
  done
  if test -w "$nearest"; then
    sh "$0" "$@"
  elif command -v sudo >/dev/null; then
    sudo sh "$0" "$@"
  else
    die "writing to $nearest needs root or sudo"
  fi
}

option ()
{
  meson introspect --buildoptions "$1" |
    tr '{' '\n' | sed -n "s/.*\"name\": \"$2\", \"value\": \"\\([^\"]*\\)\".*/\\1/p"
}

# The prefix stands in a module and in the files for pkg-config: those are made
# anew, and nothing is compiled.
stage ()
{
  build=$1 prefix=$2 stage=$3 libdir=lib
  # Under /usr, where Debian keeps libraries; elsewhere, where people look.
  test "$prefix" != /usr || libdir=lib/$(cc -print-multiarch)
  if test "$(option "$build" prefix)" != "$prefix" ||
      test "$(option "$build" libdir)" != "${libdir%/}"; then
    meson configure "$build" -Dprefix="$prefix" -Dlibdir="${libdir%/}"
  fi
  ninja -C "$build" installed >&2
  DESTDIR=$stage meson install -C "$build" --no-rebuild >"$stage.log" 2>&1 \
    || { cat "$stage.log" >&2; die 'meson install failed'; }
}

# Copy what is under FROM to PREFIX, and list it.
place ()
{
  from=$1 prefix=$2
  test ! -e "$prefix/$list" || remove "$prefix"
  made=$(mktemp)
  # Parents come before what is in them.
  (cd "$from" && find . -type d && echo ./share/sockport) | sed 's|^\./||' |
    sort -u | while read -r path; do
      test ! -d "$prefix/$path" || continue
      mkdir -p "$prefix/$path"
      echo "d $path" >>"$made"
    done
  (cd "$from" && find . ! -type d) | sed 's|^\./||' | while read -r path; do
    # With its time: Guile wants compiled modules to be newer than their sources.
    cp -P --preserve=mode,timestamps --remove-destination \
      "$from/$path" "$prefix/$path"
    echo "f $path" >>"$made"
  done
  test -e "$prefix/share/info/dir" || echo 'i share/info/dir' >>"$made"
  if command -v install-info >/dev/null; then
    install-info --info-dir="$prefix/share/info" \
      "$prefix/share/info/sockport.info"
  fi
  echo "f $list" >>"$made"
  cp "$made" "$prefix/$list"
  chmod 644 "$prefix/$list"
  rm -f "$made"
}

remove ()
{
  prefix=$1
  listed=$(cat "$prefix/$list")
  if command -v install-info >/dev/null; then
    install-info --delete --info-dir="$prefix/share/info" \
      "$prefix/share/info/sockport.info" 2>/dev/null || :
  fi
  printf '%s\n' "$listed" | sort -r | while read -r kind path; do
    case $kind in
      f) rm -f "$prefix/$path" ;;
      # The directory of manuals, if ours was the only one.
      i) grep -q '^\* .*(' "$prefix/$path" 2>/dev/null || rm -f "$prefix/$path" ;;
    esac
  done
  printf '%s\n' "$listed" | sed -n 's/^d //p' | sort -r | while read -r path; do
    rmdir "$prefix/${path#.}" 2>/dev/null || :
  done
}

command=$1
shift
case $command in
  install)
    stage=$(mktemp -d)
    trap 'rm -rf "$stage" "$stage.log"' EXIT
    stage "$1" "$2" "$stage"
    as_owner "$2" place "$stage$2" "$2" ;;
  uninstall)
    test -e "$1/$list" || die "nothing to remove: there is no $1/$list"
    as_owner "$1" remove "$1" ;;
  place) place "$@" ;;
  remove) remove "$@" ;;
esac
