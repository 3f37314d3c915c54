# Sourced by beside.sh and profile.sh: Waypost with each of the routes, and the echo. $rows is the number of prefixes.

source tests/figures.sh
LOAD=${LOAD:-$(built load)} MISBEHAVE=${MISBEHAVE:-$(built misbehave)}
echo_server=${ECHO:-$(built echo)} tabledata=${TABLEDATA:-$(built tabledata)}
if [ -x "${NSD:-/usr/sbin/nsd}" ]; then
    source tests/dns/ground.sh
else
    source tests/interop/peers.sh
fi
source benches/beside/places.sh

# By the name of a server: its process, its port, and the options of the generator that say which answers are right.
names=() left_out=()
declare -A pids ports right

leave_out() { left_out+=("$1: $2"); echo "left out: $1: $2" >&2; }

contacts() { echo "<sip:$1@$2.example.net>;q=0.99, <sip:$1@gw-9002.example.net>;q=0.98, <sip:$1@gw-9003.example.net>;q=0.97"; }
static_contacts=$(contacts +441632960123 gw-9001)

# take NAME PORT: from now on it is one of the servers.
take() {
    names+=("$1")
    pids[$1]=${peers[$1]}
    ports[$1]=$2
}

# start_one NAME ROUTES [LINE]: Waypost with these routes, and this line in its configuration.
start_one() {
    free_port sip admin
    printf '%s\n' "admin: 127.0.0.1:$admin" "routes: $2" "listen: [\"udp:$host:$sip\"]" "log: { level: warn }" \
        "key: 000102030405060708090a0b0c0d0e0f" "${3:-}" >"$work/$1.yaml"
    start "$1" "${server_core[@]}" "$waypost" serve --config "$work/$1.yaml"
    await "$1 is ready" 60 ready "$1"
    take "$1" "$sip"
}

# start_waypost_static [LINE]: with this line in its configuration.
start_waypost_static() {
    mkdir -p "$work/static"
    cp benches/beside/routes/static.yaml "$work/static/"
    start_one waypost "$work/static" "${1:-}"
    right[waypost]="--contacts|$static_contacts"
}

# Gateways have names of one length, and numbers that of the requests', so that all answers are as long.
start_waypost_prefix() {
    mkdir "$work/prefix"
    cp benches/beside/routes/prefix.yaml "$work/prefix/"
    local gateways='function gateway(name) { return sprintf("gw-%04d", substr(name, 4)) }'
    "$tabledata" prefixes --rows "$rows" | awk -F, "$gateways"' NR > 1 { print $1 "," gateway($2) }' >"$work/prefix/prefixes.csv"
    "$tabledata" calls --of "$rows" --rows 500000 --table prefixes |
        awk -F, "$gateways"' length($1) == 13 && $2 != "" { print $1 "," gateway($2) }' >"$work/prefix.calls"
    start_one waypost_prefix "$work/prefix"
    right[waypost_prefix]="--calls-from|$work/prefix.calls|--contacts|$(contacts '{n}' '{v}')"
}

start_waypost_enum() {
    [ -n "${nsd:-}" ] || { leave_out waypost_enum "no nsd: apt-get install nsd"; return; }
    mkdir -p "$work/enum" "$work/zones"
    cp benches/beside/routes/enum.yaml "$work/enum/"
    awk -v numbers=1000 -f benches/beside/zone.awk >"$work/zones/e164.example.net.zone" 2>"$work/enum.calls"
    start_nsd
    start_one waypost_enum "$work/enum" "dns: { servers: [\"$host:$dns\"] }"
    right[waypost_enum]="--calls-from|$work/enum.calls|--contacts|$(contacts '{n}' gw-9001)"
}

# start_echo NAME MODE BYTES
start_echo() {
    free_port sip
    start "$1" "${server_core[@]}" "$echo_server" --listen "$host:$sip" --mode "$2" --answer-bytes "$3"
    await "$1 listens" 5 anybody_has "$sip"
    take "$1" "$sip"
    right[$1]="--echo|$3"
}
