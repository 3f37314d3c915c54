#!/usr/bin/env bash
# The server is killed with SIGKILL under load, and whoever has its socket starts it again: activate.py, which does what
# systemd does with deploy/waypost.socket (systemd-socket-activate becomes the server and keeps no socket).
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/hostile/ground.sh

all_routes
free_port sip admin
cat >"$work/waypost.yaml" <<YAML
admin: 127.0.0.1:$admin
routes: $work/routes
stop: {lame_duck_s: 0}
listen: ["udp:$host:$sip"]
YAML
start waypost python3 tests/hostile/activate.py "$host" "$sip" 4194304 "$work/pids" "$(realpath "$waypost")" serve --config "$work/waypost.yaml"
await "it is ready" 10 ready waypost
wait_ms=5000
load_on calls "${right[@]}"
kills=$(scaled 3 30)
another() { [ "$(wc -l <"$work/pids")" -gt "$1" ] && alive; }
for round in $(seq "$kills"); do
    kill -KILL "$(tail -n 1 "$work/pids")"
    await "it is there again" 10 another "$round"
    sleep "$calm"
done
load_off calls
batch=$(sed -n 's/^pub const DATAGRAMS_PER_BATCH: usize = \([0-9]*\);/\1/p' src/limits.rs)
row $((kills * batch)) "SIGKILL and start with sockets of systemd, $kills times" \
    "at most the $batch requests of the batch under way at each kill; what waits in the socket is answered by the next process"
