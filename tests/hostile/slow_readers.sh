#!/usr/bin/env bash
# Clients of TCP and TLS send requests as fast as they are taken, and read no answer.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/hostile/ground.sh
source tests/hostile/streams.sh

all_routes
serve_streams
count=$(scaled 40 400)
load_on calls "${right[@]}"
before_kib=$(rss_kib)
clients slow-read "$count" "$(scaled 13 120)"
await "they are connected" 30 grep -q ^connected "$work/clients.report"
answered_over_tcp || { echo "FAILED: no answer over TCP meanwhile" >&2; exit 1; }
most_kib=0
while running clients; do
    now_kib=$(rss_kib)
    ((now_kib <= most_kib)) || most_kib=$now_kib
    sleep 0.2
done
wait_clients
load_off calls
expect "clients connected" "$(reported clients connected)" "$count"
at_least "connections ended as slow readers" "$(metric 'waypost_connections_closed_total{reason="slow_reader"}')" "$count"
# Each may hold UNSENT_BYTES_MAX of answers, in memory that grows by doubling, as much in TLS records, and a message.
unsent_kib=$(($(sed -n 's/^pub const UNSENT_BYTES_MAX: usize = \([0-9]*\) \* 1024;/\1/p' src/limits.rs)))
check "memory of what was not read, KiB" "$most_kib - $before_kib < $count * 4 * $unsent_kib"
row 0 "$count slow readers, half of them over TLS (memory +$((most_kib - before_kib)) KiB)" \
    "0: with 64 KiB unsent no more requests of it are read; after 10 s without progress the connection ends"
