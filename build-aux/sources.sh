#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# sources.sh PATTERN...: the source files that match, a line each: of those that
# git knows or, where a distribution was unpacked, of those that MANIFEST lists.
set -euf
cd "$(dirname "$0")/.."
if test -e .git; then
  # Whoever owns the checkout.
  git -c safe.directory='*' ls-files -- "$@"
else
  while read -r file; do
    for pattern; do
      # shellcheck disable=SC2254
      case $file in
        $pattern) printf '%s\n' "$file"; break ;;
      esac
    done
  done <MANIFEST
fi
