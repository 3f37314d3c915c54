#!/usr/bin/env bash
# The DNS server is away for a while and answers may be used past their end: no call may be answered in
# another way than before, byte for byte of its status and Contacts.
#
#   tests/dns/outage.sh [SECONDS [NUMBERS [RATE]]]      60, 2000 and 2000 by default
#
# TTLs of 1 s, and a least life of 2 s in the cache: every answer ends while the server is away. All numbers are called all the time, by one run of the generator, from before the outage until after it.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/dns/ground.sh

away=${1:-60} numbers=${2:-2000} rate=${3:-2000}
least_s=${TTL_S_MIN:-2}
before=$((numbers / rate + 5)) after=10

enum_routes
make_zones "$numbers" 1
start_nsd
serve_dns waypost "$dns" "stale_s: 10800, ttl_s_min: $least_s"

seconds=$((before + away + after))
# Eight sockets: answers that waited for the dead server come in bursts.
calls outage --flows 8 --same --contact "<sip:4420{n}@enum.example.net>;q=0.99" --numbers "$numbers" --rate "$rate" \
    --calls $((rate * seconds)) --wait-ms 1000 --pid "$pid" &
generator=$!
SECONDS=0
sleep "$before"
answers_before=$(metric 'waypost_dns_answers_total{result="found",type="NAPTR"}')
stop nsd
echo "  NSD is away after $SECONDS s, $answers_before answers of it"
sleep "$away"
# Whether the outage was one: answers ended, and questions failed.
failed=$(curl -fsS "http://127.0.0.1:$admin/metrics" | awk '/^waypost_dns_answers_total/ && !/"(found|nxdomain|nodata)"/ { n += $2 } END { print n + 0 }')
start_nsd "$dns"
echo "  NSD is back after $SECONDS s; questions that failed in between: $failed"
wait "$generator" || true
answers_after=$(metric 'waypost_dns_answers_total{result="found",type="NAPTR"}')
curl -fsS "http://127.0.0.1:$admin/metrics" | grep -E '^waypost_dns_(cache|answers|questions|stale|prefetch)' | awk '$2 > 0 { print "  " $0 }'
echo "  $(reported outage sent) calls to $numbers numbers, $(reported outage answered) answered as before; latency p99 $(reported outage latency_us_p99) us, max $(reported outage latency_us_max) us"
check "every number was warm before" "$answers_before >= $numbers"
check "no call changed its answer" "$(reported outage wrong) == 0"
check "no call is lost" "$(reported outage unanswered) == 0 && $(reported outage sent) == $rate * $seconds"
check "answers ended during the outage" "$failed > 0"
[ "$missed" = 0 ] || { grep ^example "$work/outage.report" | cut -c 1-400; }
exit "$missed"
