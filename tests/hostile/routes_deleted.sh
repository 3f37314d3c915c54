#!/usr/bin/env bash
# The directory of the routes is deleted, asked for, made again empty, and filled again.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/hostile/ground.sh

all_routes
serve
load_on calls "${right[@]}"
for round in $(seq "$(scaled 2 20)"); do
    rm -rf "$work/routes"
    reload_is failed "the directory is gone"
    kill -HUP "$pid"
    mkdir "$work/routes"
    reload_is failed "it is empty"
    all_routes "{ name: never-$round, when: { user: nobody-$round }, answer: 404 }"
    # Its watcher may have been there before us.
    await "the new routes are in service" 10 serves_route "never-$round"
    sleep "$calm"
done
load_off calls
row 0 "Route directory deleted, then empty, then there again" "0: a load that fails leaves the table in service, and the log, the metrics and the reload's answer say why"
