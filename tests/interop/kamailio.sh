#!/usr/bin/env bash
# Kamailio with the configuration that deploy/kamailio offers, between a SIPp that calls and two SIPps that
# answer: it asks two Waypost nodes, one over UDP and one over TCP, takes the Contacts in the order of q, and the caller never sees a redirect.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/interop/peers.sh

free_port proxy one two first second
cat >"$work/routes/routes.yaml" <<ROUTES
gateways: { first: "sip:$host:$first", second: "sip:$host:$second" }
groups: { both: [ first, { to: second, tier: 2 } ] }
routes:
  - name: not ours
    when: { number: "+4416329601*" }
    answer: { code: 404 }
  - name: one Contact
    when: { number: "+4416329602*" }
    answer: { contact: "sip:{number}@$host:$second" }
  - name: two Contacts
    when: { number: "+441632960*" }
    answer: { group: both }
ROUTES
start_waypost one "udp:$host:$one"
admin_one=$admin
start_waypost two "tcp:$host:$two"
admin_two=$admin

printf '%s\n' "1 sip:$host:$one 0 0" "1 sip:$host:$two;transport=tcp 0 0" >"$work/waypost.list"
echo "1 $host 32 0 callers" >"$work/callers.list"
values=(
    -A "PROXY_ADDRESS=$host:$proxy"
    -A "WAYPOST_LIST=\"$work/waypost.list\""
    -A "CALLERS_LIST=\"$work/callers.list\""
    -A "CONTROL_SOCKET=\"unix:$work/kamailio_ctl\""
    -A "WAYPOST_PING_INTERVAL=1"
)
checked=0
kamailio -c -f deploy/kamailio/kamailio.cfg "${values[@]}" >"$work/logs/kamailio-c" 2>&1 || checked=$?
expect "kamailio -c, exit status" "$checked" 0
start kamailio kamailio -DD -E -m 32 -f deploy/kamailio/kamailio.cfg "${values[@]}"
control() { kamcmd -s "unix:$work/kamailio_ctl" "$@" 2>&1; }
nodes_active() { [ "$(control dispatcher.list | grep -c 'FLAGS: AP')" = "$1" ]; }
await "Kamailio sees both Waypost nodes answer OPTIONS" 15 nodes_active 2

redirects_by() { admin=$1 metric 'waypost_answers_total{code="302"}'; } # redirects_by ADMIN_PORT
redirects() { echo $(($(redirects_by "$admin_one") + $(redirects_by "$admin_two"))); }

# calls NAME CALLED: thirty calls that are answered, with a redirect each.
calls() {
    local before
    before=$(redirects)
    run_uac "$1" tests/interop/uac.xml 30 "$host:$proxy" -key called "$2"
    at_least "redirects by Waypost" "$(($(redirects) - before))" 30
}

# refused NAME CALLED CODE: thirty calls that are refused, all with this code.
refused() {
    sed "s/response=\"404\"/response=\"$3\"/" tests/interop/uac_refused.xml >"$work/$1.xml"
    run_uac "$1" "$work/$1.xml" 30 "$host:$proxy" -key called "$2"
}

echo "both gateways alive: the first gets all calls"
start_uas first "$first"
start_uas second "$second"
calls alive +441632960001
answered_by first 30
answered_by second 0
at_least "redirects over UDP" "$(redirects_by "$admin_one")" 15
at_least "redirects over TCP" "$(redirects_by "$admin_two")" 15

echo "the first gateway dead: the second gets all calls"
start_uas second "$second"
calls dead +441632960001
answered_by second 30

echo "the first gateway says 503: the second gets all calls"
uas=tests/interop/uas_refuses.xml start_uas first "$first"
start_uas second "$second"
calls full +441632960001
answered_by first 30
answered_by second 30

echo "the first gateway says 486: that is the answer"
sed 's/503 Service Unavailable/486 Busy Here/' tests/interop/uas_refuses.xml >"$work/busy.xml"
uas=$work/busy.xml start_uas first "$first"
start_uas second "$second"
refused busy +441632960001 486
answered_by first 30
answered_by second 0

echo "both gateways dead: no redirect reaches the caller"
refused nobody +441632960001 408

echo "one Contact"
start_uas second "$second"
calls single +441632960201
answered_by second 30

echo "refused by Waypost"
refused unknown +441632960101 404

echo "one Waypost node gone: Kamailio asks the other"
stop one
before=$(redirects_by "$admin_two")
start_uas first "$first"
run_uac failover tests/interop/uac.xml 30 "$host:$proxy" -key called +441632960001
answered_by first 30
at_least "redirects by the other" "$(($(redirects_by "$admin_two") - before))" 30
await "Kamailio sees that one is gone" 15 nodes_active 1
