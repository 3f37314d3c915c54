#!/usr/bin/env bash
# The proof that nothing in the server's life loses a request: each of three loads is sent while the server is
# reloaded, drained, or replaced by another process of its program, and every request must be answered, without being
# sent twice.
#
#   benches/lifecycle.sh [REQUESTS]      300000 by default
#
# 128 requests are under way at any time, each answer starts the next: as fast as the server is, and never more than its
# receive buffer holds, whatever else the machine does. One that is lost is seen as lost 10 s later.
#
#   reload        the routes change and are reloaded 20 times
#   drain         SIGTERM after a third of the load: the rest is answered while probes are told 503, as long as the
#                 lame-duck time lasts; then a second signal, exit code 0, and the next server takes the port
#   replacement   SIGUSR2, 5 times: the program is started again and takes the sockets over
#
# WAYPOST, LOAD  the server's program, the generator's (built here when not given). Ports of 127.0.0.1 are chosen.
set -euo pipefail
cd "$(dirname "$0")/.."

requests=${1:-300000}
under_way=128
reloads=20
replacements=5

if ! [[ $requests =~ ^[1-9][0-9]{0,7}$ ]]; then
    echo "lifecycle: $requests is not a number from 1 to 99999999" >&2
    exit 2
fi

source tests/figures.sh
LOAD=${LOAD:-$(program load)}
if [[ -z ${WAYPOST:-} ]]; then
    cargo build --release --quiet
    WAYPOST=target/release/waypost
fi

directory=$(mktemp -d)
server=
sender=
clean_up() {
    local pid
    for pid in $sender $server; do
        kill -KILL "$pid" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    rm -rf "$directory"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

fail() {
    echo "FAILED: $*" >&2
    tail -n 20 "$directory/log" >&2 || true
    exit 1
}

# routes NUMBER: one route, which answers all alike and is another one for each number.
mkdir "$directory/routes"
routes() {
    cat >"$directory/routes/.new" <<YAML
routes:
  - { name: not-called-$1, when: { user: "nobody-$1" }, answer: { code: 404 } }
  - { name: all, answer: { code: 302, contact: "sip:{user}@gateway.example.net" } }
YAML
    mv "$directory/routes/.new" "$directory/routes/all.yaml"
}
routes 0
# Longer than any load here: what ends it is the second signal.
echo 'stop: { lame_duck_s: 3600 }' >"$directory/waypost.yaml"

# eventually WHAT COMMAND…: within 60 s.
eventually() {
    local what=$1
    shift
    for _ in $(seq 1200); do
        "$@" && return
        sleep 0.05
    done
    fail "it never came: $what"
}

readyz() { [[ $(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$admin/readyz") == "$1" ]]; }
logged() { [[ $(grep -c "$1" "$directory/log" || true) -ge $2 ]]; }
gone() { ! kill -0 "$1" 2>/dev/null; }

# start: on the ports chosen before, or on others if there are none.
start() {
    : >"$directory/log"
    local try
    for try in 1 2 3 4 5; do
        if [[ -z ${chosen:-} ]]; then
            sip=$((20000 + RANDOM % 20000))
            admin=$((sip + 1))
        fi
        "$WAYPOST" serve --config "$directory/waypost.yaml" --routes "$directory/routes" \
            --listen "udp:127.0.0.1:$sip" --admin "127.0.0.1:$admin" 2>>"$directory/log" &
        server=$!
        for _ in $(seq 200); do
            if readyz 200; then
                chosen=yes
                return
            fi
            gone "$server" && break
            sleep 0.05
        done
    done
    fail "the server did not start"
}

# The load, in the background; its report goes to a file.
send() {
    "$LOAD" --to "127.0.0.1:$sip" --calls "$requests" --closed "$under_way" --flows 4 \
        --wait-ms 10000 --seconds 3600 --contact "<sip:+4420{n}@gateway.example.net>;q=0.99" >"$directory/report" 2>&1 &
    sender=$!
    # It is on its way when the first ones are counted.
    eventually "the first answers" begun "$(answered)"
}
metric() { curl -s "http://127.0.0.1:$admin/metrics" | awk -v name="$1" '$1 == name { print $2 }'; }
answered() { metric 'waypost_answers_total{code="302"}'; }
begun() { [[ $(answered) -gt $1 ]]; }
# await SHARE: until this process has answered so many more of the load. It may be over before: under_way sees that.
await() {
    local until=$(($(answered) + requests / $1))
    while kill -0 "$sender" 2>/dev/null && ! begun "$until"; do :; done
}

lost_in_all=0
# count WHAT: waits for the end of the load, and prints its line.
count() {
    local status=0 sent right wrong
    wait "$sender" || status=$?
    sender=
    value() { awk -v name="$1" '$1 == name { print $2 }' "$directory/report"; }
    sent=$(value sent) right=$(value answered) wrong=$(value wrong)
    [[ -n $sent ]] || { cat "$directory/report" >&2; fail "$1: there is no report"; }
    printf '%-34s sent %8d   answered %8d   lost %4d   wrong %4d   longest %8.3f ms\n' "$1" "$sent" "$right" \
        "$((sent - right - wrong))" "$wrong" "$(value latency_us_max | awk '{ print $1 / 1000 }')"
    lost_in_all=$((lost_in_all + sent - right))
    if [[ $status != 0 || $sent != "$requests" || $right != "$requests" ]]; then
        cat "$directory/report" >&2
        curl -s "http://127.0.0.1:$admin/metrics" | grep -E "^waypost_(socket|silences)" | grep -v " 0$" >&2 || true
        fail "$1: not every one of $requests requests was answered rightly"
    fi
}
# The load must not be over when what it was sent through is.
under_way() { kill -0 "$sender" 2>/dev/null || fail "$1 took longer than the load: more REQUESTS are needed"; }

start
send
for number in $(seq "$reloads"); do
    sleep 0.02
    routes "$number"
    curl -fsS -o "$directory/reload" -X POST "http://127.0.0.1:$admin/-/reload" || fail "reload $number"
    grep -q '"result": "\(loaded\|unchanged\)"' "$directory/reload" || fail "reload $number: $(cat "$directory/reload")"
done
under_way "$reloads reloads"
generation=$(metric waypost_table_generation)
[[ $generation -eq $((reloads + 1)) ]] || fail "generation $generation after $reloads reloads"
count "reload, $reloads times"

send
await 3
kill -TERM "$server"
eventually "503 for probes" readyz 503
under_way "SIGTERM"
count "drain"
kill -TERM "$server"
status=0
wait "$server" || status=$?
[[ $status == 0 ]] || fail "the drained server ended with $status"
start

first=$server
send
for number in $(seq "$replacements"); do
    await 100
    kill -USR2 "$server"
    eventually "replacement $number" logged "replaced by process" "$number"
    server=$(sed -n 's/.*replaced by process \([0-9]*\):.*/\1/p' "$directory/log" | tail -n 1)
done
under_way "$replacements replacements"
count "replacement, $replacements times"
status=0
wait "$first" || status=$?
[[ $status == 0 ]] || fail "the replaced server ended with $status"
echo "lost in all: $lost_in_all"
