#!/usr/bin/env bash
# Waypost beside a bare UDP echo, Kamailio and OpenSIPS: what one answer costs, how many go, how long they take.
#
#   benches/beside/beside.sh [ROUNDS [SECONDS]]      5 rounds of 2 s by default; 1 1 for a first look
#
# For each of two requests (benches/requests) and each server, in turns, so that what else the machine does hits
# all of them: SECONDS of calls in a closed loop that keeps the server's thread busy, then SECONDS at half of the rate
# that went; and before each server the echo, since the machine may be slower a few seconds later. The server has processor 0, the
# generator processor 1. Every answer is checked against its request, all its Contacts too: one that is wrong or lost ends the script.
#
# Both have real-time priority, where that is allowed (chrt; root): no other program takes their processors. Still the p99 is
# of a thing that takes tens of microseconds, on a machine that stands still for milliseconds. So calls that were under way
# while the generator's loop stood still, or the scheduler kept the server's thread from its processor, are not in it, of no
# server (benches/load/stalls.rs); p99_all_us has them, and the table says which share that was.
#
# Writes one table, with ratios and the machine, to $RESULTS (benches/beside/results.tsv) and standard output.
# Builds nothing. Needs cargo build --release and, in a run of its own, cargo build --release --examples. What is not there is left out with a word.
#
#   WAYPOST, LOAD, ECHO, TABLEDATA, MISBEHAVE   programs (default: those in target/release)
#   KAMAILIO                                    Debian's (default: kamailio of PATH)
#   KAMAILIO_NATIVE, KAMAILIO_NATIVE_MODULES    as build-kamailio.sh prints them
#   OPENSIPS, OPENSIPS_MODULES                  (default: opensips of PATH)
#   WAYPOST_GSO    the line of Waypost's configuration that turns GSO on
#   SERVERS        names of rows, to measure some of them; the batched echo is always one
#   SIZES          "small real"
#   FLOWS          4: peers that calls come from; WINDOW 256: calls under way; ROWS 1000000: prefixes
#   LOAD_OPTIONS   options for the generator: --gso, or it has more to do for a call than the fastest of the servers;
#                  a blank for none
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-5} seconds=${2:-2}
results=${RESULTS:-benches/beside/results.tsv}
flows=${FLOWS:-4} window=${WINDOW:-256} rows=${ROWS:-1000000}
waypost_gso=${WAYPOST_GSO:-'batching: { gso: true }'}
read -ra sizes <<<"${SIZES:-small real}"
read -ra wanted <<<"${SERVERS:-echo_single echo_gso waypost waypost_prefix waypost_enum waypost_gso kamailio kamailio_native opensips}"
read -ra load_options <<<"${LOAD_OPTIONS:---gso}"
for number in "$rounds" "$seconds" "$flows" "$window" "$rows"; do
    [[ $number =~ ^[1-9][0-9]{0,6}$ ]] || { echo "beside: $number is not a number from 1 to 9999999" >&2; exit 2; }
done

for program in taskset curl; do
    command -v "$program" >/dev/null || { echo "beside: no $program: apt-get install util-linux curl" >&2; exit 1; }
done

source benches/beside/servers.sh

is_wanted() { [[ " ${wanted[*]} " == *" $1 "* ]]; }

start_waypost_gso() {
    local status=0
    mkdir -p "$work/static"
    cp benches/beside/routes/static.yaml "$work/static/"
    printf '%s\n' "routes: $work/static" 'listen: ["udp:127.0.0.1:0"]' "$waypost_gso" >"$work/gso.yaml"
    "$waypost" check --config "$work/gso.yaml" >"$work/gso.check" 2>&1 || status=$?
    if [ "$status" != 0 ]; then
        leave_out waypost_gso "this binary refuses \`$waypost_gso\`"
        return
    fi
    start_one waypost_gso "$work/static" "$waypost_gso"
    right[waypost_gso]="--contacts|$static_contacts"
}

# start_kamailio NAME PROGRAM [MODULES]: the process that answers is found when it has answered.
start_kamailio() {
    local modules=()
    free_port sip
    [ -z "${3:-}" ] || modules=(-A WITH_MODULES -A "MODULES=\"$3\"")
    start "$1" "${server_core[@]}" "$2" -DD -E -x fm -X fm -m 64 -M 8 -b 4194304 -f benches/beside/kamailio.cfg \
        -A "SIP_ADDRESS=udp:$host:$sip" -A "CONTACT=\"Contact: $static_contacts\\r\\n\"" "${modules[@]}"
    await "$1 listens" 10 anybody_has "$sip"
    take "$1" "$sip"
    right[$1]="--contacts|$static_contacts"
}

