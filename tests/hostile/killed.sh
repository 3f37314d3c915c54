#!/usr/bin/env bash
# The server is killed with SIGKILL under load and started again at once, by nobody but this script: the sockets go with it.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/hostile/ground.sh

micros() { echo "${EPOCHREALTIME/./}"; }
all_routes
serve
load_on calls "${right[@]}"
gap_us=0
kills=$(scaled 3 30)
for round in $(seq "$kills"); do
    began=$(micros)
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null || true
    start waypost "$waypost" serve --config "$work/waypost.yaml"
    pid=${peers[waypost]}
    await "it is ready again" 10 ready waypost
    gap_us=$((gap_us + $(micros) - began))
    sleep "$calm"
done
load_off calls
# Sent while nobody was there, and at each kill what lay in the queue or in the batch under way.
batch=$(sed -n 's/^pub const DATAGRAMS_PER_BATCH: usize = \([0-9]*\);/\1/p' src/limits.rs)
bound=$((gap_us * rate / 1000000 + kills * batch))
check "something was sent meanwhile" "$lost > 0"
row "$bound" "SIGKILL and start, $kills times, $((gap_us / kills / 1000)) ms each" \
    "what was sent while nobody was there, at most $bound: clients send again after 500 ms. With sockets of systemd: killed_activated"
