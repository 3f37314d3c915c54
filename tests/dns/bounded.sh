#!/usr/bin/env bash
# The cache is bounded: numbers without end asked for, each once, and the memory of the server is flat from
# the moment when the cache is full.
#
#   tests/dns/bounded.sh [NUMBERS [GROWTH_KIB]]      10000000 and 8192 by default
#
# A wildcard answers them all. The cache is full after DNS_CACHE_ENTRIES_DEFAULT numbers; VmRSS is noted after
# twice as many, and at every tenth of the rest.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/dns/ground.sh

numbers=${1:-10000000} growth_max=${2:-8192}
entries_max=$(sed -n 's/^pub const DNS_CACHE_ENTRIES_DEFAULT: usize = \([0-9_]*\);/\1/p' src/limits.rs | tr -d _)
full=$((2 * entries_max))
((numbers > full)) || { echo "bounded: at least $full numbers fill the cache" >&2; exit 2; }

enum_routes
make_zones 0 86400
start_nsd
serve_dns waypost "$dns"

asked=0 fell_back=0 lost=0 seconds=0
ask() { # ask COUNT: so many more numbers.
    local skip=()
    ((asked == 0)) || skip=(--first "$asked")
    calls step --uri 'sip:+4421{n}@example.net' --distinct-call-ids --calls "$1" "${skip[@]}" --closed 128 \
        --expect 302 --contact '<sip:4421{n}@enum.example.net>;q=0.99' --pid "$pid" --wait-ms 2000 --seconds 3600 || true
    asked=$((asked + $1))
    fell_back=$((fell_back + $(reported step wrong)))
    lost=$((lost + $(reported step unanswered) - $(reported step wrong)))
    rss=$(reported step rss_kib)
    printf '  %10d numbers: VmRSS %7d KiB, cache %6d entries %9d bytes; %s numbers/s\n' "$asked" "$rss" \
        "$(metric waypost_dns_cache_entries)" "$(metric waypost_dns_cache_bytes)" "$(reported step answers_per_s)"
}

ask "$full"
first=$rss
entries=$(metric waypost_dns_cache_entries)
most=$first
rest=$((numbers - full))
for step in {1..10}; do
    ask $((rest * step / 10 - rest * (step - 1) / 10))
    ((rss <= most)) || most=$rss
done
echo "  $asked numbers asked, $fell_back answered by the fallback, $lost lost; growth after $full: $((most - first)) KiB"
check "the cache is full, and within its cap" "$entries <= $entries_max && $entries > 0.9 * $entries_max || $(metric waypost_dns_cache_bytes) > 0.9 * 64 * 1024 * 1024"
check "memory is flat" "$most - $first <= $growth_max"
check "no call is lost" "$lost == 0"
exit "$missed"
