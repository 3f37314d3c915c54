#!/usr/bin/env bash
# Files and directory of the routes become unreadable for the user of the server, which is not root.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/hostile/ground.sh

all_routes
if [ "$(id -u)" = 0 ]; then
    # Root reads everything.
    chmod 755 "$work" "$work/routes"
    cp "$waypost" "$work/waypost" && waypost=$work/waypost
    wrapped setpriv --reuid=65534 --regid=65534 --clear-groups
fi
serve
at_least "user of the server" "$(awk '$1 == "Uid:" { print $2 }' "/proc/$pid/status")" 1
load_on calls "${right[@]}"
for round in $(seq "$(scaled 2 20)"); do
    chmod 000 "$work/routes/routes.yaml"
    reload_is failed "the file is unreadable"
    chmod 644 "$work/routes/routes.yaml"
    chmod 000 "$work/routes"
    reload_is failed "the directory is unreadable"
    kill -HUP "$pid"
    chmod 755 "$work/routes"
    reload_is unchanged "all is readable again"
done
load_off calls
row 0 "Route file, then directory, unreadable for the server's user" "0: the load fails with the name of the file, the table in service stays"
