#!/usr/bin/env bash
# Real SIPp as the caller against the real server with the example routes: each answer whole, ten calls of
# each scenario, no call may fail. Then `waypost ask` gets the answer that the README shows.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/sipp/server.sh

start_server routes

call() { # call SCENARIO
    local status=0
    sipp "127.0.0.1:$sip" -sf "tests/sipp/$1.xml" -i 127.0.0.1 -m 10 -r 10 -timeout 30s -timeout_error -nostdin \
        -trace_err -error_file "$work/$1.err" >"$work/$1.out" 2>&1 || status=$?
    if [ "$status" != 0 ]; then
        tail -n 30 "$work/$1.out" >&2
        cat "$work/$1.err" >&2 || true
    fi
    expect "SIPp's exit status, $1" "$status" 0
}
call redirect
call refusal

expect "redirects counted" "$(metric 'waypost_answers_total{code="302"}')" 10
expect "emergencies counted" "$(metric 'waypost_answers_total{code="380"}')" 10
expect "ACKs absorbed" "$(metric 'waypost_silences_total{reason="ack"}')" 30

asked=$("$waypost" ask "sip:+12025550123@127.0.0.1:$sip" | sed 's/ *from .*//; s/  */ /g; s/^ //')
expect "waypost ask" "$asked" "302 Moved Temporarily
1 q=0.990 sip:+12025550123@198.51.100.12:5060 expires=60
2 q=0.980 sip:700112025550123@gw.acme.example.net"
