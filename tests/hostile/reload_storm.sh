#!/usr/bin/env bash
# Reloads without end: by HTTP from many at once, by SIGHUP, and by files that change all the time, right and wrong ones.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/hostile/ground.sh

all_routes
serve
load_on calls "${right[@]}"
storm() { # storm COMMAND: again and again until $work/calm is there.
    until [ -e "$work/calm" ]; do "$@" || true; done
}
post() { curl -s --max-time 30 -o /dev/null -X POST "http://127.0.0.1:$admin/-/reload"; }
signal() { kill -HUP "$pid"; sleep 0.005; }
number=0
write() {
    number=$((number + 1))
    if [ $((number % 3)) = 0 ]; then echo "routes: [" >"$work/routes/.new"; mv "$work/routes/.new" "$work/routes/routes.yaml"
    else all_routes "{ name: never-$number, when: { user: nobody-$number }, answer: 404 }"; fi
    sleep 0.02
}
pids=()
for one in post post post post signal write; do
    storm "$one" &
    pids+=($!)
done
sleep "$(scaled 4 120)"
touch "$work/calm"
wait "${pids[@]}"
all_routes '{ name: after the storm, when: { user: nobody }, answer: 404 }'
await "the last routes are in service" 20 serves_route "after the storm"
load_off calls
count() { curl -fsS "http://127.0.0.1:$admin/metrics" | awk -v of="$1" '$0 ~ "^waypost_reloads_total" && $0 ~ of { n += $2 } END { print n + 0 }'; }
loaded=$(count loaded) failed=$(count failed) all=$(count .)
check "tables came into service" "$loaded > 10"
check "wrong ones were refused" "$failed > 10"
row 0 "Reload storm: $all reloads, $loaded new tables, $failed refused" "0: one reload at a time; those who ask meanwhile share the next one, 64 at most wait"
