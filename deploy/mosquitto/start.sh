#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs mosquitto, and lets it read its files again (SIGHUP) when the certificate or the revocation list is another one.
set -eu
[ "$(id -u)" != 0 ] || chown mosquitto /var/lib/mosquitto/
state() { cd /etc/mosquitto/schoolpulse && cat broker.crt crl.pem | cksum; }
read_by_the_broker=$(state)
mosquitto -c /mosquitto/config/mosquitto.conf &
broker=$!
trap 'kill -TERM "$broker"; wait "$broker"; exit' TERM INT
while kill -0 "$broker" 2>/dev/null; do
    sleep 5 &
    wait $! || true
    now=$(state)
    if [ "$now" != "$read_by_the_broker" ]; then
        read_by_the_broker=$now
        kill -HUP "$broker" || true
    fi
done
wait "$broker"
