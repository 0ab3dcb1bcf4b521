#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# `./dev package': package.sh [try].  Packs the sources, builds the Debian packages
# from that in build-package/, and has lintian look at them.  With `try', for systems
# that may be changed, installs and removes them, compares the system's files with
# those before, and runs their tests (autopkgtest's).
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
work=$root/build-package

die () { printf 'dev: %s\n' "$*" >&2; exit 1; }

build ()
{
  rm -rf "$work"
  mkdir -p "$work"
  version=$(sed -n "s/^ *version: '\(.*\)',$/\1/p" "$root/meson.build" | head -n 1)
  source=$work/sockport-$version
  mkdir "$source"
  # As `meson dist' packs them, but what is not committed yet as well.
  (cd "$root" && sh build-aux/sources.sh '*' | grep -v '^MANIFEST$' |
     xargs -d '\n' cp --parents -Pt "$source")
  MESON_DIST_ROOT=$source sh "$root/build-aux/dist.sh"
  tar -C "$work" -caf "$work/sockport_$version.orig.tar.xz" "sockport-$version"
  (cd "$source" && dpkg-buildpackage -us -uc)
  lintian --fail-on error --display-info --tag-display-limit 0 "$work"/*.changes
}

# Every file of the system but what changes by itself.
files ()
{
  find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp \
    -o -path /var/lib/dpkg -o -path /var/log -o -path /var/cache -o -path /run \
    -o -path /var/lib/apt -o -path "$root" -o -path "${HOME:-/root}" \
    -o -path /etc/ld.so.cache \) -prune -o -print | sort
}

try ()
{
  debs=$(echo "$work"/*.deb)
  # shellcheck disable=SC2086
  names=$(for deb in $debs; do dpkg-deb -f "$deb" Package; done | grep -v dbgsym)
  # What they and their tests depend on comes before the comparison.
  # shellcheck disable=SC2046,SC2086
  apt-get -qy install --no-install-recommends autopkgtest gcc gnutls-bin guile-3.0-dev info \
    iproute2 libc6-dev man-db openssl pkgconf procps python3 socat
  files >"$work/before"
  # shellcheck disable=SC2046,SC2086
  apt-get -qy install --no-install-recommends \
    $(for name in $names; do echo "$work/$name"_*.deb; done)
  # shellcheck disable=SC2086
  apt-get -qy purge $names
  files >"$work/after"
  diff "$work/before" "$work/after" || die 'the packages left files behind'
  autopkgtest "$work"/*.deb "$work"/sockport-*/ -- null || die 'autopkgtest failed'
  # Those that the tests asked for are still there.
  # shellcheck disable=SC2046,SC2086
  apt-get -qy purge $(dpkg-query -W -f '${Package} ' $names 2>/dev/null)
}

build
test "${1:-}" != try || try
