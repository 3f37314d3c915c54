#!/usr/bin/env bash
# The operator's page in a real, headless Chromium: forms filled by keyboard, results held against the command line,
# screenshots in target/browser. Then the README's way to it, word by word. Needs the Debian packages chromium, iproute2
# and python3, which tests/run.sh installs. A minute and a half.
set -euo pipefail
cd "$(dirname "$0")/../.."

for command in chromium python3 ip unshare; do
    command -v "$command" >/dev/null || { echo "tests/browser/run.sh needs $command: tests/run.sh installs what it is in" >&2; exit 1; }
done

export WAYPOST=${WAYPOST:-target/release/waypost} PYTHONDONTWRITEBYTECODE=1
[ -x "$WAYPOST" ] || { echo "no $WAYPOST: cargo build --release first" >&2; exit 1; }

echo "-- the page"
PYTHONPATH=tests/browser timeout -k 10 600 python3 -m unittest -v shown_test explain_test orders_test looks_test

printf '\n-- the way to it that README.md has\n'
# Its ports are fixed: in a network of its own they are free.
if [ "$(id -u)" = 0 ]; then alone=(unshare --net); else alone=(unshare --net --map-root-user); fi
timeout -k 10 1200 "${alone[@]}" sh -c 'ip link set lo up && exec python3 tests/browser/readme_test.py'
