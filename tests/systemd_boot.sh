#!/bin/sh
# The daemon under a booted systemd: start, a dump to its notice, reload good and bad, kill -9, watchdog, stop in mid-run, the batch and
# prune units, two mailers' groups. Needs root, debootstrap and systemd-container (Debian); leaves nothing but the root directory.
#
#   tests/systemd_boot.sh PROGRAM [ROOT]      PROGRAM: target/release/dijkwacht; ROOT: made by debootstrap where it is missing
set -eu
program=$1 root=${2:-/var/tmp/dijkwacht-boot} here=$(cd "$(dirname "$0")/.." && pwd)

[ -x "$root/usr/lib/systemd/systemd" ] ||
    debootstrap --variant=minbase --include=systemd,dbus,curl bookworm "$root" >&2

rm -rf "$root/var/spool/dijkwacht" "$root/var/lib/dijkwacht" "$root/etc/dijkwacht" "$root"/var/log/journal/*
rm -f "$root/etc/systemd/system/"dijkwacht* "$root/root/probe.out"
install -m 0755 "$program" "$root/usr/bin/dijkwacht"
install -m 0644 "$here"/systemd/*.service "$here"/systemd/*.timer "$here"/systemd/*.socket "$root/etc/systemd/system/"
mkdir -p "$root/usr/lib/sysusers.d" "$root/usr/lib/tmpfiles.d" "$root/etc/dijkwacht" "$root/etc/systemd/system/multi-user.target.wants"
install -m 0644 "$here/systemd/dijkwacht.sysusers" "$root/usr/lib/sysusers.d/dijkwacht.conf"
install -m 0644 "$here/systemd/dijkwacht.tmpfiles" "$root/usr/lib/tmpfiles.d/dijkwacht.conf"
install -m 0644 "$here/fixtures/register/curated.csv" "$root/etc/dijkwacht/register.csv"
install -m 0644 "$here/fixtures/dumps/telnet-zmap.csv" "$root/root/telnet-zmap.csv"
cat > "$root/etc/dijkwacht/dijkwacht.toml" <<'TOML'
[register]
sources = ["/etc/dijkwacht/register.csv"]
[inbox]
path = "/var/spool/dijkwacht/inbox"
[spool]
path = "/var/spool/dijkwacht/spool"
[metrics]
listen = "127.0.0.1:9858"
[feeds.zmap]
identifier = "open-telnet"
TOML
cat > "$root/etc/systemd/system/probe.service" <<'UNIT'
[Unit]
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/sh /root/probe.sh
[Install]
WantedBy=multi-user.target
UNIT
ln -sf ../probe.service "$root/etc/systemd/system/multi-user.target.wants/probe.service"
cat > "$root/root/probe.sh" <<'PROBE'
exec > /root/probe.out 2>&1
spool=/var/spool/dijkwacht
failed=0
check() { what=$1; shift; if "$@"; then echo "ok      $what"; else echo "FAILED  $what"; failed=1; fi; }
is() { [ "$(systemctl show dijkwacht -p "$1" --value)" = "$2" ]; }
says() { systemctl show dijkwacht -p StatusText --value | grep -q "$1"; }
until_true() { for i in $(seq 300); do "$@" && return; sleep 0.1; done; return 1; }
within() { most=$1; shift; from=$(date +%s%N); "$@"; code=$?; took=$((($(date +%s%N) - from) / 1000000)); echo "        $* took $took ms"; [ $code -eq 0 ] && [ $took -le "$most" ]; }
bring() { sed "s/,23,/,$2,/" /root/telnet-zmap.csv > $spool/inbox/zmap/.$1; mv $spool/inbox/zmap/.$1 $spool/inbox/zmap/$1; }
arrived() { bring "$1" "$2"; until_true test -e "$spool/done/zmap/$1"; }
runs() { ls $spool/spool/new | wc -l; }

systemctl --version | head -1
systemd-analyze security dijkwacht.service | tail -1
check "starts within 2 s" within 2000 systemctl start dijkwacht
check "Type=notify, active, running" is SubState running
check "its status is told" until_true says "idle; index"
check "a dump becomes notices" within 1000 arrived first.csv 23
check "the notice is its mailers' group's" test "$(stat -c '%a %U %G' $spool/spool/new/*/ncsc/town.jsonl)" = "640 dijkwacht dijkwacht-mailers"
check "a good reload" systemctl reload dijkwacht
check "and it is active" is ActiveState active
echo 'x = 1' >> /etc/dijkwacht/dijkwacht.toml
check "a bad reload is refused to whoever asks" sh -c '! systemctl reload dijkwacht'
sed -i '$d' /etc/dijkwacht/dijkwacht.toml
check "and the daemon goes on" arrived second.csv 24
for path in readyz metrics status.json; do check "/$path answers on the socket" curl -sf -o /dev/null http://127.0.0.1:9858/$path; done
check "dijkwacht status answers" sh -c 'dijkwacht status | grep -q "2 published"'
check "the daemon itself has no network" sh -c '[ "$(ls -l /proc/$(systemctl show dijkwacht -p MainPID --value)/ns/net | sed s/.*net://)" != "$(ls -l /proc/self/ns/net | sed s/.*net://)" ]'

