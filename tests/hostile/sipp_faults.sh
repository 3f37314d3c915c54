#!/usr/bin/env bash
# SIPp calls over links with random faults: its own (-lost), one that loses, doubles and reorders datagrams, and one that
# cuts and bends them. Over the first two, each call must be redirected in the end.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/hostile/ground.sh

all_routes
serve
calls=$(scaled 200 5000)
free_port link spoiling

sipp_calls() { # sipp_calls NAME PORT ARGUMENT...: returns SIPp's exit status.
    timeout -k 2 600 "$sipp" "$host:$2" -sf tests/hostile/faulty_link.xml -i "$host" -m "$calls" -r "$(scaled 100 200)" -l 1000 \
        -max_invite_retrans 8 -nostdin -timeout "$(scaled 40 400)s" -timeout_error "${@:3}" -trace_stat -stf "$work/$1.csv" -fd 1 \
        -trace_err -error_file "$work/logs/$1.errors" >"$work/logs/$1" 2>&1 </dev/null
}
link() { # link NAME PORT FAULT...
    start "$1" python3 tests/hostile/faulty_link.py "$host" "$2" "$host" "$sip" 1 "${@:3}"
    await "the link $1 is there" 5 anybody_has "$2"
}

load_on calls "${right[@]}"
link link "$link" lost doubled held_back
link spoiling "$spoiling" lost cut bent
status=0
sipp_calls lost "$sip" -lost 10 &
of_lost=$!
sipp_calls linked "$link" || status=$?
expect "SIPp's exit status over the faulty link" "$status" 0
wait "$of_lost" || status=$?
expect "SIPp's exit status with -lost 10" "$status" 0
expect "calls redirected over the faulty link" "$(sipp_count linked 'SuccessfulCall(C)')" "$calls"
# Requests that were bent get what they deserve: calls may fail, the server may not.
calls=$((calls / 2)) sipp_calls spoilt "$spoiling" -timeout "$(scaled 5 60)s" || true
load_off calls
stop link
stop spoiling
cp "$work/logs/link" "$work/link.report"
cp "$work/logs/spoiling" "$work/spoiling.report"
expect "answers that another transmission of the same request got otherwise" "$(reported link changed)" 0
at_least "datagrams lost" "$(reported link lost)" 10
at_least "datagrams cut or bent" "$(($(reported spoiling cut) + $(reported spoiling bent)))" 5
refused=$(curl -fsS "http://127.0.0.1:$admin/metrics" | awk '/^waypost_(refused_requests|silences)_total/ && !/"ack"/ { n += $2 } END { print n + 0 }')
at_least "spoilt requests refused or passed over" "$refused" 1
row 0 "SIPp over faulty links: 10 % lost, doubled, reordered (every call redirected); cut and bent ($refused refused or passed over)" \
    "0: the same request gets the same bytes, however often it comes; what is spoilt gets 400 or nothing"
