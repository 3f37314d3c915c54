#!/usr/bin/env bash
# The figures that Waypost promises of its DNS, all of them, on this machine: about half an hour. Nothing
# else should run on it. Ends with 1 when one is missed, after all have been measured.
set -euo pipefail
cd "$(dirname "$0")/../.."

missed=()
figure() { # figure SECONDS SCRIPT [ARGUMENT...]: bounded.
    printf '\n-- %s\n' "${*:2}"
    timeout -k 10 "$1" "tests/dns/$2" "${@:3}" || missed+=("$2")
}

cargo build --release --locked --quiet
cargo build --release --locked --quiet --example load --example misbehave
figure 900 blackhole.sh
figure 300 cold.sh
figure 600 warm.sh
figure 300 outage.sh
figure 3600 bounded.sh
if [ "${#missed[@]}" -gt 0 ]; then
    printf '\nmissed: %s\n' "${missed[*]}" >&2
    exit 1
fi
printf '\nall figures hold\n'
