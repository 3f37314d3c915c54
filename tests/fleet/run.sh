#!/usr/bin/env bash
# A fleet of three nodes, each in a network namespace of its own, and a publisher in a fourth: all come to
# the same serial; one is cut off, answers on, and catches up when it is back; calls come to each of them all the time, and
# none is lost. Once by HTTPS from nginx, once by NATS JetStream. Root only: it makes namespaces, and removes them at
# the end, however that comes. Needs the Debian packages iproute2, nginx-light and nats-server.
#
#   tests/fleet/run.sh [SECONDS [RATE [WAYS]]]   of calls to each node, by each way; 60, 500 and "web nats" by default
set -euo pipefail
cd "$(dirname "$0")/../.."
[ "$(id -u)" = 0 ] || { echo "tests/fleet/run.sh makes network namespaces: run it as root" >&2; exit 1; }

# Debug: what is counted here does not depend on the speed of the code, and the build is shared with cargo test.
if [ -z "${WAYPOST:-}" ]; then
    cargo build --locked --quiet --features nats
    WAYPOST=target/debug/waypost
fi
source tests/interop/peers.sh
source tests/figures.sh
cp "$waypost" "$work/waypost" && waypost=$work/waypost
load=${LOAD:-$(program load)}

seconds=${1:-60} rate=${2:-500}
hub=wp$$-hub
nodes=(a b c)
# In namespaces of our own: nobody else has it.
host=10.77.0.1

remove_namespaces() {
    local name
    for name in hub "${nodes[@]}"; do
        ip netns del "wp$$-$name" 2>/dev/null || true
    done
}
# What runs in them is ended first, by its process id.
finish_fleet() {
    local status=$? name
    for name in "${!peers[@]}"; do stop "$name"; done
    remove_namespaces
    # It asks for the status of what came before.
    set +e
    (exit "$status")
    finish
}
trap finish_fleet EXIT

in_node() { ip netns exec "wp$$-$1" "${@:2}"; }

make_network() {
    local name number=10
    ip netns add "$hub"
    ip -n "$hub" link set lo up
    ip -n "$hub" link add br0 type bridge
    ip -n "$hub" addr add "$host/24" dev br0
    ip -n "$hub" link set br0 up
    for name in "${nodes[@]}"; do
        number=$((number + 1))
        ip netns add "wp$$-$name"
        ip -n "wp$$-$name" link set lo up
        ip link add eth0 netns "wp$$-$name" type veth peer name "to-$name" netns "$hub"
        ip -n "$hub" link set "to-$name" master br0 up
        ip -n "wp$$-$name" addr add "10.77.0.$number/24" dev eth0
        ip -n "wp$$-$name" link set eth0 up
    done
}

# number NODE METRIC: 0 when it does not say.
number() {
    { in_node "$1" curl -fsS --max-time 2 http://127.0.0.1:9560/metrics 2>/dev/null || true; } |
        awk -v name="$2" '$1 == name { print $2; found = 1 } END { if (!found) print 0 }'
}

start_node() { # start_node WAY NODE
    local way=$1 name=$2
    mkdir -p "$work/$way/$name"
    {
        echo "listen: [\"udp:127.0.0.1:5060\"]"
        echo "admin: 127.0.0.1:9560"
        echo "key: 000102030405060708090a0b0c0d0e0f"
        echo "routes: $work/$way/$name/routes"
        echo "source: {signed_by: $work/publisher.pub.pem, ${source[$way]}}"
    } >"$work/$way/$name/waypost.yaml"
    start "$way-$name" ip netns exec "wp$$-$name" "$waypost" serve --config "$work/$way/$name/waypost.yaml"
    await "node $name is ready" 20 in_node "$name" curl -fsS -o /dev/null http://127.0.0.1:9560/readyz 2>/dev/null
}

# publish WAY SERIAL: routes that say their serial.
publish() {
    mkdir -p "$work/published"
    printf 'routes:\n  - name: all\n    answer: { code: 302, contact: "sip:{number}@serial-%s.example.net" }\n' "$2" >"$work/published/routes.yaml"
    local to
    case $1 in
        web) to=(--to "$work/www") ;;
        nats) to=(--nats "tls://$host:4222/waypost/routes" --ca "$work/tls/ca.pem") ;;
    esac
    in_node hub "$waypost" publish "$work/published" "${to[@]}" --serial "$2" --sign-key "$work/publisher.pem" \
        >"$work/logs/publish" 2>&1 || { echo "FAILED: serial $2 is not published" >&2; exit 1; }
}

micros() { echo "${EPOCHREALTIME/./}"; }

all_have() { # all_have SERIAL NODE...
    local name
    for name in "${@:2}"; do
        [ "$(number "$name" waypost_source_serial)" = "$1" ] || return 1
    done
}

# converge WHAT SERIAL SECONDS NODE...: waits, and says how long it took since $since.
converge() {
    await "$1" "$3" all_have "$2" "${@:4}"
    echo "  $1: $((($(micros) - since) / 1000)) ms"
}

# answers_with NODE SERIAL: a call to it is answered by the routes of that serial.
answers_with() {
    expect "node $1 sends a call to" "$(in_node "$1" "$waypost" ask sip:+441632960001@127.0.0.1 | awk '/q=/ { print $3 }')" \
        "sip:+441632960001@serial-$2.example.net"
}

