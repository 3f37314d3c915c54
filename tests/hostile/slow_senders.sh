#!/usr/bin/env bash
# Clients of TCP and TLS send their requests a byte at a time, five bytes a second.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/hostile/ground.sh
source tests/hostile/streams.sh

no_streams() { [ "$(curl -fsS "http://127.0.0.1:$admin/metrics" | awk '/^waypost_connections\{/ { n += $2 } END { print n + 0 }')" = 0 ]; }

all_routes
serve_streams
count=$(scaled 400 1000) # Of one source there may be 1024.
load_on calls "${right[@]}"
clients slow-send "$count" "$(scaled 12 120)"
await "they are connected" 30 grep -q ^connected "$work/clients.report"
answered_over_tcp || { echo "FAILED: no answer over TCP meanwhile" >&2; exit 1; }
most_files=$(files_open)
wait_clients
await "the server has ended them" 5 no_streams
load_off calls
expect "clients connected" "$(reported clients connected)" "$count"
at_least "connections ended as slow senders" "$(metric 'waypost_connections_closed_total{reason="slow_sender"}')" "$count"
row 0 "$count slow senders, half of them over TLS ($most_files files open)" "0: a message has 10 s from its first byte to its last, then the connection ends"
