#!/usr/bin/env bash
# Real DNS servers and servers that fail, against the real server: whole answers and counts. Needs the
# Debian package nsd, which tests/run.sh installs. Under four minutes. What is measured is in figures.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."

part() { # part SECONDS SCRIPT [ARGUMENT...]: bounded.
    printf '\n-- %s\n' "${*:2}"
    timeout -k 10 "$1" "tests/dns/$2" "${@:3}" || { echo "FAILED: tests/dns/${*:2}" >&2; exit 1; }
}

# Built here when not given, where no time limit of a part cuts it short.
[ -n "${LOAD:-}" ] && [ -n "${MISBEHAVE:-}" ] || cargo build --locked --quiet --release --example load --example misbehave

part 120 behaviour.sh
part 60 blackhole.sh 1 3 counts
part 60 cold.sh 1000 5 counts
part 60 outage.sh 8 200 200
part 120 bounded.sh 200000
