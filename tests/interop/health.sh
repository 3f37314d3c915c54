#!/usr/bin/env bash
# Real gateways probed by Waypost: a Kamailio over UDP and over TCP, and a SIPp, which end and start again. What is
# dead leaves the Contacts that a caller gets, and returns.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/interop/peers.sh

free_port waypost_port kamailio sipp_port
cat >"$work/kamailio.cfg" <<CONFIG
children=1
tcp_children=1
auto_aliases=no
log_stderror=yes
listen=udp:$host:$kamailio
listen=tcp:$host:$kamailio
loadmodule "sl.so"
request_route {
    if (method == "OPTIONS") { sl_send_reply("200", "OK"); exit; }
    sl_send_reply("403", "Forbidden");
}
CONFIG
cat >"$work/options.xml" <<'SCENARIO'
<?xml version="1.0" encoding="UTF-8"?>
<scenario name="answers OPTIONS with 404, which is alive all the same">
  <recv request="OPTIONS"/>
  <send><![CDATA[
    SIP/2.0 404 Not Found
    [last_Via:]
    [last_From:]
    [last_To:];tag=[pid]t[call_number]
    [last_Call-ID:]
    [last_CSeq:]
    Content-Length: 0

  ]]></send>
</scenario>
SCENARIO
cat >"$work/routes/routes.yaml" <<ROUTES
defaults:
  health: { probe: true, interval_s: 1, timeout_ms: 500, failures: 2, successes: 2 }
gateways:
  udp: "sip:$host:$kamailio"
  tcp: "sip:$host:$kamailio;transport=tcp"
  sipp: "sip:$host:$sipp_port"
routes:
  - answer: { contacts: [ udp, tcp, sipp ] }
ROUTES

# contacts: the hosts and ports that a caller is sent to.
contacts() {
    "$waypost" ask "sip:+441632960001@$host:$waypost_port" --json | grep -o "\"sip:[^\"]*\"" | grep -o "$host:[0-9]*[^\"]*" | grep -v ":$waypost_port" | sort | tr '\n' ' '
}
are() { [ "$(contacts)" = "$1" ]; }

start_kamailio() {
    start kamailio kamailio -DD -E -m 32 -f "$work/kamailio.cfg"
    await "Kamailio listens" 10 anybody_has "$kamailio"
}
start_sipp() {
    start sipp "$sipp" -sf "$work/options.xml" -i "$host" -p "$sipp_port" -nostdin
    await "SIPp listens" 10 anybody_has "$sipp_port"
}

kamailio_is="$host:$kamailio $host:$kamailio;transport=tcp "
sipp_is="$host:$sipp_port "
all=$(printf '%s\n' "$host:$kamailio" "$host:$kamailio;transport=tcp" "$host:$sipp_port" | sort | tr '\n' ' ')

start_kamailio
start_sipp
start_waypost health "udp:$host:$waypost_port"
await "probes are answered over UDP and TCP, by Kamailio and SIPp" 15 eval '[ "$(metric "waypost_gateway_probes_total{result=\"alive\"}")" -ge 6 ]'
expect "Contacts while all are alive" "$(contacts)" "$all"

echo "Kamailio is killed"
kill -KILL -- "-${peers[kamailio]}"
wait "${peers[kamailio]}" 2>/dev/null || true
unset "peers[kamailio]"
await "Kamailio is out, over UDP and TCP" 15 are "$sipp_is"
expect "gateways down" "$(metric waypost_gateways_down)" 2

echo "SIPp ends as well: all are offered"
stop sipp KILL
await "all are down" 15 eval '[ "$(metric waypost_gateways_down)" = 3 ]'
expect "Contacts while all are dead" "$(contacts)" "$all"

echo "Kamailio is started again"
start_kamailio
await "Kamailio is back, and SIPp is not" 15 are "$kamailio_is"

echo "an operator takes it out, and gives it back"
"$waypost" ctl gateways down udp --admin "127.0.0.1:$admin" >/dev/null
expect "Contacts" "$(contacts)" "$host:$kamailio;transport=tcp "
"$waypost" ctl gateways auto udp --admin "127.0.0.1:$admin" >/dev/null
expect "Contacts" "$(contacts)" "$kamailio_is"

start_sipp
await "SIPp is back" 15 are "$all"
expect "gateways down" "$(metric waypost_gateways_down)" 0
