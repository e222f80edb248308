#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Unpacks into build/parts/, where tests/setup/parts.py finds them: Debian packages that exclude one of debian.txt, and a
# package of npm.
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

# M-Lab's own NDT7 client for browsers. npm is not installed for its sake: Debian's takes hundreds of packages.
into=build/parts/ndt7-js
if [ ! -d "$into" ]; then
    command -v npm >/dev/null || { echo "NOT TESTED without npm: M-Lab's NDT7 client in a browser" >&2; exit 0; }
    fresh=$(mktemp -d)
    echo "packages: unpacking @m-lab/ndt7"
    (cd "$fresh" && npm pack --silent @m-lab/ndt7@0.1.4 && tar -xzf ./*.tgz) >"$fresh/log" 2>&1 || {
        tail -n 5 "$fresh/log" >&2
        rm -rf "$fresh"
        [ -z "${CI:-}" ] || exit 1
        exit 0
    }
    mkdir -p "${into%/*}"
    mv "$fresh/package" "$into"
    rm -rf "$fresh"
fi
