#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# constant-scan.sh SOURCE-ROOT CC…: TAP.  Every macro and enumerator of the
# headers with one of the prefixes is in constant.def, and no row is there twice.
# The headers are scanned here, so that a name cannot be forgotten in both places.
set -eu
root=$1
shift
prefixes='AF|AI|EAI|NI|PF|SOCK|IPPROTO|IPPORT|SOL|SO|SCM|MSG|SHUT|INADDR|IN6ADDR|IP|IPTOS|IPV6|MCAST|ICMP|ICMPV6|TCP|UDP|UDPLITE|NETLINK|PACKET|TPACKET|ETH_P|VMADDR|SOF|IFF'
# Deliberate omissions, each with its reason.
omitted='
SCM_SRCRT              expands to a name that no header defines
IN6ADDR_ANY_INIT       an initializer in C; here IN6ADDR_ANY
IN6ADDR_LOOPBACK_INIT  an initializer in C; here IN6ADDR_LOOPBACK
AI_IDN_ALLOW_UNASSIGNED     without effect since glibc 2.28, which warns of it
AI_IDN_USE_STD3_ASCII_RULES the same
NI_IDN_ALLOW_UNASSIGNED     the same
NI_IDN_USE_STD3_ASCII_RULES the same
'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
source='#include "kernel.h"'
echo "$source" | "$@" -D_GNU_SOURCE -I"$root/src" -x c -E -dM - |
  sed -n -E "s/^#define (($prefixes)_[A-Za-z0-9_]+|SOMAXCONN) .*/\1/p" > "$work/found"
echo "$source" | "$@" -D_GNU_SOURCE -I"$root/src" -x c -E - | grep -v '^#' |
  tr '\n' ' ' | grep -oE '\benum\b[^;{]*\{[^}]*\}' | sed -E 's/=[^,}]*//g' |
  grep -oE '\b[A-Z][A-Za-z0-9_]+\b' | grep -E "^($prefixes)_" >> "$work/found"
echo "$omitted" | awk 'NF { print $1 }' | sort > "$work/omitted"
sed -n -E 's/^[CV] \(([A-Za-z0-9_]+).*/\1/p' "$root/src/constant.def" | sort > "$work/rows"
sort -u "$work/found" | comm -23 - "$work/rows" | comm -23 - "$work/omitted" > "$work/missing"
uniq -d "$work/rows" > "$work/twice"
comm -12 "$work/rows" "$work/omitted" >> "$work/twice"

version=$(printf '#include <linux/version.h>\nLINUX_VERSION_CODE\n' |
  "$@" -x c -E - | tail -n 1)
directive=
[ "$version" -gt $((6 * 65536 + 2 * 256)) ] &&
  directive=' # TODO headers newer than those of the list'
echo 1..3
[ "$(wc -l < "$work/found")" -gt 900 ] || printf 'not '
echo 'ok 1 - the scan finds the headers'
[ ! -s "$work/missing" ] || printf 'not '
echo "ok 2 - no constant of the headers is missing$directive"
sed 's/^/# missing: /' "$work/missing"
[ ! -s "$work/twice" ] || printf 'not '
echo 'ok 3 - no constant occurs twice, and none that is omitted'
sed 's/^/# /' "$work/twice"
