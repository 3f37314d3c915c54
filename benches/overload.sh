#!/usr/bin/env bash
# Asked more than it can: what is left of the answers at twice and three times the rate that saturates the server.
#
#   benches/overload.sh [ROUNDS [SECONDS [KIND...]]]      9 rounds of 1 second for each rate, of each kind: static slow
#   TIMES=3 benches/overload.sh 21 0.4 slow               the short form
#
# KIND  static: the cheapest answer there is, of which two system calls are most of the price. A refusal costs nearly as much.
#       slow:   the same answer after 400 conditions that each look through the headers; a refusal costs a small part of it.
#
# In each round a closed loop finds the rate that saturates the server. Then calls come in an open loop, at that rate, twice and three
# times it, whatever comes back. Goodput are right answers (302) a second, checked by the generator; 503 are none. For each
# rate it prints what was offered, the goodput and its ratio to the best seen, what the server refused, what the kernel dropped
# (by the metrics), and the p99 of all answers. At three times the rate the median of the ratios must be 0.90 at least:
# otherwise the status is 1. When the generator cannot send that much, the status is 2, and nothing is said.
#
# The time of a goodput is that to the last answer: what waits in the socket is answered after the sender has stopped.
#
# The closed loop is run again at the end of a round. Where it then gives another rate, by more than a tenth, the machine has changed
# its speed meanwhile: the round says nothing of the server and is run once more. Where that happens to more than twice as many
# rounds as are wanted, the status is 2. Many short rounds are better than few long ones: a machine shared with others goes
# between two speeds within seconds.
#
# The server has processor 0, the generator processor 1.
#
#   WAYPOST, LOAD      programs (default: the newest in target/release; nothing is built)
#   QUEUE_AGE_MS       overload.queue_age_ms of the server (20: less than the receive buffer holds of slow answers)
#   OVERLOAD           the whole line instead, for instance 'overload: {refuse: silence, queue_age_ms: 5}'
#   TIMES              of the saturating rate what is offered, 3 the last ("1 2 3")
#   LEAST              the ratio wanted (0.90)
#   JUDGE              rate: goodput (the default). cpu: right answers for each second that the server's thread had a processor, for a
#                      machine on which others work, too; on a quiet one both say the same of a server that is saturated
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-9} seconds=${2:-1}
kinds=("${@:3}")
((${#kinds[@]})) || kinds=(static slow)
least=${LEAST:-0.90} judge=${JUDGE:-rate}
overload=${OVERLOAD:-"overload: {queue_age_ms: ${QUEUE_AGE_MS:-20}}"}
read -ra offers <<<"${TIMES:-1 2 3}"
flows=4 window=256 wait_ms=500
# How much the closed loop may differ from itself.
steady=1.10
if ! [[ $judge == rate || $judge == cpu ]] || ! [[ $rounds =~ ^[1-9][0-9]?$ && $seconds =~ ^([1-9][0-9]?|0\.[1-9])$ && ${offers[*]} =~ ^([12] )*3$ ]]; then
    sed -n '2,/^set/{s/^# \{0,1\}//;/^set/d;p}' "$0" >&2
    exit 2
fi

# Rounds that are run once more, at most.
repeats_max=$((rounds * 2))

source tests/figures.sh
LOAD=${LOAD:-$(built load)}
export WAYPOST=${WAYPOST:-${CARGO_TARGET_DIR:-target}/release/waypost}
source tests/interop/peers.sh
from=${host/#127.100./127.101.}

# metric NAME: the sum of its samples.
metric() {
    curl -fsS "http://127.0.0.1:$admin/metrics" |
        awk -v name="$1" '$1 ~ "^" name "({|$)" { sum += $2 } END { printf "%.0f", sum }'
}

# send NAME OPTION...: 503 is an answer, but no good one. Lost calls are what this is about.
send() {
    local status=0
    taskset -c 1 "$LOAD" --request benches/requests/invite-small.sip --from "$from" --to "$host:$sip" --flows "$flows" --gso \
        --expect 302,503 --wait-ms "$wait_ms" --pid "${peers[waypost]}" "${@:2}" >"$work/$1.report" 2>&1 || status=$?
    if [ "$status" = 2 ] || [ "$(reported "$1" wrong)" != 0 ] || [ "$(reported "$1" answered)" = 0 ]; then
        cat "$work/$1.report" >&2
        echo "FAILED: $1: a wrong answer, or none" >&2
        exit 1
    fi
}

routes_of() {
    echo "routes:"
    if [ "$1" = slow ]; then
        for number in {1..400}; do
            echo "  - { when: { header: { X-Class-$number: gold } }, answer: 404 }"
        done
    fi
    echo "  - answer: { contacts: [sip:+441632960123@gw-9001.example.net] }"
}

# per_cpu NAME: right answers for each second of processor time of the thread that answers.
per_cpu() {
    compute "$(reported "$1" answered_302) * 1e6 / ($(reported "$1" thread_us_per_answer) * $(reported "$1" answered))" %.0f
}

is_steady() { awk "BEGIN { exit !($1 <= $2 * $steady && $2 <= $1 * $steady) }" </dev/null; }

# closed NAME: at the rate that saturates. How many calls that is, the last closed loop tells.
closed() {
    send "$1" --closed "$window" --calls "$(compute "$saturating * $seconds" %.0f)"
    saturating=$(reported "$1" answers_per_s)
}

# at KIND TIMES RATE: one line of the table.
at() {
    local refused dropped took
    refused=$(metric waypost_overload_refused_total) dropped=$(metric waypost_socket_drops_total)
    send "$1-$2" --rate "$3" --calls "$(compute "$3 * $seconds" %.0f)"
    took=$(reported "$1-$2" seconds_to_last_answer)
    # While calls are missing, the generator waits for them when it has sent all.
    offered[$2]=$(compute "$(reported "$1-$2" sent) / ($(reported "$1-$2" seconds) - $wait_ms / 1000 * ($(reported "$1-$2" unanswered) > 0))" %.0f)
    goodput[$2]=$(compute "$(reported "$1-$2" answered_302) / $took" %.0f)
    cpu[$2]=$(per_cpu "$1-$2")
    p99[$2]=$(reported "$1-$2" latency_us_p99)
    sent[$2]=$(reported "$1-$2" sent)
    refusals[$2]=$(($(metric waypost_overload_refused_total) - refused))
    drops[$2]=$(($(metric waypost_socket_drops_total) - dropped))
}

declare -A offered goodput cpu p99 sent refusals drops ratios cpu_ratios
for kind in "${kinds[@]}"; do
    routes_of "$kind" >"$work/routes/all.yaml"
    free_port sip
    printf '%s\n' "$overload" "log: { level: warn }" >"$work/waypost.more"
    start_waypost waypost "udp:$host:$sip"
    taskset -pac 0 "${peers[waypost]}" >/dev/null
    send warm --closed "$window" --calls 20000
    saturating=$(reported warm answers_per_s)
    ratios=() cpu_ratios=()
    echo "$kind, $overload:"
    printf '  %-6s %6s %9s %9s %6s %9s %6s %9s %9s %9s %8s\n' round times offered goodput ratio per_cpu_s ratio sent refused dropped p99_us
    repeats=0
    for ((round = 1; round <= rounds; round++)); do
        closed first
        first=$saturating
        for times in "${offers[@]}"; do at "$kind" "$times" "$((first * times))"; done
        closed again
        if ! is_steady "$first" "$saturating"; then
            echo "  $round      once more: $first/s at its start, $saturating/s at its end"
            if ((++repeats > repeats_max)); then
                echo "overload: the machine changed its speed in $repeats rounds: nothing is said of $kind" >&2
                exit 2
            fi
            round=$((round - 1))
            continue
        fi
        closed_cpu=$(per_cpu first)
        best_cpu=$(printf '%s\n' "$closed_cpu" "${cpu[@]}" | sort -g | tail -n 1)
        best=$(printf '%s\n' "$first" "${goodput[@]}" | sort -g | tail -n 1)
        printf '  %-6s %6s %9s %9s %6s %9s %6s\n' "$round" closed - "$first" "$(compute "$first / $best" %.3f)" \
            "$closed_cpu" "$(compute "$closed_cpu / $best_cpu" %.3f)"
        for times in "${offers[@]}"; do
            ratios[$times]+=" $(compute "${goodput[$times]} / $best" %.3f)"
            cpu_ratios[$times]+=" $(compute "${cpu[$times]} / $best_cpu" %.3f)"
            printf '  %-6s %6s %9s %9s %6s %9s %6s %9s %9s %9s %8s\n' "$round" "$times" "${offered[$times]}" "${goodput[$times]}" \
                "${ratios[$times]##* }" "${cpu[$times]}" "${cpu_ratios[$times]##* }" "${sent[$times]}" "${refusals[$times]}" "${drops[$times]}" "${p99[$times]}"
        done
        if ! awk "BEGIN { exit !(${offered[3]} >= 2.7 * $first) }" </dev/null; then
            echo "overload: the generator offered ${offered[3]}/s, less than three times $first/s: nothing is said of $kind" >&2
            exit 2
        fi
    done
    judged=${ratios[3]}
    [ "$judge" = rate ] || judged=${cpu_ratios[3]}
    # shellcheck disable=SC2086
    check "$kind: goodput by $judge at three times the saturating rate, of the best of its round, median" "$(median $judged) >= $least"
    stop waypost
done
exit "$missed"
