#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# Installs the compiled modules: BUILD-DIRECTORY, DESTINATION under the prefix,
# and the modules' source names.
set -eu
from=$1 to=$MESON_INSTALL_DESTDIR_PREFIX/$2
shift 2
for source; do
  object=${source%.scm}.go
  mkdir -p "$to/$(dirname "$object")"
  install -m 644 "$from/$object" "$to/$object"
done
