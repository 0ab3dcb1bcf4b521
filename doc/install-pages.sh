#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# Installs the manual pages that are in DIRECTORY: DIRECTORY, DESTINATION under the
# prefix.
set -eu
from=$1 to=$MESON_INSTALL_DESTDIR_PREFIX/$2
mkdir -p "$to"
for page in "$from"/*; do
  install -m 644 "$page" "$to"
done
