#!/usr/bin/env bash
# svmap of SIPVicious looks for servers: where everybody may ask, it finds one without a name or version; where access
# lists keep strangers out, nothing at all. Needs the Debian package sipvicious.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/hostile/ground.sh
source tests/hostile/sipvicious.sh

methods=(OPTIONS INVITE REGISTER)
scan() { # scan NAME: with all methods at once.
    local method pids=()
    for method in "${methods[@]}"; do
        vicious "$1-$method" svmap -P "$(a_port)" -x 127.0.0.1 -p "$strangers" -m "$method" "$host" &
        pids+=($!)
    done
    wait "${pids[@]}"
}
found() { grep -c "$host:$strangers" "$work/logs/$1" || true; }

all_routes
serve_strangers
load_on open "${right[@]}"
scan open
for method in "${methods[@]}"; do
    expect "open to all: servers found by $method" "$(found "open-$method")" 1
    expect "what it learns of the program by $method" "$(awk -F'|' -v server="$host:$strangers" '$2 ~ server { gsub(/ /, "", $3); print $3 }' "$work/logs/open-$method")" unknown
done
load_off open
open_sent=$sent open_lost=$lost
stop waypost
strangers_are silence
serve_strangers
load_on closed "${right[@]}"
scan closed
for method in "${methods[@]}"; do
    expect "strangers are passed over: servers found by $method" "$(found "closed-$method")" 0
done
load_off closed
at_least "messages passed over" "$(metric 'waypost_access_messages_total{list="unknown"}')" 3
sent=$((sent + open_sent)) lost=$((lost + open_lost))
row 0 "svmap (OPTIONS, INVITE, REGISTER)" \
    "0: with policy \`answer\` it learns that there is a SIP server, and neither name nor version (no Server header unless \`server\` sets one); with \`silence\`, nothing"
