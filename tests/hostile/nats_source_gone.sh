#!/usr/bin/env bash
# The NATS server of the routes is killed, silent, and back with new routes. Needs nats-server (Debian) and a server
# with the feature nats: WAYPOST_NATS, or a debug build, as tests/fleet has it.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${WAYPOST_NATS:-}" ]; then
    cargo build --locked --quiet --features nats
    WAYPOST_NATS=target/debug/waypost
fi
WAYPOST=$WAYPOST_NATS RATE=${RATE:-200}
source tests/hostile/ground.sh
cp "$waypost" "$work/waypost" && waypost=$work/waypost

rmdir "$work/routes"
mkdir "$work/published"
make_certificates
free_port nats
cat >"$work/nats.conf" <<CONF
listen: "$host:$nats"
jetstream { store_dir: "$work/jetstream" }
tls { cert_file: "$work/tls/waypost.pem", key_file: "$work/tls/waypost.key" }
CONF
url="tls://$host:$nats/waypost/routes"
listens() { (exec 3<>"/dev/tcp/$host/$nats") 2>/dev/null; }
start_nats() { start nats "${NATS_SERVER:-/usr/sbin/nats-server}" -c "$work/nats.conf"; await "nats-server listens" 10 listens; }
publish() {
    echo "routes: [{name: serial-$1, answer: {code: 302, contact: \"sip:{user}@gateway.example.net\"}}]" >"$work/published/routes.yaml"
    "$waypost" publish "$work/published" --nats "$url" --ca "$work/tls/ca.pem" --serial "$1" >>"$work/logs/publish" 2>&1
}
serial_is() { [ "$(metric waypost_source_serial)" = "$1" ]; }

start_nats
publish 1
echo "source: {url: \"$url\", ca: $work/tls/ca.pem, every_s: 600}" >>"$work/waypost.more"
serve
load_on calls "${right[@]}"
serial_is 1 || { echo "FAILED: serial 1 is not in service" >&2; exit 1; }
stop nats KILL
sleep "$(scaled 2 30)"
start_nats
kill -STOP "${peers[nats]}"
sleep "$(scaled 1 30)"
kill -CONT "${peers[nats]}"
publish 2
await "it is back, and its routes are in service" 90 serial_is 2
load_off calls
row 0 "NATS source killed, back, silent, back with new routes (debug build)" "0: as with the HTTP source; the watch is made anew when the server is there again"
