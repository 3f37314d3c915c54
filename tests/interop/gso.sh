#!/usr/bin/env bash
# Answers that leave as one (batching: {gso: true}), made of one length by spaces before the value of Content-Length, as
# SIPp and Kamailio read them: every call goes to its end. Waypost is held for a moment while calls come in, so that many
# answers to one peer are due at once.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/interop/peers.sh

free_port sip lon proxy
cat >"$work/routes/routes.yaml" <<ROUTES
gateways: { lon: "sip:$host:$lon", nobody: "sip:$host:9" }
groups: { both: [ lon, { to: nobody, tier: 2 } ] }
routes:
  - { name: all, when: { number: "+44*" }, answer: { group: both } }
ROUTES
echo "batching: {gso: true}" >"$work/waypost.more"
start_waypost waypost "udp:$host:$sip"

# hold: again and again, for less than the first retransmission takes (T1, 500 ms).
hold() {
    local _
    for _ in $(seq 10); do
        kill -STOP "${peers[waypost]}"
        sleep 0.15
        kill -CONT "${peers[waypost]}"
        sleep 0.05
    done
}

# held NAME SCENARIO DESTINATION ARGUMENT...: 200 calls while Waypost is held.
held() {
    hold &
    run_uac "$1" "$2" 200 "$3" -r 200 -t u1 "${@:4}"
    wait $!
}

echo "SIPp follows answers that left as one"
start_uas lon "$lon" -t u1
held caller tests/interop/follow.xml "$host:$sip" -key caller +441632960001 -trace_msg -message_file "$work/messages"
stop_uas lon
expect "calls answered and ended at lon" "$answered" 200
at_least "answers that were made longer" "$(grep -c '^Content-Length: \{2,\}0' "$work/messages")" 5

echo "Kamailio follows them"
echo "1 sip:$host:$sip 0 0" >"$work/waypost.list"
echo "1 $host 32 0 callers" >"$work/callers.list"
start kamailio kamailio -DD -E -m 32 -f deploy/kamailio/kamailio.cfg -A "PROXY_ADDRESS=$host:$proxy" \
    -A "WAYPOST_LIST=\"$work/waypost.list\"" -A "CALLERS_LIST=\"$work/callers.list\"" \
    -A "CONTROL_SOCKET=\"unix:$work/kamailio_ctl\"" -A "WAYPOST_PING_INTERVAL=1"
node_active() { kamcmd -s "unix:$work/kamailio_ctl" dispatcher.list 2>&1 | grep -q 'FLAGS: AP'; }
await "Kamailio sees Waypost answer OPTIONS" 15 node_active
start_uas lon "$lon"
held through_kamailio tests/interop/uac.xml "$host:$proxy" -key called +441632960001
stop_uas lon
expect "calls answered and ended at lon" "$answered" 200
at_least "redirects counted" "$(metric 'waypost_answers_total{code="302"}')" 400
