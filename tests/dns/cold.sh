#!/usr/bin/env bash
# Cold lookups: numbers that nobody has asked for, each once, against a local NSD; none may be lost, none
# fall back.
#
#   tests/dns/cold.sh [RATE [SECONDS [counts]]]      5000 and 10 by default
#
# First at RATE, whatever comes back; then as many as go, with as many calls under way as the server lets
# wait. With `counts`, only the first, and the budget of the lookups is not judged: a machine that was busy
# elsewhere for 400 ms makes calls fall back.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/dns/ground.sh

rate=${1:-5000} seconds=${2:-10} judged=${3:-figures}
numbers=$((rate * seconds))
most=200000

enum_routes
make_zones "$numbers" 3600
start_nsd
serve_dns waypost "$dns"

enum_contact="<sip:4420{n}@enum.example.net>;q=0.99"

# found: ENUM answers among the calls, known by their Contact; a fallback is a wrong answer here.
run() { # run NAME OPTION...
    calls "$1" --distinct-call-ids --contact "$enum_contact" --pid "$pid" --wait-ms 1000 "${@:2}" || true
}

# Datagrams that found a socket full, of anybody on this machine: the generator's are as small as the
# system's default.
overflows() { awk '$1 == "Udp:" && $6 ~ /^[0-9]/ { print $6 }' /proc/net/snmp; }
overflows_before=$(overflows)

waits_before=$(metric waypost_dns_waits_total)
run open --flows 8 --calls "$numbers" --rate "$rate"
questions=$(metric waypost_dns_questions_total)
fell_back=$(reported open wrong)
lost=$(($(reported open unanswered) - fell_back))
printf '%s\n' "open loop, $rate/s for $seconds s: $(reported open sent) sent in $(reported open seconds) s, $(reported open answered) answered by ENUM, $fell_back otherwise, $lost lost" \
    "  latency p50 $(reported open latency_us_p50) us, p99 $(reported open latency_us_p99) us, max $(reported open latency_us_max) us; generator late by $(reported open sender_late_us_max) us" \
    "  Waypost: $(reported open cpu_s) s of processor time, $(reported open cpu_us_per_answer) us per answer; $(metric waypost_dns_gave_up_total'{reason="timeout"}') gave up; $(($(overflows) - overflows_before)) datagrams found a socket full"
check "all calls were sent" "$(reported open sent) == $numbers"
check "no call is lost" "$lost == 0"
check "each number was asked for" "$questions >= $numbers && $(metric waypost_dns_waits_total) - $waits_before == $numbers"
if [ "$judged" = figures ]; then
    check "no call falls back" "$fell_back == 0"
    # Wildcards: the zone need not have a record for each.
    for window in 64 512 2048; do
        run closed --uri 'sip:+4421{n}@example.net' --contact '<sip:4421{n}@enum.example.net>;q=0.99' \
            --first $((window * 1000000 / 64)) --flows 8 --calls "$most" --closed "$window" --seconds 10
        echo "closed loop, $window under way: $(reported closed answers_per_s) answered by ENUM/s, $(reported closed wrong) otherwise, $(($(reported closed unanswered) - $(reported closed wrong))) lost; p99 $(reported closed latency_us_p99) us; $(reported closed cpu_us_per_answer) us per answer"
    done
elif ((fell_back > 0)); then
    echo "  (figures.sh judges that $fell_back calls fell back)"
fi
[ "$missed" = 0 ] || cat "$work/open.report"
exit "$missed"
