#!/usr/bin/env bash
# The disks are full: that of the routes, where an editor leaves half a file, and that of `state`. Small file systems in
# memory, in a mount namespace of the script.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${HOSTILE_NAMESPACE:-}" ]; then
    root=()
    [ "$(id -u)" = 0 ] || root=(--map-root-user)
    HOSTILE_NAMESPACE=1 exec unshare "${root[@]}" --mount -- tests/hostile/disk_full.sh
fi
source tests/hostile/ground.sh
finish_mounted() {
    local status=$?
    stop waypost
    umount -l "$work/routes" "$work/state" 2>/dev/null || true
    # It asks for the status of what came before.
    set +e
    (exit "$status")
    finish
}
trap finish_mounted EXIT

mkdir "$work/state"
mount -t tmpfs -o size=128k waypost-routes "$work/routes"
mount -t tmpfs -o size=128k waypost-state "$work/state"
# In braces: no beginning of it is a whole file.
whole() { echo "{routes: [{name: all, answer: {code: 302, contact: \"sip:{user}@gateway.example.net\"}}$(seq -s '' -f ", {name: \"$1-%04.0f\", answer: 404}" "$2")]}"; }
fill() { head -c 1M /dev/zero >"$1/filler" 2>/dev/null && { echo "FAILED: $1 is not full" >&2; exit 1; } || true; }

whole first 10 >"$work/routes/routes.yaml"
echo "state: $work/state" >>"$work/waypost.more"
serve
at_least "files of state" "$(find "$work/state" -type f | wc -l)" 1
load_on calls "${right[@]}"
for round in $(seq "$(scaled 2 20)"); do
    fill "$work/state"
    whole "state-full-$round" 10 >"$work/routes/routes.yaml"
    await "new routes, that cannot be kept, are in service" 10 serves_route "state-full-$round-0001"
    fill "$work/routes"
    # In place, as editors do that do not rename: what does not fit is not there.
    whole "routes-full-$round" 1000 >"$work/routes/routes.yaml" 2>/dev/null && { echo "FAILED: the disk of the routes is not full" >&2; exit 1; }
    reload_is failed "half a file on a full disk"
    rm "$work/routes/filler" "$work/state/filler"
    whole "room-$round" 10 >"$work/routes/routes.yaml"
    await "there is room again" 10 serves_route "room-$round-0001"
done
load_off calls
check "what could not be kept was told" "$(grep -ci 'no space left' "$work/logs/waypost") > 0"
row 0 "Disks full: new routes cut off where the room ends; the last good ones not to be kept" \
    "0: half a file is refused; what loads comes into service though it cannot be kept, and the log says so"