start_opensips() {
    local program=${OPENSIPS:-$(command -v opensips || true)}
    [ -n "$program" ] || { leave_out opensips "not installed, and Debian 12 has no package of it"; return; }
    free_port sip
    sed -e "s|@SIP_ADDRESS@|udp:$host:$sip|" -e "s|@MODULES@|${OPENSIPS_MODULES:-/usr/lib/x86_64-linux-gnu/opensips/modules}|" \
        -e "s|@CONTACT@|Contact: $static_contacts|" benches/beside/opensips.cfg >"$work/opensips.cfg"
    start opensips "${server_core[@]}" "$program" -F -m 64 -f "$work/opensips.cfg"
    await "opensips listens" 10 anybody_has "$sip"
    take opensips "$sip"
    right[opensips]="--contacts|$static_contacts"
}

# busiest PID: of it and its children, the process that has worked most.
busiest() {
    local pid
    for pid in "$1" $(cat "/proc/$1/task/$1/children"); do
        echo "$(cut -d' ' -f1 "/proc/$pid/schedstat") $pid"
    done | sort -g | tail -n 1 | cut -d' ' -f2
}

# send NAME SIZE OPTION...: calls at one server; the report goes to $work/NAME.report. Fails when an answer was wrong, none
# came, or the generator could not be used; calls without an answer are for the caller to judge.
send() {
    local options status=0
    IFS='|' read -ra options <<<"${right[$1]}"
    "${load_core[@]}" "$LOAD" --request "benches/requests/invite-$2.sip" --from "$from" --to "$host:${ports[$1]}" --flows "$flows" \
        --wait-ms 3000 --pid "${pids[$1]}" "${options[@]}" "${load_options[@]}" "${@:3}" >"$work/$1.report" 2>&1 || status=$?
    if [ "$status" = 2 ] || [ "$(reported "$1" wrong)" != 0 ] || [ "$(reported "$1" answered)" = 0 ]; then
        cat "$work/$1.report" >&2
        echo "FAILED: $1: a wrong answer, none, or none asked for" >&2
        exit 1
    fi
}

# saturate NAME SIZE OPTION...: a closed loop, in which none may be lost.
saturate() {
    send "$1" "$2" --closed "$window" "${@:3}"
    all_right "$1"
}

# at_rate NAME SIZE RATE: the same number of calls each second, whatever comes back. When the machine stood still for longer
# than the server's receive buffer lasts, calls are lost, and it says nothing; nor when most of the run was a stall: once
# more, three times in all.
repeated=0
at_rate() {
    local try lost clear
    for try in 1 2 3; do
        send "$1" "$2" --rate "$3" --calls "$(($3 * seconds))" --steady --seconds "$((4 * seconds))"
        lost=$(reported "$1" unanswered) clear=$(($(reported "$1" answered) - $(reported "$1" stalled)))
        if [ "$lost" = 0 ] && ((2 * clear > $3 * seconds)); then break; fi
        repeated=$((repeated + 1))
        echo "again: $1 lost $lost of $(reported "$1" sent) calls at $3/s, and no stall touched $clear (try $try)" >&2
    done
    all_right "$1"
    ((clear > 0)) || { echo "FAILED: $1: a stall touched every call at half load" >&2; exit 1; }
}

# Waypost's answer to each request says how long the echoes' are to be.
start_waypost_static
is_wanted waypost_prefix && start_waypost_prefix
is_wanted waypost_enum && start_waypost_enum
is_wanted waypost_gso && start_waypost_gso
if is_wanted kamailio; then
    kamailio=${KAMAILIO:-$(command -v kamailio || true)}
    if [ -n "$kamailio" ]; then start_kamailio kamailio "$kamailio"; else leave_out kamailio "not installed: apt-get install kamailio"; fi
fi
if is_wanted kamailio_native; then
    if [ -n "${KAMAILIO_NATIVE:-}" ]; then
        start_kamailio kamailio_native "$KAMAILIO_NATIVE" "$KAMAILIO_NATIVE_MODULES"
    else
        leave_out kamailio_native "KAMAILIO_NATIVE is not set: benches/beside/build-kamailio.sh DIRECTORY"
    fi
fi
is_wanted opensips && start_opensips

declare -A answer_bytes us of_echo user system per_s busy p99 p99_all stalled
for name in "${names[@]}"; do
    # ENUM numbers are asked for once.
    saturate "$name" small --calls 5000
    pids[$name]=$(busiest "${pids[$name]}")
done

