#!/usr/bin/env bash
# What Waypost sends to Homer, taken by sngrep, which is no code of ours: it asks for the key, takes the packets out of
# HEP3 and writes what was in them as if it had been on the wire. tshark then reads every call from that: addresses,
# ports, times, SIP.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/interop/peers.sh

calls=20
cp -r routes/. "$work/routes"
free_port sip homer
echo "set eep.listen.pass of-this-run" >"$work/sngreprc"
echo "of-this-run" >"$work/hep.key"
start sngrep sngrep -F -f "$work/sngreprc" -N -q -L "udp:127.0.0.1:$homer" -O "$work/homer.pcap"
await "sngrep listens" 10 anybody_has "$homer"
echo "hep: {to: \"127.0.0.1:$homer\", agent_id: 7, node: lon-1, key_file: hep.key}" >"$work/waypost.more"
start_waypost waypost "udp:$host:$sip"

began=$(date +%s)
"$waypost" ask "sip:+12025550123@$host:$sip" --count "$calls" >"$work/logs/ask"
sent() { [ "$(metric 'waypost_hep_packets_total{result="sent"}')" -ge $((3 * calls)) ]; }
await "all is sent" 10 sent
is_written() { fields | awk 'END { exit NR < 3 * '"$calls"' }'; }
fields() {
    tshark -r "$work/homer.pcap" -d "udp.port==$sip,sip" -T fields -E separator=' ' -e ip.src -e udp.srcport -e ip.dst -e udp.dstport \
        -e frame.time_epoch -e sip.Call-ID -e sip.CSeq -e sip.Status-Code 2>"$work/logs/tshark"
}
await "sngrep has written all" 10 is_written
stop sngrep INT
fields >"$work/fields"

# Of each call: INVITE and ACK from a port of ours to Waypost, the 302 back to that port.
expect "requests to Waypost" "$(awk -v h="$host" -v p="$sip" '$3 == h && $4 == p && NF == 8' "$work/fields" | wc -l)" $((2 * calls))
expect "of them with a time of this test" "$(awk -v from="$began" -v to="$(date +%s)" '$5 >= from && $5 < to + 1' "$work/fields" | wc -l)" $((3 * calls))
expect "answers from Waypost" "$(awk -v h="$host" -v p="$sip" '$1 == h && $2 == p && $NF == 302' "$work/fields" | wc -l)" "$calls"
