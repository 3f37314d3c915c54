#!/usr/bin/env bash
# Two baresips with the configuration that deploy/baresip offers: one dials a number at Waypost and follows
# the 302 to the other, which answers. Both say that the call is established, sound goes both ways, and the
# caller hangs up. Three calls.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/interop/peers.sh

free_port sip caller callee nobody caller_control callee_control
cat >"$work/routes/routes.yaml" <<ROUTES
gateways: { callee: "sip:$host:$callee", nobody: "sip:$host:$nobody" }
groups: { best: [ callee, { to: nobody, tier: 2 } ] }
routes:
  - name: dialled
    when: { number: "+442079460000" }
    answer: { group: best }
ROUTES
start_waypost waypost "udp:$host:$sip"

# set_value FILE KEY VALUE: in a copy of what is offered; the key must be there, perhaps commented out.
set_value() {
    grep -q "^#\?$2[[:space:]]" "$1" || { echo "FAILED: no $2 in $1" >&2; exit 1; }
    sed -i "s|^#\?$2[[:space:]].*|$2 $3|" "$1"
}

# start_baresip NAME PORT CONTROL_PORT ACCOUNT
start_baresip() {
    local folder=$work/$1
    cp -r deploy/baresip "$folder"
    set_value "$folder/config" sip_listen "$host:$2"
    set_value "$folder/config" ctrl_tcp_listen "$host:$3"
    set_value "$folder/config" net_interface "$host"
    echo "$4" >"$folder/accounts"
    start "$1" baresip -4 -f "$folder"
    await "$1 is ready" 10 grep -q 'baresip is ready' "$work/logs/$1"
}

# The account of a caller, and the one of a called user agent, as they are offered.
start_baresip caller "$caller" "$caller_control" "$(grep '^<' deploy/baresip/accounts | sed "s/@127.0.0.1:5060>/@$host:$sip>/")"
start_baresip callee "$callee" "$callee_control" "$(grep '^#<.*answermode=auto' deploy/baresip/accounts | sed "s/^#//; s/@192.0.2.20>/@$host:$callee>/")"
expect "accounts with the addresses of this run" "$(grep -l "@$host:" "$work"/call*/accounts | wc -l)" 2

exec {to_caller}<>"/dev/tcp/$host/$caller_control" {to_callee}<>"/dev/tcp/$host/$callee_control"
events() { exec cat <&"$1"; }
start caller.events events "$to_caller"
start callee.events events "$to_callee"

# tell DESCRIPTOR JSON: a command as a netstring.
tell() { printf '%d:%s,' "${#2}" "$2" >&"$1"; }

# happened NAME EVENT TIMES
happened() { [ "$(grep -o "\"type\":\"$2\"" "$work/logs/$1.events" | wc -l)" = "$3" ]; }

# heard NAME CALLS: RTP of so many calls has come.
heard() { [ "$(grep -c "incoming rtp for 'audio' established" "$work/logs/$1")" = "$2" ]; }

for n in 1 2 3; do
    tell "$to_caller" '{"command":"dial","params":"+442079460000"}'
    await "caller: call $n is established" 10 happened caller CALL_ESTABLISHED "$n"
    await "callee: call $n is established" 10 happened callee CALL_ESTABLISHED "$n"
    await "caller: sound of call $n arrives" 10 heard caller "$n"
    await "callee: sound of call $n arrives" 10 heard callee "$n"
    tell "$to_caller" '{"command":"hangup"}'
    await "caller: call $n has ended" 10 happened caller CALL_CLOSED "$n"
    await "callee: call $n has ended" 10 happened callee CALL_CLOSED "$n"
    echo "  call $n: established on both sides, heard on both sides, ended on both sides"
done
at_least "redirects counted" "$(metric 'waypost_answers_total{code="302"}')" 3
at_least "ACKs absorbed" "$(metric 'waypost_silences_total{reason="ack"}')" 3
