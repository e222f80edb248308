#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs once beside InfluxDB 2: maps the database name of InfluxQL to the bucket, and makes one token that may only
# write (for the collector) and one that may only read (for Grafana). Doing it again changes nothing.
set -eu

: "${INFLUX_HOST:=http://influxdb:8086}" "${INFLUX_ORG:=schoolpulse}" "${INFLUX_BUCKET:=schoolpulse}"
: "${ADMIN_TOKEN_FILE:=/run/secrets/influxdb-admin-token}" "${TOKENS:=/run/tokens}"
INFLUX_TOKEN=$(cat "$ADMIN_TOKEN_FILE")
export INFLUX_HOST INFLUX_ORG INFLUX_TOKEN

bucket=$(influx bucket list --name "$INFLUX_BUCKET" --hide-headers | cut -f 1)
[ -n "$bucket" ] || {
    echo "setup: there is no bucket $INFLUX_BUCKET" >&2
    exit 1
}

influx v1 dbrp list --db "$INFLUX_BUCKET" --hide-headers | grep -q "$bucket" ||
    influx v1 dbrp create --db "$INFLUX_BUCKET" --rp autogen --default --bucket-id "$bucket" >/dev/null

make_token() { # FOR RIGHT
    file=$TOKENS/$1/token
    [ -s "$file" ] && return
    made=$(influx auth create --description "$1" "--$2-bucket" "$bucket" --json |
        sed -n 's/^[[:space:]]*"token": "\([^"]*\)".*/\1/p')
    [ -n "$made" ] || {
        echo "setup: InfluxDB gave no token for $1" >&2
        exit 1
    }
    # Readable by all inside the one container that mounts it; their users differ.
    printf '%s' "$made" >"$file.new"
    chmod 0444 "$file.new"
    mv "$file.new" "$file"
}

make_token collector write
make_token grafana read
echo "setup: bucket, mapping and tokens are there"
