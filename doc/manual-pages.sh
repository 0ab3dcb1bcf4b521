#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# manual-pages.sh VERSION DIRECTORY AWK ARGUMENT...: DIRECTORY with the pages that
# AWK makes of the headers, and none that it made before.
set -eu
version=$1 directory=$2
shift 2
rm -rf "$directory"
mkdir -p "$directory"
awk=$1
shift
exec "$awk" -v format=man -v version="$version" -v out="$directory" "$@"
