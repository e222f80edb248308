#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Unpacks Debian packages that exclude one of debian.txt into build/parts/, where tests/setup/parts.py finds them.
set -eu

for package in apcupsd; do
    into=build/parts/$package
    [ ! -d "$into" ] || continue
    command -v apt-get >/dev/null || { echo "NOT TESTED without Debian: $package" >&2; continue; }
    fresh=$(mktemp -d)
    chmod 755 "$fresh"
    echo "packages: unpacking $package"
    (cd "$fresh" && { apt-get download -q "$package" || { apt-get update -q && apt-get download -q "$package"; }; }) \
        >"$fresh/log" 2>&1 || { tail -n 5 "$fresh/log" >&2; rm -rf "$fresh"; [ -z "${CI:-}" ] || exit 1; continue; }
    mkdir -p "${into%/*}"
    dpkg -x "$fresh"/*.deb "$fresh/tree"
    mv "$fresh/tree" "$into"
    rm -rf "$fresh"
done
