#!/usr/bin/env bash
# What a second worker costs: the processor time of one answer with `workers: 2`, beside `workers: 1`.
#
#   benches/workers.sh [ROUNDS [SECONDS]]      7 rounds of 2 seconds each by default; 2 1 for a first look
#
# Wanted is that two workers give 1.8 times the answers of one where cores allow. With two processors they do not: the generator
# needs one of them, so that no rate can show it. What would keep two workers from twice the answers is that they stand in each
# other's way: locks, lines of memory that both write, the same table. On a processor of its own a worker that is saturated gives
# as many answers in a second as its processor time for one answer goes into a second, and waiting for a line of memory or spinning
# for a lock is processor time. So two give 2 * one / two times the answers, where `one` and `two` are processor time for one answer
# with one worker and with two, all threads of the server together; and 1.8 is reached when two / one is at most 1 / 0.9 = 1.11.
# What that does not see is a worker that sleeps for another: `switches` are voluntary context switches for 1000 answers, of which
# both configurations have as many as the kernel puts them to sleep for want of calls.
#
# So both processors are the server's, and the generator, on processor 1, takes its part of one of them; in turns, WINDOW calls under
# way from FLOWS peers, so that the kernel spreads them over the workers (SO_REUSEPORT):
#
#   one      one worker, which has processor 0 for itself
#   beside   one worker on processor 1, beside the generator: what it costs to share a processor and its caches with that
#   two      two workers on both; part of what they cost above `one` is that
#
# The ratio `two / one` is judged, the median of the rounds; the status is 1 when it is above MOST. With four processors or more the
# rate is measured, too: one worker on processor 0, two on 0 and 1, two generators on 2 and 3; the median must be 1.8.
#
#   WAYPOST, LOAD   programs (default: the newest in target/release; nothing is built)
#   FLOWS           64: peers; WINDOW 1024: calls under way
#   SIZE            real: the INVITE of 1,461 bytes; small: of 364
#   MOST            the ratio of processor time wanted (1.11); LEAST: that of the rates (1.8)
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-7} seconds=${2:-2}
flows=${FLOWS:-64} window=${WINDOW:-1024} size=${SIZE:-real} most=${MOST:-1.11} least=${LEAST:-1.8}
if ! [[ $rounds =~ ^[1-9][0-9]?$ && $seconds =~ ^[1-9][0-9]?$ ]]; then
    sed -n '2,/^set/{s/^# \{0,1\}//;/^set/d;p}' "$0" >&2
    exit 2
fi
processors=$(nproc)
((processors >= 2)) || { echo "workers: one processor shows nothing of two workers" >&2; exit 2; }

source tests/figures.sh
LOAD=${LOAD:-$(built load)}
export WAYPOST=${WAYPOST:-${CARGO_TARGET_DIR:-target}/release/waypost}
source tests/interop/peers.sh
cp benches/beside/routes/static.yaml "$work/routes/"

# serve NAME WORKERS PROCESSORS: for this whole run. Its port is in ports[NAME].
declare -A ports
serve() {
    free_port sip
    printf '%s\n' "workers: $2" "log: { level: warn }" >"$work/$1.more"
    start_waypost "$1" "udp:$host:$sip"
    taskset -pac "$3" "${peers[$1]}" >/dev/null
    ports[$1]=$sip
}

# threads NAME: of each thread of it that has run: id, nanoseconds on a processor, voluntary context switches.
threads() {
    local task
    for task in "/proc/${peers[$1]}/task"/*; do
        echo "${task##*/} $(cut -d' ' -f1 "$task/schedstat") $(awk '$1 == "voluntary_ctxt_switches:" { print $2 }' "$task/status")"
    done
}

# send NAME REPORT NET PROCESSOR OPTION...: calls at it from 127.NET.
send() {
    local status=0
    taskset -c "$4" "$LOAD" --request "benches/requests/invite-$size.sip" --from "${host/#127.100./127.$3.}" --to "$host:${ports[$1]}" \
        --flows "$flows" --gso --pid "${peers[$1]}" --wait-ms 3000 "${@:5}" >"$work/$2.report" 2>&1 || status=$?
    [ "$status" != 2 ] || { cat "$work/$2.report" >&2; exit 1; }
    all_right "$2"
}

# cost NAME: sets us, busiest (what it had of the processor time of the two busiest threads) and switches of this round.
declare -A us busiest switches
cost() {
    threads "$1" >"$work/before"
    send "$1" "$1" 101 1 --closed "$window" --calls 100000000 --seconds "$seconds"
    threads "$1" >"$work/after"
    read -r us[$1] busiest[$1] switches[$1] < <(awk -v answers="$(reported "$1" answered)" '
        NR == FNR { ns[$1] = $2; slept[$1] = $3; next }
        { took = $2 - ns[$1]; all += took; if (took > top) { second = top; top = took } else if (took > second) second = took; sleeps += $3 - slept[$1] }
        END { printf "%.3f %.3f %.2f\n", all / 1000 / answers, top / (top + second), sleeps * 1000 / answers }' "$work/before" "$work/after")
}

# rate NAME: answers a second, of two generators.
rate() {
    send "$1" "$1-a" 101 2 --closed "$window" --calls 100000000 --seconds "$seconds" &
    local other=$!
    send "$1" "$1-b" 102 3 --closed "$window" --calls 100000000 --seconds "$seconds"
    wait "$other"
    echo $(($(reported "$1-a" answers_per_s) + $(reported "$1-b" answers_per_s)))
}

serve one 1 0
serve beside 1 1
serve two 2 0,1
for name in one beside two; do send "$name" "$name" 101 1 --closed "$window" --calls 20000; done
echo "processor time of one answer, all threads, us; $flows peers, $window calls under way:"
printf '  %-6s %8s %8s %8s %9s %11s %14s %14s\n' round one beside two 'two/one' 'two/beside' 'busier has' 'switches'
of_one=() of_beside=() shares=()
for ((round = 1; round <= rounds; round++)); do
    for name in one beside two; do cost "$name"; done
    of_one+=("$(compute "${us[two]} / ${us[one]}")")
    of_beside+=("$(compute "${us[two]} / ${us[beside]}")")
    shares+=("${busiest[two]}")
    printf '  %-6s %8s %8s %8s %9s %11s %14s %14s\n' "$round" "${us[one]}" "${us[beside]}" "${us[two]}" "${of_one[-1]}" "${of_beside[-1]}" \
        "${busiest[two]}" "${switches[one]}, ${switches[two]}"
done
echo "  of the two, the busier worker had $(median "${shares[@]}") of their processor time, and so of the answers, as all cost the same"
echo "  two / beside: $(median "${of_beside[@]}")"
m=$(median "${of_one[@]}")
check "two workers take at most $most times the processor time of one" "$m <= $most"
echo "  where cores allow, that is $(compute "2 / ($m > 1 ? $m : 1)" %.2f) times the answers of one (a ratio below 1 is noise)"

if ((processors >= 4)); then
    ratios=()
    for ((round = 1; round <= rounds; round++)); do
        one=$(rate one) two=$(rate two)
        ratios+=("$(compute "$two / $one")")
        echo "  answers a second, round $round: $one and $two, ${ratios[-1]}"
    done
    check "two workers on two processors give $least times the answers of one" "$(median "${ratios[@]}") >= $least"
else
    echo "  answers a second: not measured, $processors processors are too few for two workers and two generators"
fi
exit "$missed"
