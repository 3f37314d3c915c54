#!/usr/bin/env bash
# What watches Waypost, tried with the real things: promtool on alerts and metrics, a Prometheus that scrapes a server
# with calls, sngrep and tshark on what it sends to Homer. Needs the Debian packages prometheus, sngrep, tshark and curl,
# which tests/run.sh installs. Half a minute.
set -euo pipefail
cd "$(dirname "$0")/../.."

for command in promtool prometheus sngrep tshark curl awk; do
    command -v "$command" >/dev/null || { echo "tests/observe/run.sh needs $command: tests/run.sh installs what it is in" >&2; exit 1; }
done

echo "-- alerts: promtool check rules, promtool test rules"
promtool check rules deploy/prometheus/alerts.yml
promtool test rules tests/observe/alerts_test.yml
promtool check config --syntax-only deploy/prometheus.yml

for part in prometheus hep; do
    printf '\n-- %s\n' "$part"
    timeout -k 10 120 "tests/observe/$part.sh" || { echo "FAILED: tests/observe/$part.sh" >&2; exit 1; }
done
