#!/usr/bin/env bash
# Where the processor time of an answer goes, of Waypost with each of its routes and of the bare echo: in the program, in libc, in the
# kernel.
#
#   benches/beside/profile.sh [SECONDS [TOP]]      10 seconds of samples of each, the 25 dearest functions of each
#
# A closed loop keeps the server's thread busy, as in beside.sh, while perf notes 5,000 times a second where it is: by a timer
# (cpu-clock), since virtual machines have no counters. To be told apart, a function must not be inlined; what was is its caller's.
# A sample that falls where the kernel has interrupts off is noted where they come on again, so that _raw_spin_unlock_irqrestore
# and the like stand for what is before them.
#
# Writes a text to $RESULTS (benches/beside/profile.txt) and standard output. `us` is the share of the processor time that the thread
# took for an answer in that run. Builds nothing; the release profile keeps names of functions.
#
#   WAYPOST, LOAD, ECHO, TABLEDATA, MISBEHAVE   programs (default: those in target/release)
#   SERVERS   "waypost waypost_prefix waypost_enum", rows of beside.sh
#   SIZE      real: the INVITE of 1,461 bytes; small: of 364
#   GSO       true: waypost with batching: {gso: true}, and the echo with GSO
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-10} top=${2:-25}
size=${SIZE:-real} gso=${GSO:-false} rows=1000000
read -ra wanted <<<"${SERVERS:-waypost waypost_prefix waypost_enum}"
results=${RESULTS:-benches/beside/profile.txt}
if ! [[ $seconds =~ ^[1-9][0-9]{0,2}$ && $top =~ ^[1-9][0-9]{0,2}$ ]]; then
    sed -n '2,/^set/{s/^# \{0,1\}//;/^set/d;p}' "$0" >&2
    exit 2
fi
for program in taskset curl perf; do
    command -v "$program" >/dev/null || { echo "profile: no $program: apt-get install util-linux curl linux-perf" >&2; exit 2; }
done

source benches/beside/servers.sh

# send NAME OPTION...
send() {
    local options status=0
    IFS='|' read -ra options <<<"${right[$1]}"
    "${load_core[@]}" "$LOAD" --request "benches/requests/invite-$size.sip" --from "$from" --to "$host:${ports[$1]}" \
        --flows 4 --gso --closed 256 --wait-ms 3000 --pid "${pids[$1]}" "${options[@]}" "${@:2}" >"$work/$1.report" 2>&1 || status=$?
    [ "$status" != 2 ] || { cat "$work/$1.report" >&2; exit 1; }
    all_right "$1"
}

# profile NAME: samples of a server that is up, and its part of the text.
profile() {
    local sampler us
    send "$1" --calls 20000
    # The sampler, too, must have a processor when its buffer is full.
    "${load_core[@]}" perf record --quiet --event cpu-clock --freq 5000 --pid "${pids[$1]}" --output "$work/$1.data" \
        -- sleep "$((seconds + 1))" >"$work/logs/perf-$1" 2>&1 &
    sampler=$!
    sleep 0.5
    send "$1" --calls 100000000 --seconds "$seconds"
    wait "$sampler"
    us=$(reported "$1" thread_us_per_answer)
    perf report --input "$work/$1.data" --stdio --quiet --sort dso,symbol --field-separator '|' 2>/dev/null >"$work/$1.samples"
    echo
    echo "$1: $us us for one answer, $(reported "$1" answers_per_s) answers a second"
    awk -F'|' -v us="$us" -v top="$top" '
        NF < 3 { next }
        {
            share = $1 + 0; place = $2; name = $3
            gsub(/^ +| +$/, "", place); gsub(/^ +| +$/, "", name)
            where = place ~ /^\[/ ? "kernel" : place ~ /^(libc|ld-linux|libm|libgcc)/ ? "libc" : "program"
            sum[where] += share; all += share
            if (++rows <= top) line[rows] = sprintf("  %6.2f %8.3f  %-8s %.90s", share, share * us / 100, where, substr(name, 5))
        }
        END {
            if (!all) { print "profile: no samples" >"/dev/stderr"; exit 1 }
            print "       %       us"
            n = split("program libc kernel", order, " ")
            for (i = 1; i <= n; i++) printf "  %6.2f %8.3f  %s\n", sum[order[i]] * 100 / all, sum[order[i]] * us / all, order[i]
            print "  of which:"
            for (i = 1; i <= rows && i <= top; i++) print line[i]
        }' "$work/$1.samples"
}

line= mode=batched
if [ "$gso" = true ]; then line="batching: { gso: true }" mode=gso; fi
declare -A us
{
    echo "# machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors, Linux $(uname -r)"
    echo "# versions: waypost $(git describe --always --dirty --exclude '*'), $(rustc --version | cut -d' ' -f1-2)"
    echo "# run: $(date -u +%Y-%m-%d), $seconds s each, invite-$size, three Contacts, 256 calls under way from 4 peers, GSO of answers: $gso"
    # The answer to a static route says how long the echo's are to be.
    start_waypost_static "$line"
    send waypost --calls 5000
    start_echo echo "$mode" "$(reported waypost answer_bytes_max)"
    profile echo
    us[echo]=$(reported echo thread_us_per_answer)
    for name in "${wanted[@]}"; do
        [ "$name" = waypost ] || "start_$name"
        [ -n "${pids[$name]:-}" ] || continue
        profile "$name"
        us[$name]=$(reported "$name" thread_us_per_answer)
        stop "$name"
    done
    echo
    for name in "${wanted[@]}"; do
        [ -z "${us[$name]:-}" ] || echo "$name / echo: $(compute "${us[$name]} / ${us[echo]}" %.2f)"
    done
} >"$work/profile.txt"
cp "$work/profile.txt" "$results"
cat "$results"
