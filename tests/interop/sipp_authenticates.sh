#!/usr/bin/env bash
# SIPp as a caller that is asked for credentials: with the right password it is redirected, with a wrong one it is
# not. SIPp 3.6 knows no SHA-256, and gives up at the first challenge that it does not know: the realm offers MD5.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/interop/peers.sh

free_port sip
realm=sip.example.net
ha1() { printf '%s' "$1:$realm:$2" | "$3" | cut -d' ' -f1; }
mkdir "$work/routes/data"
{
    echo "alice:$realm:SHA-256:$(ha1 alice secret sha256sum)"
    echo "alice:$realm:MD5:$(ha1 alice secret md5sum)"
} >"$work/routes/data/users.txt"
cat >"$work/routes/routes.yaml" <<ROUTES
defaults: { unknown: { policy: refuse } }
access:
  callers: { sources: $host, policy: answer, authenticate: { realm: $realm, users: data/users.txt, algorithms: MD5 } }
routes:
  - { name: alice, when: { username: alice }, answer: { contact: "sip:{number}@gw.example.net" } }
  - { name: nobody, answer: 410 }
ROUTES
start_waypost waypost "udp:$host:$sip"

called=+442079460123
uri="$called@$host:$sip" # SIPp puts "sip:" before it
calls=20
echo "with the right password"
run_uac caller tests/interop/uac_authenticates.xml "$calls" "$host:$sip" -t u1 \
    -key called "$called" -au alice -ap secret -auth_uri "$uri"
at_least "challenges counted" "$(metric 'waypost_answers_total{code="401"}')" "$calls"
at_least "redirects counted" "$(metric 'waypost_answers_total{code="302"}')" "$calls"
expect "answers of nobody's route" "$(metric 'waypost_answers_total{code="410"}')" 0

echo "with a wrong password"
redirects=$(metric 'waypost_answers_total{code="302"}')
status=0
timeout -k 2 40 "$sipp" "$host:$sip" -sf tests/interop/uac_authenticates.xml -i "$host" -m 5 -r 50 -nostdin -timeout 20s \
    -key called "$called" -au alice -ap wrong -auth_uri "$uri" >"$work/logs/wrong" 2>&1 </dev/null || status=$?
expect "SIPp's exit status: calls failed" "$status" 1
expect "redirects counted since" "$(($(metric 'waypost_answers_total{code="302"}') - redirects))" 0
