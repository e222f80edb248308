# SPDX-License-Identifier: Apache-2.0
# Runs as root in a container with a systemd of its own: installs the units as an operator would, starts them, and
# leaves what it saw in /check/out.
set -u
exec >/check/out/log 2>&1
cd /check

# Seen over this machine's files: what an installation of its own keeps there is not what is tried here.
[ "$(systemd-detect-virt --container)" = systemd-nspawn ] || exit 1
rm -rf /var/lib/schoolpulse /etc/schoolpulse /etc/credstore

systemd-sysusers /check/systemd/sysusers.d/schoolpulse.conf
systemd-tmpfiles --create /check/systemd/tmpfiles.d/schoolpulse.conf
sysctl=$(command -v systemd-sysctl || echo /usr/lib/systemd/systemd-sysctl)
$sysctl /check/systemd/sysctl.d/schoolpulse.conf
cp systemd/*.service /run/systemd/system/
cp agent.toml collector.toml registry.toml broken.toml /etc/schoolpulse/
printf secret >/etc/credstore/school-agent.mqtt-password

# The same sandbox, another command: one round of every probe, and a configuration that does not hold.
variant() { # NAME ARGUMENTS
    sed -e "s|^ExecStart=.*|ExecStart=/opt/schoolpulse/bin/school-agent $2|" \
        systemd/school-agent.service >"/run/systemd/system/$1.service"
}
variant agent-once "once --json --config /etc/schoolpulse/agent.toml"
sed -i -e 's/^Type=.*/Type=oneshot/' -e 's/^Restart=.*/Restart=no/' \
    -e 's|^\[Service\]|[Service]\nStandardOutput=file:/run/once.json|' /run/systemd/system/agent-once.service
variant agent-broken "run --config /etc/schoolpulse/broken.toml"
systemctl daemon-reload

systemctl start school-collector school-agent agent-broken
systemctl start agent-once
cp /run/once.json out/once.json

tries=0
until [ -n "$(find /var/lib/schoolpulse/spool -type f 2>/dev/null)" ] &&
    [ -n "$(find /var/lib/schoolpulse/journal -type f 2>/dev/null)" ]; do
    tries=$((tries + 1))
    [ "$tries" -gt 100 ] && break
    sleep 0.1
done
for unit in school-agent school-collector agent-broken; do
    systemctl show -p ActiveState,ExecMainStatus,NRestarts,Result "$unit" >"out/$unit"
    journalctl --no-pager -o cat -u "$unit" >"out/$unit.log"
done
journalctl --no-pager -o cat -u agent-once >out/agent-once.log
stat -c '%U %a %n' /var/lib/schoolpulse /var/lib/schoolpulse/* >out/state
systemctl stop school-agent school-collector
for unit in school-agent school-collector; do
    systemctl show -p ActiveState,ExecMainStatus,Result "$unit" >"out/$unit.stopped"
done
touch out/done
