#!/usr/bin/env bash
# sipsak floods the server with OPTIONS, as fast as it can. Needs the Debian package sipsak.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/hostile/ground.sh

all_routes
serve
load_on calls "${right[@]}"
began=$(metric 'waypost_requests_total{method="OPTIONS",transport="udp"}')
timeout -k 2 "$(scaled 4 60)" sipsak -F -s "sip:$host:$sip" >"$work/logs/sipsak" 2>&1 </dev/null || true
flood=$(($(metric 'waypost_requests_total{method="OPTIONS",transport="udp"}') - began))
load_off calls
dropped=$(curl -fsS "http://127.0.0.1:$admin/metrics" | awk '/^waypost_socket_drops_total/ { n += $2 } END { print n + 0 }')
at_least "OPTIONS of the flood" "$flood" 1000
# The load is not hit harder than the flood; it comes in a rhythm of its own: 15 in a hundred more.
bound=$(awk -v sent="$sent" -v dropped="$dropped" -v flood="$flood" 'BEGIN { printf "%.0f", sent * (dropped / (dropped + flood) + 0.15) }')
row "$bound" "sipsak flood: $((flood / $(scaled 4 60))) OPTIONS a second" \
    "what the kernel drops of a full receive buffer, of load and flood alike ($dropped here, which \`waypost_socket_drops_total\` counts): more than the machine can take is refused by nobody but a firewall before it"
