#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages of debian.txt that are missing, without starting or enabling any of their services.
set -eu

list=$(dirname "$0")/debian.txt
policy=/usr/sbin/policy-rc.d

is_installed() {
    case $(dpkg-query -W -f '${Status}' "$1" 2>/dev/null) in
    *" installed") return 0 ;;
    esac
    # Any package of nginx will do: they exclude one another.
    [ "$1" = nginx-light ] && command -v /usr/sbin/nginx >/dev/null
}

give_up() {
    echo "**********************************************************************************" >&2
    echo "** $1" >&2
    echo "** NOT TESTED without them: real brokers, databases, pages in a browser, units." >&2
    echo "** Install them and run again:  apt-get install --no-install-recommends $missing" >&2
    echo "**********************************************************************************" >&2
    # In CI a part that cannot be tested is a failure; elsewhere the rest is still worth running.
    [ -n "${CI:-}" ] && exit 1
    exit 0
}

missing=
for package in $(grep -v '^#' "$list"); do
    is_installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
missing=${missing# }

command -v apt-get >/dev/null || give_up "This is not Debian; the tests want: $missing"
if [ "$(id -u)" = 0 ]; then
    as_root=
elif sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    give_up "No root and no password-less sudo; these Debian packages are missing: $missing"
fi

if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root sh -c "cat >$policy && chmod 755 $policy"
    trap '$as_root rm -f "$policy"' EXIT INT TERM
fi

echo "packages: installing $missing"
log=$(mktemp)
# shellcheck disable=SC2086  # words are meant to be split
{
    $as_root apt-get update -q && $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends $missing
} >"$log" 2>&1 </dev/null || {
    tail -n 30 "$log" >&2
    give_up "apt-get could not install: $missing"
}
rm -f "$log"

if command -v systemctl >/dev/null; then
    for service in mosquitto influxdb nginx victoria-metrics; do
        case " $missing " in
        *" $service"*) $as_root systemctl disable --quiet "$service" >/dev/null 2>&1 || true ;;
        esac
    done
fi
