#!/usr/bin/env bash
# "A dead DNS server stalls no call": as many plain calls as go, quiet, and while 500 calls per second ask
# for a number whose ENUM server is a black hole; Waypost, and Kamailio's enum module with one worker.
#
#   tests/dns/blackhole.sh [ROUNDS [SECONDS [counts]]]      5 rounds of 2 × 5 s by default
#
# Rounds are quiet, loaded, quiet, loaded …; the figures are medians of all rounds, the ratios those of the
# two halves of each round. With `counts`, only what does not depend on the machine is judged: that
# every call got its answer. Kamailio has no setting for its DNS servers: it gets an /etc/resolv.conf of its own, in
# a mount namespace, and a black hole on port 53 of our loopback address; that needs root.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/dns/ground.sh

rounds=${1:-5} seconds=${2:-5} judged=${3:-figures}
enum_rate=${ENUM_RATE:-500}
window=${WINDOW:-64}
within_ms=400

cat >"$work/routes/routes.yaml" <<YAML
routes:
  - name: enum
    when: { number: "+4420*" }
    enum: { apexes: [$apex], services: [sip], within: ${within_ms}ms }
  - name: plain
    when: { number: "+4430*" }
    answer: { code: 302, contact: "sip:{number}@static.example.net" }
  - name: fallback
    answer: { code: 302, contact: "sip:{number}@fallback.example.net" }
YAML

first=0 # Numbers asked for so far: every ENUM call has one of its own.

# plain NAME: as many calls without DNS as go.
plain() {
    calls "$1" --uri 'sip:+4430{n}@example.net' --contact '<sip:+4430{n}@static.example.net>;q=0.99' \
        --calls 100000000 --closed "$window" --flows 2 --seconds "$seconds" --wait-ms 3000 --pid "$pid" || true
}

# enum NAME SECONDS WAIT_MS: ENUM calls, whatever comes back.
enum() {
    local n=$((enum_rate * $2)) skip=()
    ((first == 0)) || skip=(--first "$first")
    calls "$1" --contact '<sip:+4420{n}@fallback.example.net>;q=0.99' --rate "$enum_rate" --calls "$n" "${skip[@]}" --wait-ms "$3" || true
}

# measure NAME WAIT_MS FRESH: the rounds, each after FRESH, the result as a line of the table. A run of
# the generator ends WAIT_MS after its last call.
measure() {
    local name=$1 round enum_pid
    quiet=() loaded=() quiet_p99=() loaded_p99=() rates=() p99s=() per_enums=()
    enum_sent=0 enum_answered=0 enum_max=0 enum_p99=0 wrong=0 lost=0
    for ((round = 1; round <= rounds; round++)); do
        "$3"
        plain quiet
        enum enum $((seconds + 1)) "$2" &
        enum_pid=$!
        sleep 0.5
        plain loaded
        wait "$enum_pid"
        first=$((first + enum_rate * (seconds + 1)))
        quiet+=("$(reported quiet answers_per_s)") loaded+=("$(reported loaded answers_per_s)")
        quiet_p99+=("$(reported quiet latency_us_p99)") loaded_p99+=("$(reported loaded latency_us_p99)")
        rates+=("$(ratio "${loaded[-1]}" "${quiet[-1]}")") p99s+=("$(ratio "${loaded_p99[-1]}" "${quiet_p99[-1]}")")
        enum_sent=$((enum_sent + $(reported enum sent))) enum_answered=$((enum_answered + $(reported enum answered)))
        wrong=$((wrong + $(reported enum wrong) + $(reported quiet wrong) + $(reported loaded wrong)))
        lost=$((lost + $(reported quiet unanswered) + $(reported loaded unanswered)))
        (($(reported enum latency_us_max) <= enum_max)) || enum_max=$(reported enum latency_us_max)
        (($(reported enum latency_us_p99) <= enum_p99)) || enum_p99=$(reported enum latency_us_p99)
        # Processor time of the server beyond that of the plain answers: it does not hang on who else uses the
        # machine, as rates do.
        per_enums+=("$(awk -v all="$(reported loaded cpu_s)" -v plain="$(reported loaded answered)" -v each="$(reported quiet cpu_us_per_answer)" \
            -v calls="$((enum_rate * seconds))" 'BEGIN { printf "%.0f", (all * 1e6 - plain * each) / calls }')")
        [ -z "${VERBOSE:-}" ] || echo "  $name, round $round: quiet ${quiet[-1]}/s ${quiet_p99[-1]} us, loaded ${loaded[-1]}/s ${loaded_p99[-1]} us, cpu us/answer $(reported quiet cpu_us_per_answer) $(reported loaded cpu_us_per_answer), ENUM $(reported enum answered) of $(reported enum sent), max $(reported enum latency_us_max) us"
    done
    rate_ratio=$(median "${rates[@]}")
    p99_ratio=$(median "${p99s[@]}")
    quiet_spread=$(ratio "$(printf '%s\n' "${quiet[@]}" | sort -g | tail -n 1)" "$(printf '%s\n' "${quiet[@]}" | sort -g | head -n 1)")
    per_enum=$(median "${per_enums[@]}")
    table+=$(printf '%-10s %12s %12s %8s %12s %12s %8s %9s/%-9s %9s %9s' "$name" "$(median "${quiet[@]}")" "$(median "${loaded[@]}")" "$rate_ratio" \
        "$(median "${quiet_p99[@]}")" "$(median "${loaded_p99[@]}")" "$p99_ratio" "$enum_answered" "$enum_sent" "$enum_p99" "$enum_max")$'\n'
}

