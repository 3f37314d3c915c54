#!/usr/bin/env bash
# svwar of SIPVicious looks for extensions, of which ten exist. Where everybody may ask it finds those whose route
# answers otherwise, which shows that it can; where callers need credentials, none. Needs the Debian package sipvicious.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/hostile/ground.sh
source tests/hostile/sipvicious.sh

extensions=$(scaled 990-1029 100-9999)
war() { # war NAME METHOD
    vicious "$1" svwar --force --maximumtime=1 -P "$(a_port)" -x 127.0.0.1 -p "$strangers" -e "$extensions" -m "$2" "$host"
}
# told NAME: the lines of its table.
told() { grep -cE '^\| *[0-9]+ *\|' "$work/logs/$1" || true; }
ten='{ name: ten, when: { user: [1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009] }, answer: { code: 302, contact: "sip:{user}@ten.example.net" } }'
# The load is for numbers; whatever else is called is not there.
rest='{ name: rest, when: { not: { user: "+*" } }, answer: 404 }'

all_routes "$ten" "$rest"
serve_strangers
load_on open "${right[@]}"
war open INVITE
load_off open
expect "open to all: extensions that svwar finds" "$(told open)" 10
open_sent=$sent open_lost=$lost
stop waypost

mkdir -p "$work/routes/data"
for user in {1000..1009}; do
    printf '%s:sip.example.net:MD5:%s\n' "$user" "$(printf '%s:sip.example.net:%s' "$user" "$user" | md5sum | cut -d ' ' -f 1)"
done >"$work/routes/data/users.txt"
chmod 600 "$work/routes/data/users.txt"
strangers_are refuse '{ realm: sip.example.net, users: data/users.txt, algorithms: [MD5] }' "$ten" "$rest"
serve_strangers
load_on closed "${right[@]}"
pids=()
for method in REGISTER INVITE OPTIONS; do
    war "$method" "$method" &
    pids+=($!)
done
wait "${pids[@]}"
for method in REGISTER INVITE OPTIONS; do
    expect "with credentials: extensions that svwar finds by $method" "$(told "$method")" 0
done
# It gives up after the first answer of a kind; so each is asked for by ourselves, too, and all must be told the same.
for user in {995..1014}; do
    python3 tests/hostile/say.py udp "$host" "$strangers" INVITE "$user"
done | sed 's/nonce="[^"]*"/nonce/; s/\b\(99[0-9]\|10[01][0-9]\)\b/USER/g' | sort -u >"$work/told"
expect "different answers to INVITEs for twenty extensions" "$(wc -l <"$work/told")" 1
load_off closed
sent=$((sent + open_sent)) lost=$((lost + open_lost))
row 0 "svwar (REGISTER, INVITE, OPTIONS) for extensions $extensions, of which ten exist" \
    "0: where everybody may ask, it finds what the routes answer otherwise, which is the policy; with credentials nothing, for users that exist and others get the same challenge"
