#!/usr/bin/env bash
# Seconds (default 60) of 2,000 INVITEs a second while the route directory is swapped and reloaded ten
# times a second, as Kubernetes swaps a ConfigMap. Each set of files, `a` and `b`, says its letter in two
# files; SIPp takes an answer as right only if both letters agree in it. It sends nothing twice (-nr), so
# a lost answer is a failed call; its buffers are large, so that none is lost on its own side while the
# machine is busy.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
rate=2000
source tests/sipp/server.sh

routes=$work/routes
mkdir -p "$routes"
for set in a b; do
    mkdir -p "$routes/..$set"
    cat > "$routes/..$set/10-gateways.yaml" <<YAML
gateways:
  one: sip:one.$set.example.net
  two: sip:two.$set.example.net
  three: sip:three.$set.example.net
groups:
  all: [ { to: one }, { to: two, tier: 2 }, { to: three, tier: 3 } ]
YAML
    cat > "$routes/..$set/20-routes.yaml" <<YAML
routes:
  - name: all
    answer: { group: all, headers: { X-Set: "$set" } }
YAML
done
swap() { # swap SET: one rename, as kubelet does it
    ln -sfn "..$1" "$routes/..data_tmp"
    mv -T "$routes/..data_tmp" "$routes/..data"
}
swap a
ln -s ..data/10-gateways.yaml ..data/20-routes.yaml "$routes/"

start_server "$routes"
before=$(metric waypost_table_generation)
calls=$((rate * seconds))
sipp "127.0.0.1:$sip" -sf tests/sipp/one_set.xml -i 127.0.0.1 -nr -r "$rate" -m "$calls" -l 10000 \
    -buff_size 4194304 -timeout "$((seconds + 30))s" -timeout_error -nostdin -trace_err -error_file "$work/sipp.err" \
    -trace_stat -stf "$work/stat.csv" -fd 60 >"$work/sipp.out" 2>&1 &
sipp_pid=$!

# Ten reloads a second by the clock, however long one takes.
micros() { echo "${EPOCHREALTIME/./}"; }
set=a
reloads=0
next=$(micros)
while kill -0 "$sipp_pid" 2>/dev/null; do
    [ "$set" = a ] && set=b || set=a
    swap "$set"
    curl -fsS -o /dev/null -X POST "http://127.0.0.1:$admin/-/reload"
    reloads=$((reloads + 1))
    next=$((next + 100000))
    left=$((next - $(micros)))
    [ "$left" -le 0 ] || sleep "$(printf '0.%06d' "$left")"
done
status=0
wait "$sipp_pid" || status=$?
if [ "$status" != 0 ]; then
    tail -n 40 "$work/sipp.out" >&2
    head -n 20 "$work/sipp.err" >&2 || true
fi
expect "SIPp's exit status" "$status" 0
expect "answers of the server" "$(metric 'waypost_answers_total{code="302"}')" "$calls"
expect "failed reloads" "$(metric 'waypost_reloads_total{result="failed"}')" 0
swaps=$(($(metric waypost_table_generation) - before))
echo "  $calls calls in about $seconds s, each answered once and by one set; $reloads reloads, $swaps tables put into service"
if [ "$swaps" -lt $((seconds * 9)) ]; then
    echo "FAILED: fewer than 9 swaps a second" >&2
    exit 1
fi
