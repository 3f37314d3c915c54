#!/usr/bin/env bash
# A real Prometheus scrapes a real server that has calls: promtool finds nothing to say of the metrics, the API shows the
# series, every expression of the dashboard and every alert is evaluated without an error, and every metric that they
# name is there.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/interop/peers.sh

cp -r routes/. "$work/routes"
cat >"$work/routes/15-located.yaml" <<ROUTES
routes: [ { name: located, when: { host: located.example.net }, answer: { locate: "{host}", empty: 480 } } ]
ROUTES
free_port sip nobody prometheus
# A DNS server that does not answer: its series are there, too.
printf '%s\n' "dns: {servers: [\"127.0.0.1:$nobody\"]}" "hep: {to: \"127.0.0.1:$nobody\"}" "log: {decisions: {sample: 2}}" >"$work/waypost.more"
start_waypost waypost "udp:$host:$sip" "tcp:$host:$sip"

# Calls to numbers, to names, and to what DNS decides.
"$waypost" ask "sip:+12025550123@$host:$sip" --count 10 >"$work/logs/ask"
for uri in sip:112@here sip:nobody@here sip:a@located.example.net; do
    # 5 is an answer, too.
    "$waypost" ask "$uri" --to "$host:$sip" >>"$work/logs/ask" 2>&1 || expect "ask's exit code" $? 5
done

# A gateway that is marked has its series, as one that is probed.
"$waypost" ctl gateways up lon1 --admin "127.0.0.1:$admin" >"$work/logs/ctl"

echo "promtool check metrics"
curl -fsS "http://127.0.0.1:$admin/metrics" >"$work/metrics"
promtool check metrics <"$work/metrics" 2>&1 | tee "$work/found"
expect "what promtool has to say" "$(wc -c <"$work/found")" 0

cat >"$work/prometheus.yml" <<CONFIG
global: { scrape_interval: 500ms, evaluation_interval: 500ms }
rule_files: ["$PWD/deploy/prometheus/alerts.yml"]
scrape_configs:
  - { job_name: waypost, static_configs: [ { targets: ["127.0.0.1:$admin"] } ] }
CONFIG
promtool check config "$work/prometheus.yml" >"$work/logs/check-config"
start prometheus prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/tsdb" \
    --web.listen-address="127.0.0.1:$prometheus" --log.level=warn
api="http://127.0.0.1:$prometheus"

# query EXPRESSION: what the API gives for it, one series a line.
query() { promtool query instant "$api" "$1"; }
# series EXPRESSION: how many there are; of none, promtool prints an empty line.
series() { query "$1" | grep -c ' => ' || true; }
is_up() { query 'up{job="waypost"}' 2>/dev/null | grep -q '=> 1 '; }
await "Prometheus has scraped the server" 20 is_up
echo "the API shows the series"
for expression in 'waypost_ready == 1' 'waypost_build_info == 1' 'sum(waypost_answers_total) == 13' \
    'waypost_loop_busy_seconds_total{worker="1"} > 0' "waypost_socket_receive_queue_bytes{listener=\"udp:$host:$sip\"} >= 0" \
    'waypost_gateway_up{gateway="lon1"} == 1' 'waypost_tap_messages_total{result="shown"} > 0' 'waypost_hep_packets_total{result="failed"} >= 0'; do
    expect "series of $expression" "$(series "$expression")" 1
done
# While it has calls, for without any it sleeps all the time.
works() {
    "$waypost" ask "sip:+12025550123@$host:$sip" --count 20 >/dev/null
    query 'rate(waypost_loop_busy_seconds_total[5s])' | awk '{ for (i = 1; i < NF; i++) if ($i == "=>") rate = $(i + 1) } END { exit !(rate > 0 && rate < 1) }'
}
await "a rate of the loop's work, between 0 and 1" 15 works

echo "every expression of the dashboard"
# One a line in the file. What Grafana puts in for its variables.
sed -n 's/^ *"expr": "\(.*\)",\{0,1\}$/\1/p' deploy/grafana/waypost.json | sed 's/\\"/"/g; s/\$instance/.*/g; s/\$__rate_interval/5s/g' >"$work/expressions"
at_least "expressions" "$(wc -l <"$work/expressions")" 50
while IFS= read -r expression; do
    query "$expression" >"$work/result" 2>&1 || { echo "FAILED: $expression: $(cat "$work/result")" >&2; exit 1; }
done <"$work/expressions"

echo "every metric that dashboard, alerts and runbook name"
curl -fsS "$api/api/v1/label/__name__/values" | tr ',"[]' '\n\n\n\n' | grep -E '^(waypost|process)_' | sort -u >"$work/served"
{ cat "$work/expressions"; grep -v '^ *summary' deploy/prometheus/alerts.yml; cat deploy/runbook.md; } |
    grep -oE '\b(waypost|process)_[a-z_]+' | sort -u >"$work/named"
at_least "metrics named" "$(wc -l <"$work/named")" 50
expect "named and not scraped" "$(comm -23 "$work/named" "$work/served" | tr '\n' ' ')" ""

echo "every alert"
curl -fsS "$api/api/v1/rules" >"$work/rules"
expect "alerts that Prometheus evaluates" "$(grep -o '"health":"ok"' "$work/rules" | wc -l)" "$(grep -c -- '- alert:' deploy/prometheus/alerts.yml)"
expect "alerts of a server in order that fire" "$(series 'ALERTS{alertstate="firing"}')" 0

echo "an alert of a server that has gone"
stop waypost
is_pending() { [ "$(series 'ALERTS{alertname="WaypostDown",alertstate="pending"}')" = 1 ]; }
await "WaypostDown is pending" 20 is_pending
