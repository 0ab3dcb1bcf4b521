#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# Runs a command of ./dev on a bare Debian: on.sh [-k] SUITE[/ARCH] COMMAND...
# Called by ./dev, as root, with debootstrap (and qemu, where ARCH is not this
# machine's) installed.  The system is unpacked from the cache, gets a copy of
# the tree, and runs in mount and process namespaces of its own, so that nothing
# of it is left when it ends, however it ends.  With -k it stays under build-on/
# and is used again.  Ends with 75 where no system can be made or entered, which
# says nothing of the tree: no archive can be reached, or rights are wanting.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/sockport
keep=

say () { printf '==> %s\n' "$*" >&2; }
cannot () { printf 'dev: %s\n' "$*" >&2; exit 75; }

# The archive that this machine's apt uses.
mirror ()
{
  apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)' \
    'Created-By: Packages' |
    awk -F '|' '$1 == $2 && ($1 == "Debian" || $1 == "Ubuntu") && $3 == "main" {
                  print $4
                  exit
                }'
}

# A kernel that does not know what runs programs of ARCH is told.
foreign ()
{
  case $1 in
    arm64) interpreter=aarch64 ;;
    armel | armhf) interpreter=arm ;;
    ppc64el) interpreter=ppc64le ;;
    *) interpreter=$1 ;;
  esac
  formats=/proc/sys/fs/binfmt_misc
  test -e "$formats/register" || mount -t binfmt_misc binfmt_misc "$formats" \
    || cannot "this kernel runs no programs of another machine (no binfmt_misc)"
  test -e "$formats/qemu-$interpreter" && return
  cat "/usr/lib/binfmt.d/qemu-$interpreter.conf" >"$formats/register" \
    || cannot "this kernel does not take qemu-$interpreter for $arch"
}

# Make the bare system, unless the cache has it.
make_base ()
{
  test ! -f "$base" || return 0
  uri=$(mirror)
  test -n "$uri" || { apt-get -q update >&2 || :; uri=$(mirror); }
  test -n "$uri" || cannot 'apt has no Debian archive to make a system from'
  say "debootstrap $arch $suite"
  mkdir -p "$cache/on" "$debs/archives" "$debs/lists"
  new=$(mktemp -d "$cache/on/new.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$new'" EXIT
  certificates=
  case $uri in https:*) certificates=--include=ca-certificates ;; esac
  debootstrap --variant=minbase --arch="$arch" $certificates \
    --cache-dir="$debs/archives" "$suite" "$new" "$uri" >"$base.log" 2>&1 \
    || { tail -n 20 "$base.log" >&2; cannot "debootstrap failed; see $base.log"; }
  tar -C "$new" -cf "$base.part.$$" --exclude='./var/cache/apt/archives/*.deb' .
  mv "$base.part.$$" "$base"
  rm -rf "$new"
}

# What the system has from the machine: names, and how apt reaches its archive.
share_settings ()
{
  cp /etc/hosts /etc/resolv.conf "$system/etc/"
  apt-config dump Acquire |
    grep -iE '^Acquire::(Check-|Retries|[a-z:]*(proxy|timeout))' \
      >"$system/etc/apt/apt.conf.d/90machine" || :
  # Nothing here has to outlive a power cut.
  echo force-unsafe-io >"$system/etc/dpkg/dpkg.cfg.d/90machine"
}

# Copy the files of directory $1 into $2: a second name for each where that can be.
copy_new ()
{
  mkdir -p "$2"
  find "$1" -maxdepth 1 -type f ! -name lock |
    while read -r file; do
      test -e "$2/${file##*/}" || ln "$file" "$2/" 2>/dev/null \
        || cp -p "$file" "$2/"
    done
}

# The files of the tree as it is, those not committed too, each ended by a NUL.
tree_files ()
{
  if git -C "$root" -c safe.directory='*' rev-parse --show-cdup 2>/dev/null |
    grep -q '^$'; then
    git -C "$root" -c safe.directory='*' ls-files -zco --exclude-standard
  else
    { cat "$root/MANIFEST"; echo MANIFEST; } | tr '\n' '\0'
  fi
}

# A copy of the tree, as a checkout of its own where this is one.
copy_tree ()
{
  mkdir -p "$system/sockport"
  # What went from the tree goes there as well.
  test ! -e "$system/sockport/.git" \
    || git -C "$system/sockport" ls-files -z | (cd "$system/sockport" && xargs -0 rm -f)
  (cd "$root" && tree_files |
     xargs -0 sh -c 'for f; do test ! -e "$f" || printf "%s\0" "$f"; done' - |
     tar -c --null -T - -f -) | tar -C "$system/sockport" -xf - --no-same-owner
  # A kept system may have had the other kind of tree.
  test -e "$root/MANIFEST" || rm -f "$system/sockport/MANIFEST"
  test ! -e "$system/sockport/MANIFEST" || { rm -rf "$system/sockport/.git"; return 0; }
  git -C "$system/sockport" init -q
  git -C "$system/sockport" add -A
}

