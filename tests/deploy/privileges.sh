#!/usr/bin/env bash
# Ports below 1024 for a user who is nobody: privileges.sh WAYPOST. By one capability, which the program that replaces the
# server keeps; without it, refused. In a network of its own, where the kernel has its own bound for such ports. Root
# only, to become somebody else. (Sockets that systemd binds: tests/serve/handed_down.rs.)
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/deploy/common.sh

if [ "${2:-}" != inside ]; then
    exec unshare --net "$0" "$(realpath "$1")" inside
fi
ip link set lo up
echo 1024 >/proc/sys/net/ipv4/ip_unprivileged_port_start
work=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

# Where anybody may read it.
install -d -m 755 "$work" "$work/bin" "$work/etc" "$work/etc/routes"
install -m 755 "$1" "$work/bin/waypost"
echo 'routes: [{name: all, answer: 404}]' >"$work/etc/routes/10-routes.yaml"
cat >"$work/etc/waypost.yaml" <<YAML
listen: ["udp:127.0.0.1:506", "tcp:127.0.0.1:506"]
routes: $work/etc/routes
key: 000102030405060708090a0b0c0d0e0f
stop: {lame_duck_s: 0}
sandbox: required
YAML
uid=65534
# nobody CAPABILITIES: sets $nobody to what runs a command as nobody with these alone.
nobody() { nobody=(setpriv --reuid=$uid --regid=$uid --clear-groups --bounding-set="-all$1" --inh-caps="-all$1" --ambient-caps="-all$1"); }
serve=("$work/bin/waypost" serve --config "$work/etc/waypost.yaml")
value() { awk -v name="$1:" '$1 == name { print $2 }' "/proc/$2/status"; }
ask() { exit_status "$work/bin/waypost" ask --timeout 5s sip:+12025550123@127.0.0.1:506; }
ready() { kill -0 "$server" 2>/dev/null || fail "it ended: $(cat "$work/log")"; curl -fs -o /dev/null http://127.0.0.1:9560/readyz; }

nobody ""
exit_status "${nobody[@]}" "${serve[@]}"
expect "without a capability: exit status" "$status" 1
grep -q 'CAP_NET_BIND_SERVICE' <<<"$said" || fail "it says what is missing: $said"
ok "it says what is missing: CAP_NET_BIND_SERVICE"

nobody ,+net_bind_service
"${nobody[@]}" "${serve[@]}" 2>"$work/log" &
server=$!
await "with CAP_NET_BIND_SERVICE it serves port 506" 20 ready
expect "its user" "$(value Uid "$server")" "$uid"
expect "its capabilities" "$(value CapEff "$server") $(value CapBnd "$server")" "0000000000000400 0000000000000400"
expect "no new privileges; its filter" "$(value NoNewPrivs "$server") $(value Seccomp "$server")" "1 2"
expect "a warning of root" "$(grep -c 'running as root' "$work/log" || true)" 0
ask
expect "a call" "$status $(grep -o '^404' <<<"$said")" "5 404"

kill -USR2 "$server"
wait "$server" || fail "replaced, the first one ended with $?"
server=$(sed -n 's/.*replaced by process \([0-9]*\).*/\1/p' "$work/log")
expect "replaced, it has the same" "$(value CapEff "$server") $(value NoNewPrivs "$server") $(value Seccomp "$server")" "0000000000000400 1 2"
ask
expect "a call" "$status $(grep -o '^404' <<<"$said")" "5 404"
kill "$server"

"${serve[@]}" 2>"$work/log" &
server=$!
await "as root it serves, too" 20 ready
expect "and says that this should not be" "$(grep -c 'running as root, which nothing here needs' "$work/log")" 1
