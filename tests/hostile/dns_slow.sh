#!/usr/bin/env bash
# DNS servers that answer rightly and late: one in time for the call, one after it must be answered.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/hostile/ground.sh
source tests/hostile/dns.sh

liar late:100
slow=$dns
liar late:2000
all_routes "{ name: slow, when: { number: \"+4420*\" }, enum: { apexes: [{ apex: slow.example.net, servers: [\"$host:$slow\"] }], services: [sip] } }" \
    "{ name: slower, when: { number: \"+4421*\" }, enum: { apexes: [{ apex: slower.example.net, servers: [\"$host:$dns\"] }], services: [sip] } }"
serve
# In time: what DNS says. Too late: the next route.
load_on slow --rate $((rate / 4)) --contact '<sip:misbehave@dns.example.net>;q=0.99'
load_on slower --rate $((rate / 4)) --uri 'sip:+4421{n}@example.net' --contact '<sip:+4421{n}@gateway.example.net>;q=0.99'
sleep "$(scaled 2 60)"
load_off slow
slow_sent=$sent slow_held=$held slow_lost=$lost
load_off slower
sent=$((sent + slow_sent)) lost=$((lost + slow_lost)) held=$((held + slow_held))
row 0 "DNS servers slow: answers after 100 ms, and after 2 s; every call needs them" \
    "0: what comes in time is used; at 400 ms the next route answers, and the late answer serves the next call"