# A Kamailio without the calls that the one before has not got to.
fresh_kamailio() {
    # Its worker may be asleep for seconds, and must not be left behind: the whole process group ends.
    [ -z "${peers[kamailio]:-}" ] || kill -KILL -- "-${peers[kamailio]}"
    stop kamailio 2>/dev/null
    free_port sip
    start kamailio unshare -m sh -c 'mount --bind "$0" /etc/resolv.conf && exec "$@"' "$work/resolv.conf" \
        kamailio -DD -E -m 64 -f tests/dns/kamailio_enum.cfg -A "SIP_ADDRESS=udp:$host:$sip"
    await "Kamailio listens" 10 anybody_has "$sip"
    # Its worker is a child of this one, which is asleep: no processor time is reported.
    pid=${peers[kamailio]}
    plain warm_up
}

table=$(printf '%-10s %12s %12s %8s %12s %12s %8s %19s %9s %9s' "" "quiet/s" "loaded/s" ratio "quiet p99 us" "loaded p99" ratio "ENUM answered/sent" "p99 us" "max us")$'\n'

start_misbehave blackhole silent
serve_dns waypost "$dns"
plain warm_up
measure Waypost 1000 true
echo "  processor time of Waypost per ENUM call: $per_enum us"
stop waypost
stop blackhole

check "every ENUM call is answered by its fallback" "$enum_answered == $enum_sent && $enum_sent > 0"
check "no answer is wrong and no plain call is lost" "$wrong == 0 && $lost == 0"
if [ "$judged" = figures ]; then
    # The caller sees the budget, and what a busy machine adds: less than T1, so nobody asks again.
    # A loaded half that is faster than its quiet one shows another user of the machine, not the server.
    check "the machine is quiet enough to tell: quiet halves differ by 10 % at most" "$quiet_spread <= 1.1"
    check "ENUM calls are answered before T1" "$enum_max < 500000"
    check "plain calls keep 97 % of their quiet rate" "$rate_ratio >= 0.97"
    check "the p99 of plain calls stays within 2 times" "$p99_ratio <= 2"
fi

if [ "$judged" = figures ] && command -v kamailio >/dev/null; then
    if [ "$(id -u)" != 0 ] || ! unshare -m true 2>/dev/null; then
        echo "Kamailio was not measured: that needs root and a mount namespace"
    else
        start blackhole "$misbehave" --listen "$host:53" --as silent
        await "the black hole listens on port 53" 5 anybody_has 53
        printf 'nameserver %s\noptions timeout:1 attempts:1\n' "$host" >"$work/resolv.conf"
        measure Kamailio 1000 fresh_kamailio
        kill -KILL -- "-${peers[kamailio]}"
        stop kamailio 2>/dev/null
        stop kamailio
        stop blackhole
    fi
fi

echo
echo "$table"
exit "$missed"