# Unpack or find the system; it goes when this ends, unless it is to be kept.
prepare ()
{
  if test -n "$keep"; then
    system=$root/build-on/$suite-$arch
  else
    system=$(mktemp -d "$cache/on/$suite-$arch.XXXXXX")
  fi
  if test ! -e "$system/sockport"; then
    mkdir -p "$system"
    tar -C "$system" -xpf "$base"
    chmod 755 "$system"
    share_settings
    copy_new "$debs/lists" "$system/var/lib/apt/lists"
  fi
  copy_new "$debs/archives" "$system/var/cache/apt/archives"
  copy_tree
}

# Where the namespaces begin: mount what a program expects, and go in.  This shell
# stays, as the first process, which no signal ends and which buries the others.
inside='
  system=$1 arch=$2
  shift 2
  mount --make-rprivate /
  mount --bind "$system" "$system"
  mount -t proc proc "$system/proc"
  mount --rbind /sys "$system/sys"
  mount --rbind /dev "$system/dev"
  mount -t tmpfs -o mode=1777 tmpfs "$system/dev/shm"
  mount -t tmpfs tmpfs "$system/run"
  mkdir -p "$system/run/lock"
  case $arch in i386) set -- setarch i386 "$@" ;; esac
  chroot "$system" "$@"
  exit'

# In the background, because a shell that waits in the foreground runs no trap,
# and an unshare that waits is ended by KILL alone, as is all that is in there.
in_system ()
{
  unshare --mount --pid --fork --kill-child -- sh -euc "$inside" - \
    "$system" "$arch" /usr/bin/env -i HOME=/root LANG=C.UTF-8 \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    TERM="${TERM:-dumb}" ${CI:+CI="$CI"} \
    ${FUZZ_SECONDS:+FUZZ_SECONDS="$FUZZ_SECONDS"} \
    ${SOCKPORT_TEST_PATIENCE:+SOCKPORT_TEST_PATIENCE="$SOCKPORT_TEST_PATIENCE"} \
    ${http_proxy:+http_proxy="$http_proxy"} "$@" <&3 &
  inside_pid=$!
  wait $inside_pid && inside_status=0 || inside_status=$?
  inside_pid=
  return $inside_status
}

# What is left when this ends, by itself or not.
clean_up ()
{
  test -z "$inside_pid" || kill -KILL "$inside_pid" 2>/dev/null || :
  test -n "$keep" || test -z "$system" || rm -rf "$system"
}

# What the next run need not download, and what is worth reading afterwards.
save ()
{
  copy_new "$system/var/cache/apt/archives" "$debs/archives"
  rm -rf "$debs/lists.$$"
  copy_new "$system/var/lib/apt/lists" "$debs/lists.$$"
  rm -rf "$debs/lists"
  mv "$debs/lists.$$" "$debs/lists"
  test -z "$keep" || return 0
  logs=$root/build-on/$suite-$arch-logs
  rm -rf "$logs"
  (cd "$system/sockport" &&
     find . -path '*/meson-logs/*.txt' -o -path '*/steps/*' -o -path '*/bench/*') |
    while read -r file; do
      test ! -f "$system/sockport/$file" || {
        mkdir -p "$logs/$(dirname "$file")"
        cp "$system/sockport/$file" "$logs/$file"
      }
    done
}

main ()
{
  if test "$1" = -k; then
    keep=yes
    shift
  fi
  suite=${1%%/*}
  native=$(dpkg --print-architecture)
  arch=$native
  case $1 in */*) arch=${1#*/} ;; esac
  shift
  base=$cache/on/$suite-$arch.tar
  debs=$cache/debs/$suite-$arch
  mkdir -p "$cache/on" "$debs"
  case $native-$arch in
    "$arch-$native" | amd64-i386 | arm64-armhf) ;;
    *) foreign "$arch" ;;
  esac
  unshare --mount --pid --fork true \
    || cannot 'no namespaces can be made here, in which the system would run'
  make_base
  system='' inside_pid=''
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  exec 3</dev/null
  # There may be no standard input at all.
  if (exec 3<&0) 2>/dev/null; then exec 3<&0; fi
  prepare
  say "on $suite/$arch: ./dev $*"
  in_system sh -c 'apt-get -q update && apt-get -qy dist-upgrade' \
    >"$system/root/upgrade.log" 2>&1 \
    || { tail "$system/root/upgrade.log" >&2; cannot 'apt-get failed there'; }
  status=0
  in_system sh -c 'cd /sockport && exec ./dev "$@"' - "$@" || status=$?
  save
  exit $status
}

# Read whole before it runs: the tree may change meanwhile.
main "$@"
exit
