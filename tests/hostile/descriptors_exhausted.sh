#!/usr/bin/env bash
# The server may open 256 files, and more connections than that come in and stay.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/hostile/ground.sh
source tests/hostile/streams.sh

files_max=256
no_more_files() { [ "$(files_open)" -ge $((files_max - 1)) ]; }
all_routes
wrapped prlimit --nofile=$files_max:$files_max
serve_streams
load_on calls "${right[@]}"
tls=0 # A handshake would wait for the server.
clients idle 1000 "$(scaled 4 60)"
await "they are connected" 30 grep -q ^connected "$work/clients.report"
await "the server has no file descriptor left" 10 no_more_files
most_files=$(files_open)
sleep "$calm"
wait_clients
await "there are descriptors again" 10 alive
eventually 10 answered_over_tcp || { echo "FAILED: no answer over TCP after they are gone" >&2; exit 1; }
reload_is unchanged "files can be opened again"
load_off calls
check "the limit was met" "$most_files >= $files_max - 1"
check "the server says that it cannot take them" "$(metric 'waypost_socket_errors_total{kind="accept"}') > 0"
row 0 "Descriptors exhausted: 1000 connections, $files_max files" \
    "0 over UDP, which needs no descriptor; who connects waits in the kernel until some are free (at the admin port, too: set connections.max below the limit)"
