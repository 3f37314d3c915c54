# Sourced by the scripts here, each of which does one thing to a server while a load is held on it: the server and the
# load, on free ports of a loopback address that no other run has, and the row that is printed at the end.
#
# FORM       short (as CI has it; the default) or long
# RATE       calls a second of the load, each checked by benches/load; 1000 by default
# LOAD       the load generator (built here when not given), as MISBEHAVE, TABLEDATA
# ROWS       a file to which the row goes, too, as the table of README.md has it
[ -n "${work:-}" ] || source tests/interop/peers.sh
source tests/figures.sh

name=$(basename "$0" .sh)
form=${FORM:-short}
rate=${RATE:-1000}
load=${LOAD:-$(program load)}
calm=0.3 # Seconds between two steps: some hundred calls, in which a loss is seen.
hold_s_max=3600
[ "$form" = short ] || calm=3

# scaled SHORT LONG: the one of this form.
scaled() { if [ "$form" = short ]; then echo "$1"; else echo "$2"; fi; }

# all_routes [ROUTE...]: one route that answers all, behind those that are given.
all_routes() {
    {
        echo "routes:"
        printf '  - %s\n' "$@"
        echo '  - { name: all, answer: { code: 302, contact: "sip:{user}@gateway.example.net" } }'
    } | grep -v '^  - $' >"$work/routes/.new"
    mv "$work/routes/.new" "$work/routes/routes.yaml"
}
right=(--contact "<sip:+4420{n}@gateway.example.net>;q=0.99")

# serve [LISTENER...]: Waypost with the lines of $work/waypost.more, on UDP and what is given. Sets $sip, $admin, $pid.
serve() {
    [ -n "${sip:-}" ] || free_port sip
    grep -qs ^key: "$work/waypost.more" || echo "key: 000102030405060708090a0b0c0d0e0f" >>"$work/waypost.more"
    start_waypost waypost "udp:$host:$sip" "$@"
    pid=${peers[waypost]}
}

# wrapped COMMAND...: the server is started by it from now on; it must become the server (exec).
wrapped() {
    printf '#!/bin/sh\nexec' >"$work/wrapped"
    printf ' %q' "$@" "$(realpath "$waypost")" >>"$work/wrapped"
    echo ' "$@"' >>"$work/wrapped"
    chmod 755 "$work/wrapped"
    waypost=$work/wrapped
}

# load_on NAME OPTION...: calls from now on, until load_off. What holds its input open is a process of its own: no
# other that is started meanwhile does.
load_on() {
    local before
    before=$(answers)
    mkfifo "$work/$1.held"
    set -m
    "$load" --to "$host:$sip" --rate "$rate" --calls 100000000 --flows 8 --wait-ms "${wait_ms:-1000}" --until-eof \
        --seconds "$hold_s_max" "${@:2}" <"$work/$1.held" >"$work/$1.report" 2>&1 &
    peers[$1]=$!
    sleep "$hold_s_max" </dev/null >"$work/$1.held" 2>&1 &
    peers[hold-$1]=$!
    set +m
    disown "${peers[hold-$1]}" # No word of its end.
    await "the first answers to $1" 10 more_answers "$before"
    sleep "$calm"
}
answers() { curl -fsS --max-time 5 "http://127.0.0.1:$admin/metrics" | awk '/^waypost_answers_total/ { n += $2 } END { print n + 0 }'; }
more_answers() { [ "$(answers)" -gt "$1" ]; }

# load_off NAME: ends it, and sets $sent, $answered, $lost, $wrong, $held (answers a second while it sent), $p99_us.
load_off() {
    sleep "$calm"
    running "$1" || { cat "$work/$1.report" >&2; echo "FAILED: the load $1 ended before the end" >&2; exit 1; }
    stop "hold-$1"
    wait "${peers[$1]}" || true
    unset "peers[$1]"
    sent=$(reported "$1" sent) answered=$(reported "$1" answered) wrong=$(reported "$1" wrong)
    lost=$((sent - answered - wrong))
    p99_us=$(reported "$1" latency_us_p99)
    held=$(awk -v n="$answered" -v s="$(reported "$1" seconds)" -v w="${wait_ms:-1000}" 'BEGIN { s -= w / 1000; printf "%.0f", (s > 0) ? n / s : 0 }')
    [ "$sent" -gt 0 ] || { cat "$work/$1.report" >&2; echo "FAILED: the load $1 sent nothing" >&2; exit 1; }
    check "no answer to $1 is wrong" "$wrong == 0"
    [ "$wrong" = 0 ] || grep ^example "$work/$1.report" | cut -c 1-400
}

# row LOST_MAX WHAT WHY: judges what was lost of the last load, prints the row, and ends the script.
row() {
    check "requests lost" "$lost <= $1"
    check "the server still serves" "$(alive && echo 1 || echo 0) == 1"
    printf 'row: %-18s %6s answers/s held, %7d requests, %5d lost; %s; %s\n' "$name" "$held" "$sent" "$lost" "$2" "$3"
    if [ -n "${ROWS:-}" ]; then
        printf '| %s | %s/s | %s | %s | %s | `tests/hostile/%s.sh` |\n' "$2" "$held" "$sent" "$lost" "$3" "$name" >>"$ROWS"
    fi
    exit "$missed"
}
alive() { curl -fsS --max-time 5 -o /dev/null "http://127.0.0.1:$admin/healthz"; }

# reload: what a reload says came of it: loaded, unchanged, failed.
reload() { curl -s --max-time 60 -X POST "http://127.0.0.1:$admin/-/reload" | sed -n 's/.*"result": "\([a-z]*\)".*/\1/p'; }
# reload_is RESULT WHAT
reload_is() { expect "reload, $2" "$(reload)" "$1"; sleep "$calm"; }
# serves_route NAME: after a reload, which may be the one that brings it.
serves_route() { reload >/dev/null; curl -fsS "http://127.0.0.1:$admin/api/v1/routes" | grep "\"$1\"" >/dev/null; }
rss_kib() { awk '$1 == "VmRSS:" { print $2 }' "/proc/$pid/status"; }
files_open() { ls "/proc/$pid/fd" | wc -l; }
