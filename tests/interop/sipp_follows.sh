#!/usr/bin/env bash
# SIPp as a caller that follows Waypost's 302 to another SIPp, over UDP or TCP: every call is answered there and
# ended. (Over TLS, SIPp can change the destination of a call no more: sipp_streams.sh.) First to the better of two Contacts, then to two that share the calls.
# Usage: sipp_follows.sh udp|tcp
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/interop/peers.sh

transport=${1:-}
case $transport in
    udp) parameter="" sockets=(-t u1) uas_sockets=(-t u1) ;;
    tcp) parameter=";transport=tcp" sockets=(-t tn -max_socket 200) uas_sockets=(-t t1) ;;
    *) echo "sipp_follows.sh udp|tcp, not $transport" >&2; exit 2 ;;
esac
free_port sip lon nyc nobody
cat >"$work/routes/routes.yaml" <<ROUTES
gateways:
  lon: "sip:$host:$lon$parameter"
  nyc: "sip:$host:$nyc$parameter"
  nobody: "sip:$host:$nobody$parameter"
groups:
  best: [ lon, { to: nobody, tier: 2 } ]
  shared: [ { to: lon, weight: 1 }, { to: nyc, weight: 1 } ]
routes:
  - name: shared
    when: { from: { number: "+441632960002" } }
    answer: { group: shared }
  - name: best
    when: { number: "+44*" }
    answer: { group: best }
ROUTES
start_waypost waypost "$transport:$host:$sip"

echo "over $transport, to the Contact with the highest q"
start_uas lon "$lon" "${uas_sockets[@]}"
run_uac caller tests/interop/follow.xml 50 "$host:$sip" "${sockets[@]}" -key caller +441632960001
stop_uas lon
expect "calls answered and ended at lon" "$answered" 50
at_least "redirects counted" "$(metric 'waypost_answers_total{code="302"}')" 50

echo "over $transport, to two that share the calls"
start_uas lon "$lon" "${uas_sockets[@]}"
start_uas nyc "$nyc" "${uas_sockets[@]}"
run_uac caller tests/interop/follow.xml 50 "$host:$sip" "${sockets[@]}" -key caller +441632960002
stop_uas lon
at_lon=$answered
stop_uas nyc
at_nyc=$answered
expect "calls answered and ended at lon or nyc" "$((at_lon + at_nyc))" 50
# Each call goes to one of them with a chance of a half: that one gets none has a chance of 2^-49.
expect "both got some" "$((at_lon > 0 && at_nyc > 0))" 1
at_least "redirects counted" "$(metric 'waypost_answers_total{code="302"}')" 100
