#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# What `meson dist' does before it packs: the distribution gets a list of its
# files, for the lints, which ask git elsewhere.
set -eu
cd "$MESON_DIST_ROOT"
find . -type f | sed 's|^\./||' | sort >"$MESON_DIST_ROOT.files"
mv "$MESON_DIST_ROOT.files" MANIFEST
