#!/usr/bin/env bash
# The proof of "stateless": after 10,000 calls, millions more with Call-IDs and numbers of their own
# leave the resident memory of the server where it was, and each is answered.
#
#   benches/stateless.sh [CALLS [GROWTH_KIB]]      10000000 and 1024 by default
#
# CALLS       distinct calls after the first 10,000
# GROWTH_KIB  growth of VmRSS that is allowed: what an allocator and lazily mapped pages of the
#             program may take. At 10,000,000 calls, one byte kept for each would be 9,766 KiB.
#
# WAYPOST, LOAD  the server's program, the generator's (built here when not given); SIP_PORT and ADMIN_PORT on 127.0.0.1.
set -euo pipefail
cd "$(dirname "$0")/.."

calls=${1:-10000000}
growth_kib_max=${2:-1024}
sip_port=${SIP_PORT:-15060}
admin_port=${ADMIN_PORT:-19560}
warm_up=10000

for number in "$calls" "$growth_kib_max"; do
    if ! [[ $number =~ ^[1-9][0-9]{0,8}$ ]]; then
        echo "stateless: $number is not a number from 1 to 999999999" >&2
        exit 2
    fi
done

source tests/figures.sh
LOAD=${LOAD:-$(program load)}
if [[ -z ${WAYPOST:-} ]]; then
    cargo build --release --quiet
    WAYPOST=target/release/waypost
fi

directory=$(mktemp -d)
server=
clean_up() {
    if [[ -n $server ]]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$directory"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

mkdir "$directory/routes"
cat >"$directory/routes/all.yaml" <<'YAML'
routes:
  - name: all
    answer: { code: 302, contact: "sip:{user}@gateway.example.net" }
YAML

"$WAYPOST" serve --listen "udp:127.0.0.1:$sip_port" --admin "127.0.0.1:$admin_port" \
    --routes "$directory/routes" >"$directory/log" 2>&1 &
server=$!

# load OPTIONS…: the report on standard output; the status of the generator.
load() {
    "$LOAD" --to "127.0.0.1:$sip_port" --distinct-call-ids --pid "$server" "$@"
}

value_of() { # NAME REPORT
    awk -v name="$1" '$1 == name { print $2 }' <<<"$2"
}

for attempt in {1..50}; do
    if ! kill -0 "$server" 2>/dev/null; then
        echo "stateless: the server has ended:" >&2
        cat "$directory/log" >&2
        exit 1
    fi
    if load --calls 1 --wait-ms 200 >/dev/null 2>&1; then break; fi
    if ((attempt == 50)); then
        echo "stateless: the server on port $sip_port answers no call:" >&2
        load --calls 1 >&2 || true
        cat "$directory/log" >&2
        exit 1
    fi
    sleep 0.1
done

run() { # CALLS
    if ! load --calls "$1" --flows 2 --closed 64 --wait-ms 5000 --seconds 7200; then
        echo "stateless: not every call got its answer (the report is above)" >&2
        exit 1
    fi
}

first=$(run "$warm_up") || { echo "$first"; exit 1; }
second=$(run "$calls") || { echo "$second"; exit 1; }

before=$(value_of rss_kib "$first")
after=$(value_of rss_kib "$second")
growth=$((after - before))
echo "$second"
echo
echo "VmRSS after $warm_up calls:            $before KiB"
echo "VmRSS after $calls more calls: $after KiB"
echo "growth: $growth KiB (allowed: $growth_kib_max KiB); answered: $(value_of answered "$second") of $calls"
if ((growth > growth_kib_max)); then
    echo "stateless: FAILED, the server remembers something" >&2
    exit 1
fi