kill -9 "$(systemctl show dijkwacht -p MainPID --value)"
check "after kill -9 it is started again" until_true is NRestarts 1
check "and works" arrived third.csv 25
mkdir -p /run/systemd/system/dijkwacht.service.d
printf '[Service]\nWatchdogSec=3\nTimeoutAbortSec=2\n' > /run/systemd/system/dijkwacht.service.d/short.conf
systemctl daemon-reload; systemctl restart dijkwacht
sleep 10
check "an idle daemon feeds a watchdog of 3 s" is NRestarts 0
kill -STOP "$(systemctl show dijkwacht -p MainPID --value)"
check "one that is stopped is killed by it, and started again" until_true is NRestarts 1
check "and works" arrived fourth.csv 26
rm /run/systemd/system/dijkwacht.service.d/short.conf; systemctl daemon-reload; systemctl restart dijkwacht

check "systemctl stop ends it within 10 s" within 10000 systemctl stop dijkwacht
check "well" is Result success
systemctl start dijkwacht
before=$(runs)
flock $spool/spool/lock sleep 20 & sleep 0.2
bring fifth.csv 27
check "a run is under way" until_true says "zmap:"
check "systemctl stop in mid-run ends it within 10 s" within 10500 systemctl stop dijkwacht
check "well" is Result success
check "nothing half is published" test "$(runs)" = "$before"
wait
systemctl start dijkwacht
check "and the next start does it again" until_true test -e $spool/done/zmap/fifth.csv
check "once" test "$(runs)" = $((before + 1))

# The nightly batch and the prune.
install -d -o dijkwacht -g dijkwacht-inbox -m 2770 $spool/nightly/zmap
sed "s/,23,/,28,/" /root/telnet-zmap.csv > $spool/nightly/zmap/night.csv
check "the batch unit publishes" systemctl start dijkwacht-match@zmap.service
check "and tells node_exporter" grep -q 'dijkwacht_batch_exit_code{batch="dijkwacht-zmap"} 0' /var/lib/dijkwacht/metrics/dijkwacht-zmap.prom
check "the prune unit runs" systemctl start dijkwacht-prune.service
check "the timers are read" systemctl start dijkwacht-match@zmap.timer dijkwacht-prune.timer
check "the journal has fields" sh -c 'journalctl -u dijkwacht -o json | grep -q "\"DIJKWACHT_FEED\":\"zmap\""'
check "no core was dumped, no sandbox refused anything" sh -c '! journalctl -b --no-pager | grep -iE "core dump|SECCOMP|code=dumped|Permission denied|Operation not permitted" | grep -i dijkwacht | grep -v loopback'
[ $failed -eq 0 ] && echo "all well" || { echo "NOT WELL"; journalctl -u 'dijkwacht*' --no-pager | tail -80; }
systemctl poweroff
PROBE
timeout 300 systemd-nspawn -q -D "$root" --register=no --keep-unit --console=pipe -b > "$root.log" 2>&1 < /dev/null || true
cat "$root/root/probe.out"
grep -q "^all well" "$root/root/probe.out"
