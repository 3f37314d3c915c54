#!/usr/bin/env bash
# svcrack of SIPVicious tries passwords of a user that exists, and the right one is among them: by REGISTER, as phones
# do, and by INVITE. Needs the Debian package sipvicious.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/hostile/ground.sh
source tests/hostile/sipvicious.sh

mkdir -p "$work/routes/data"
printf '1000:sip.example.net:MD5:%s\n' "$(printf '1000:sip.example.net:1234' | md5sum | cut -d ' ' -f 1)" >"$work/routes/data/users.txt"
chmod 600 "$work/routes/data/users.txt"
strangers_are refuse '{ realm: sip.example.net, users: data/users.txt, algorithms: [MD5] }'
serve_strangers
load_on calls "${right[@]}"
vicious_s_max=$(scaled 15 300)
pids=()
for method in REGISTER INVITE; do
    vicious "$method" svcrack -u 1000 -m "$method" -r "$(scaled 1200-1250 1-9999)" --maximumtime=1 -P "$(a_port)" \
        -x 127.0.0.1 -p "$strangers" "$host" &
    pids+=($!)
done
wait "${pids[@]}"
for method in REGISTER INVITE; do
    echo "  svcrack -m $method: $(grep -v '^$' "$work/logs/$method" | tail -n 1 | cut -c 1-120)"
    expect "passwords found by $method" "$(grep -cE '^\| *1000 *\|' "$work/logs/$method" || true)" 0
    at_least "requests of it by $method" "$(metric "waypost_requests_total{method=\"$method\",transport=\"udp\"}")" 1
done
load_off calls
tried=$(metric 'waypost_answers_total{code="401"}')
at_least "challenges" "$tried" 1
row 0 "svcrack (REGISTER, INVITE) with the right password among those it tries ($tried challenges)" \
    "0: a nonce is for one Call-ID and From tag, which svcrack changes between challenge and answer. Other tools can try passwords, as fast as the policy lets their source ask: make them long"
