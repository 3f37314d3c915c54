#!/usr/bin/env bash
# DNS servers that lie, each in another way, and one that does not: no lie may be in an answer.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/hostile/ground.sh
source tests/hostile/dns.sh

lies=(wrong-id wrong-port wrong-question other-name garbage cut loop truncated servfail refused lame)
routes=()
first=10 # Numbers of benches/load are spread evenly over their digits: each liar has those of two beginnings.
for lie in "${lies[@]}"; do
    liar "$lie"
    routes+=("{ name: $lie, when: { number: [\"+44$first*\", \"+44$((first + 1))*\"] }, enum: { apexes: [{ apex: $lie.example.net, servers: [\"$host:$dns\"] }], services: [sip] } }")
    first=$((first + 2))
done
all_routes "${routes[@]}"
serve
# gateway.example.net is the next route; a lie would be misbehave@dns.example.net.
load_on liars --rate $((rate / 2)) --uri 'sip:+44{n}@example.net' --contact '<sip:+44{n}@gateway.example.net>;q=0.99'
sleep "$(scaled 3 60)"
load_off liars
lied=$(curl -fsS "http://127.0.0.1:$admin/metrics" | awk '/^waypost_dns_answers_total/ && !/result="found"/ { n += $2 } END { print n + 0 }')
check "the liars were asked, and said nothing that was used" "$lied > 0"
expect "lies believed" "$(metric 'waypost_dns_answers_total{result="found",type="NAPTR"}')" 0
row 0 "DNS servers lying: ${#lies[@]} of them (wrong id, port, question, owner; garbage, cut, CNAME loop, truncated, SERVFAIL, REFUSED, lame)" \
    "0: no lie is used; the next route answers at once, or after 400 ms where nothing true comes"