for size in "${sizes[@]}"; do
    saturate waypost "$size" --calls 5000
    bytes=$(reported waypost answer_bytes_max)
    servers=("echo_batched_$size")
    start_echo "echo_batched_$size" batched "$bytes"
    if is_wanted echo_single; then start_echo "echo_single_$size" single "$bytes" && servers+=("echo_single_$size"); fi
    if is_wanted echo_gso; then start_echo "echo_gso_$size" gso "$bytes" && servers+=("echo_gso_$size"); fi
    for name in "${names[@]}"; do
        if [[ $name != echo_* ]] && is_wanted "$name"; then servers+=("$name"); fi
    done
    for name in "${servers[@]}"; do saturate "$name" "$size" --calls 20000; done
    for ((round = 1; round <= rounds; round++)); do
        for name in "${servers[@]}"; do
            key=$size/${name%_"$size"}
            # Right before each: a machine with other tenants may be a quarter slower ten seconds later.
            saturate "echo_batched_$size" "$size" --calls 100000000 --seconds "$seconds"
            echo_us=$(reported "echo_batched_$size" thread_us_per_answer)
            if [ "$name" != "echo_batched_$size" ]; then
                saturate "$name" "$size" --calls 100000000 --seconds "$seconds"
            fi
            us[$key]+=" $(reported "$name" thread_us_per_answer)"
            of_echo[$key]+=" $(compute "$(reported "$name" thread_us_per_answer) / $echo_us" %.4f)"
            user[$key]+=" $(reported "$name" thread_user_us_per_answer)"
            system[$key]+=" $(reported "$name" thread_system_us_per_answer)"
            busy[$key]+=" $(reported "$name" thread_busy)"
            rate=$(reported "$name" answers_per_s)
            per_s[$key]+=" $rate"
            answer_bytes[$key]=$(reported "$name" answer_bytes_max)
            at_rate "$name" "$size" "$((rate / 2))"
            p99[$key]+=" $(reported "$name" clear_us_p99)"
            p99_all[$key]+=" $(reported "$name" latency_us_p99)"
            stalled[$key]+=" $(compute "$(reported "$name" stalled) / $(reported "$name" answered)" %.4f)"
        done
    done
    for name in "${servers[@]}"; do [[ $name != echo_* ]] || stop "$name"; done
done

# ratios A B: the median of the ratios of each round, in which both ran one soon after the other.
ratios() {
    local -a a b all=()
    read -ra a <<<"$1"
    read -ra b <<<"$2"
    [ "${#b[@]}" != 0 ] || { echo -; return; }
    for ((n = 0; n < ${#a[@]}; n++)); do all+=("$(compute "${b[n]} > 0 ? ${a[n]} / ${b[n]} : 0" %.3f)"); done
    median "${all[@]}"
}
least() { printf '%s\n' "$@" | sort -g | head -n 1; }
most() { printf '%s\n' "$@" | sort -g | tail -n 1; }

table() {
    local size name key of
    echo "# machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors, Linux $(uname -r), net.core.rmem_max $(cat /proc/sys/net/core/rmem_max)"
    echo "# versions: waypost $(git describe --always --dirty --exclude '*'), $(rustc --version | cut -d' ' -f1-2)$([ -z "${kamailio:-}" ] || "$kamailio" -v | sed -n 's/^version: \([a-z]* [0-9.]*\).*/, \1/p')"
    echo "# run: $(date -u +%Y-%m-%d), $rounds rounds of $seconds s, $flows flows, $window calls under way, $rows prefixes, generator: ${load_options[*]:-no options}$( ((repeated == 0)) || echo ", $repeated times again since the machine stood still at half load")"
    for name in "${left_out[@]}"; do echo "# left out: $name"; done
    echo "# us: processor time of the answering thread for one answer, at saturation; user_us, system_us: its parts, by the kernel's tick; of_echo: to the echo right before, median of the rounds; of_native, of_debian: ratio of these"
    echo "# server and generator had $( ((${#fifo[@]})) && echo "real-time priority" || echo "no priority over other programs"); p99 at half of that rate: of calls that no stall of the machine touched; p99_all_us of all; stalled: the share that one touched"
    printf '%s\t' request server answer_bytes us us_min us_max of_echo of_native of_debian user_us system_us per_s busy p99_us p99_us_min p99_us_max p99_of_echo p99_all_us
    echo stalled
    for size in "${sizes[@]}"; do
        for name in echo_batched echo_single echo_gso waypost waypost_prefix waypost_enum waypost_gso kamailio_native kamailio opensips; do
            key=$size/$name
            [ -n "${us[$key]:-}" ] || continue
            # shellcheck disable=SC2086
            printf '%s\t' "$size" "$name" "${answer_bytes[$key]}" "$(median ${us[$key]})" "$(least ${us[$key]})" "$(most ${us[$key]})" \
                "$(median ${of_echo[$key]})" "$(ratios "${of_echo[$key]}" "${of_echo[$size/kamailio_native]:-}")" \
                "$(ratios "${of_echo[$key]}" "${of_echo[$size/kamailio]:-}")" "$(median ${user[$key]})" "$(median ${system[$key]})" "$(median ${per_s[$key]})" "$(median ${busy[$key]})" \
                "$(median ${p99[$key]})" "$(least ${p99[$key]})" "$(most ${p99[$key]})" \
                "$(ratios "${p99[$key]}" "${p99[$size/echo_batched]}")" "$(median ${p99_all[$key]})"
            # shellcheck disable=SC2086
            median ${stalled[$key]}
        done
    done
}
table >"$work/results.tsv"
cp "$work/results.tsv" "$results"
cat "$results"
