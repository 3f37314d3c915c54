#!/usr/bin/env bash
# The admin port is hammered: connections that say nothing, heads that do not end, bodies too long, nonsense, requests
# for metrics, explanations and comparisons by the thousand.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/hostile/ground.sh

all_routes
serve
load_on calls "${right[@]}"
python3 tests/hostile/hammer.py 127.0.0.1 "$admin" "$(scaled 4 300)" >"$work/hammer.report" 2>"$work/logs/hammer" ||
    { cat "$work/logs/hammer" >&2; exit 1; }
await "the admin port answers again" 10 alive
load_off calls
check "requests of the admin port answered meanwhile" "$(reported hammer answered) > 0"
check "nobody did what may not be done" "$(reported hammer steered) == 0"
at_least "connections made" "$(reported hammer connections)" 64
row 0 "Admin port hammered: $(reported hammer connections) connections, $(reported hammer answered) requests answered, $(reported hammer refused) refused" \
    "0: it has a thread of its own, 32 connections at once, and limits of head, body and time"
