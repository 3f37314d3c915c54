#!/usr/bin/env bash
# What calls are answered when DNS is NSD with real zones, and when it is a server that fails: whole
# answers, status and Contact, compared with behaviour.expected; and how long the failing ones took.
#
#   tests/dns/behaviour.sh      UPDATE=1 writes behaviour.expected
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/dns/ground.sh

expected=tests/dns/behaviour.expected
asked=0

# ask WHAT URI [SED SORT]: one line for its status and one for each Contact, into $work/answers; SED and
# SORT change these lines.
ask() {
    asked=$((asked + 1))
    {
        echo "$1: $2"
        "$waypost" ask "$2" --to "$host:$sip" --verbose 2>&1 | tr -d '\r' |
            awk '/^--- received/ { on = 1; next } /^---/ { on = 0 } on && /^ *(SIP\/2.0 |Contact:)/ { sub(/^ */, ""); gsub(/, </, ",\n             <"); print "    " $0 }' | sed "${3:-}" | "${4:-cat}" || true
    } >>"$work/answers"
}

: >"$work/answers"
cat >"$work/routes/routes.yaml" <<YAML
routes:
  - name: enum
    when: { number: "+44*" }
    enum: { apexes: [$apex], services: [sip, "pstn:sip"], within: 400ms }
  - name: located
    when: { host: "*.sip.example.net" }
    answer: { locate: "{host}", empty: 480 }
  - name: fallback
    answer: { code: 302, contact: "sip:{number}@fallback.example.net" }
YAML

make_zones 1000 300
start_nsd
serve_dns honest "$dns"
called() { printf 'sip:+44%s@example.com' "$1"; }
ask "a number" "$(called "20$(number_of 0)")"
ask "another number" "$(called "20$(number_of 999)")"
ask "no such number" "$(called "20$(number_of 1000)")"
ask "a wildcard" "$(called 21555)"
ask "a wildcard, many labels below it" "$(called 2155512345)"
ask "a wildcard" "$(called 170000000110)"
ask "below a wildcard" "$(called 170000000107)"
ask "order before preference" "$(called 17000000"02")"
ask "a chain of CNAMEs" "$(called 17000000"03")"
ask "a DNAME" "$(called 180001)"
ask "a DNAME, nothing behind it" "$(called 180002)"
ask "an answer that fits no datagram" "$(called 17000000"04")"
ask "TTL 0" "$(called 17000000"05")"
ask "TTL 0 again" "$(called 17000000"05")"
ask "no NAPTR" "$(called 17000000"06")"
ask "no such number" "$(called 17000000"07")"
ask "no NAPTR that is a call" "$(called 17000000"08")"
ask "an expression that does not match" "$(called 17000000"09")"
ask "groups and a flag" "$(called 17000000"10")"
ask "a CNAME that leads to itself" "$(called 17000000"11")"
ask "not a number" "sip:alice@example.com"
# The order of equal targets hangs on the Call-ID, which is another one each time.
ask "locate, by weight, in any order" "sip:alice@weighed.sip.example.net" "s/;q=[0-9.]*,*//; s/Contact:/        /" sort
for domain in nine twelve six choice plain closed empty missing; do
    ask "locate" "sip:alice@$domain.sip.example.net"
done

# The server that is right shows that its answer is taken: the others differ in one thing each.
for mode in right late:30 silent late:800 wrong-id wrong-port wrong-question other-name garbage cut loop truncated servfail refused lame; do
    start_misbehave failing "$mode"
    serve_dns waypost "$dns"
    ask "$mode" "$(called 2012345678)"
    # A hundred numbers in half a second, open loop: each within its budget. T1 is where the caller would
    # ask again; 400 ms is the budget, the rest is for a busy machine.
    if [[ $mode != right && $mode != late:30 ]]; then
        calls "$mode" --calls 100 --rate 200 --wait-ms 1000 --contact "<sip:+4420{n}@fallback.example.net>;q=0.99" || true
        all_right "$mode"
        echo "  $mode: 100 of 100 calls answered by the fallback, the slowest after $(reported "$mode" latency_us_max) us"
    fi
    stop waypost
    stop failing
done

# Nothing listens there at all: the kernel says so at once.
free_port dns
serve_dns waypost "$dns"
ask "nobody there" "$(called 2012345678)"
stop waypost

if [ -n "${UPDATE:-}" ]; then
    cp "$work/answers" "$expected"
    echo "wrote $expected: $asked answers"
    exit
fi
if ! diff -u "$expected" "$work/answers" >&2; then
    echo "FAILED: the answers differ from $expected; UPDATE=1 writes it, if they are right" >&2
    exit 1
fi
expect "answers as expected" "$asked" "$(grep -c '^[^ ]' "$expected")"