# OpenSSL finds the signature of a manifest good.
openssl_agrees() {
    sed 's/^{"manifest":\(.*\),"signature":.*/\1/' "$1" | tr -d '\n' >"$work/signed"
    sed -n 's/.*"signature":"\([0-9a-f]*\)".*/\1/p' "$1" | sed 's/../\\x&/g' | xargs -0 printf '%b' | head -c 64 >"$work/signature"
    expect "OpenSSL says of the signature" "$(openssl pkeyutl -verify -rawin -pubin -inkey "$work/publisher.pub.pem" -sigfile "$work/signature" -in "$work/signed" 2>&1)" \
        "Signature Verified Successfully"
}

fleet() { # fleet WAY
    local way=$1 name
    printf '\n-- %s\n' "$way"
    publish "$way" 1
    for name in "${nodes[@]}"; do start_node "$way" "$name"; done
    for name in "${nodes[@]}"; do
        in_node "$name" "$load" --to 127.0.0.1:5060 --rate "$rate" --calls $((rate * seconds)) --expect 302 --wait-ms 2000 \
            >"$work/$way-$name.report" 2>&1 &
        peers[load-$way-$name]=$!
    done

    since=$(micros)
    publish "$way" 2
    converge "three nodes have serial 2" 2 30 a b c

    ip -n "$hub" link set to-c down
    echo "  node c is cut off"
    since=$(micros)
    publish "$way" 3
    converge "two nodes have serial 3" 3 30 a b
    since=$(micros)
    publish "$way" 4
    converge "two nodes have serial 4" 4 30 a b
    # A server of NATS gives it up after three pings.
    sleep 8
    [ "$way" = nats ] || await "node c misses its source" 30 missed_by_c
    expect "serial of node c" "$(number c waypost_source_serial)" 2
    answers_with c 2

    ip -n "$hub" link set to-c up
    echo "  node c is back"
    since=$(micros)
    converge "node c has caught up with serial 4" 4 90 c
    for name in "${nodes[@]}"; do answers_with "$name" 4; done
    same_table

    for name in "${nodes[@]}"; do
        running "load-$way-$name" || { echo "FAILED: the calls to node $name ended before the end: give it more SECONDS" >&2; exit 1; }
    done
    for name in "${nodes[@]}"; do
        wait "${peers[load-$way-$name]}" || true
        unset "peers[load-$way-$name]"
        all_right "$way-$name"
        expect "calls to node $name, each answered as it must be" "$(reported "$way-$name" answered)" $((rate * seconds))
        expect "reloads that failed at node $name" "$(number "$name" 'waypost_reloads_total{result="failed"}')" 0
    done

    if [ "$way" = web ]; then openssl_agrees "$work/www/manifest.json"; fi

    # A node that starts while there is no source.
    stop "$way"
    stop "$way-b"
    start_node "$way" b
    answers_with b 4
    for name in "${nodes[@]}"; do stop "$way-$name"; done
}

missed_by_c() { [ "$(number c 'waypost_source_fetches_total{result="unreachable"}')" -gt 0 ]; }

listens() { in_node hub bash -c "exec 3<>/dev/tcp/$host/$1" 2>/dev/null; } # listens PORT

same_table() {
    local name hashes
    hashes=$(for name in "${nodes[@]}"; do in_node "$name" curl -fsS http://127.0.0.1:9560/metrics | grep ^waypost_table_info; done | sort -u | wc -l)
    expect "tables in service, told apart by their hash" "$hashes" 1
}

openssl genpkey -algorithm ed25519 -out "$work/publisher.pem"
openssl pkey -in "$work/publisher.pem" -pubout -out "$work/publisher.pub.pem"
make_certificates
make_network
declare -A source=(
    [web]="url: \"https://$host:8443/manifest.json\", every_s: 1, ca: $work/tls/ca.pem"
    [nats]="url: \"tls://$host:4222/waypost/routes\", ca: $work/tls/ca.pem, every_s: 600"
)

serve_web() {
    mkdir -p "$work/www"
    cat >"$work/nginx.conf" <<CONF
daemon off;
user root;
worker_processes 1;
pid $work/nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    server {
        listen $host:8443 ssl;
        ssl_certificate $work/tls/waypost.pem;
        ssl_certificate_key $work/tls/waypost.key;
        root $work/www;
    }
}
CONF
    start web ip netns exec "$hub" "${NGINX:-/usr/sbin/nginx}" -e stderr -c "$work/nginx.conf"
    await "nginx listens" 10 listens 8443
}

serve_nats() {
    # Pings tell the server of peers that are gone.
    cat >"$work/nats.conf" <<CONF
listen: "$host:4222"
jetstream { store_dir: "$work/jetstream" }
ping_interval: "2s"
tls { cert_file: "$work/tls/waypost.pem", key_file: "$work/tls/waypost.key" }
CONF
    start nats ip netns exec "$hub" "${NATS_SERVER:-/usr/sbin/nats-server}" -c "$work/nats.conf"
    await "nats-server listens" 10 listens 4222
}

for way in ${3:-web nats}; do
    "serve_$way"
    fleet "$way"
done
