#!/usr/bin/env bash
# The wall clock jumps: days and years, forwards and backwards, before 1970, and to and fro. Only that of the server: a
# library that is loaded before it (clock.c) moves it. Routes with hours and credentials depend on the time.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/hostile/ground.sh

cc -O2 -Wall -shared -fPIC -o "$work/clock.so" tests/hostile/clock.c
jump() { python3 -c 'import struct, sys; open(sys.argv[1], "r+b").write(struct.pack("=q", int(sys.argv[2])))' "$work/offset" "$1"; }
printf '\0\0\0\0\0\0\0\0' >"$work/offset"
wrapped env LD_PRELOAD="$work/clock.so" CLOCK_OFFSET_FILE="$work/offset"
all_routes '{ name: by the clock, when: { number: "+999*", time: { zone: Europe/London, days: mon-fri, hours: "08:00-18:00" } }, answer: 404 }'
serve
says_s() { metric waypost_reload_success_timestamp_seconds | awk '{ printf "%.0f", $1 }'; }
load_on calls "${right[@]}"
seen=0
for round in $(seq "$(scaled 1 20)"); do
    for offset in 86400 -86400 315576000 -3155760000 0 1 -1 4102444800 0; do
        jump "$offset"
        sleep "$calm"
        reload >/dev/null
        off=$(($(says_s) - $(date +%s) - offset))
        # The metric is told in seconds, and not before 1970.
        if [ "$offset" -gt -1000000000 ] && [ "${off#-}" -le 5 ]; then seen=$((seen + 1)); fi
    done
done
load_off calls
check "the server's own clock jumped" "$seen >= 8 * $(scaled 1 20)"
row 0 "Clock jumping: ±1 day, +10 and −100 years, +130 years, ±1 s, back" \
    "0: what waits and expires is measured by a clock that does not jump; hours and nonces follow the wall clock"
