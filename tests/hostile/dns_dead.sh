#!/usr/bin/env bash
# All DNS servers are dead while half of the calls need them: one swallows every question, nobody listens at the other.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/hostile/ground.sh
source tests/hostile/dns.sh

liar silent
silent=$dns
free_port dns
dns_routes "$host:$silent" "$host:$dns"
serve
load_on plain --uri 'sip:+4430{n}@example.net' --contact '<sip:+4430{n}@gateway.example.net>;q=0.99'
RATE_OF_ENUM=$((rate / 4))
load_on enum --rate "$RATE_OF_ENUM" --contact '<sip:+4420{n}@gateway.example.net>;q=0.99'
sleep "$(scaled 2 60)"
load_off plain
plain_sent=$sent plain_held=$held plain_lost=$lost
load_off enum
asked=$(metric waypost_dns_waits_total)
check "calls waited for DNS" "$asked > 0"
sent=$((sent + plain_sent)) lost=$((lost + plain_lost)) held=$((held + plain_held))
row 0 "All DNS servers dead: one silent, one not there; a fifth of the calls needs them" \
    "0: a call waits 400 ms for DNS at most, then the next route answers it; calls that need no DNS do not wait"
