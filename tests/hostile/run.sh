#!/usr/bin/env bash
# Faults and attacks, one after the other, each while a load is held on a server of its own; a row for each at the end.
#
#   tests/hostile/run.sh [short|long [NAME...]]
#
# short   what CI runs: three and a half minutes in all
# long    the same for as long as it takes to see what grows: the mix alone 30 minutes, all of it an hour and a quarter
# NAME    these only, as in README.md
#
# With UPDATE=1 the rows replace those of README.md. Needs what the scripts need: as root on Debian, it installs
# sipvicious, sipsak, zstd; tests/run.sh has the others.
set -euo pipefail
cd "$(dirname "$0")/../.."

form=${1:-short}
case $form in
    short) seconds_max=60 ;;
    long) seconds_max=2400 ;;
    *) echo "usage: tests/hostile/run.sh [short|long [NAME...]]" >&2; exit 2 ;;
esac

missing=()
for pair in svmap:sipvicious sipsak:sipsak zstd:zstd sipp:sip-tester /usr/sbin/nsd:nsd /usr/sbin/nats-server:nats-server python3:python3 curl:curl cc:gcc setpriv:util-linux; do
    command -v "${pair%:*}" >/dev/null || missing+=("${pair#*:}")
done
if [ "${#missing[@]}" -gt 0 ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "tests/hostile/run.sh needs these Debian packages: ${missing[*]}" >&2
        exit 1
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# The scripts are those that print a row; README.md has a row for each, and no other.
scripts() { grep -l '^row ' tests/hostile/*.sh | sed 's|.*/||; s|\.sh$||' | sort; }
rows() { sed -n 's/^|.*| `tests\/hostile\/\([a-z_]*\)\.sh` |$/\1/p' tests/hostile/README.md | sort; }
if [ "${UPDATE:-}" != 1 ] && ! diff <(scripts) <(rows) >&2; then
    echo "FAILED: tests/hostile/README.md does not have a row for each script, or has one without a script (above): UPDATE=1 tests/hostile/run.sh" >&2
    exit 1
fi
count=$(scripts | wc -l)
[ "$count" -ge 20 ] || { echo "FAILED: $count scripts found, expected 20 or more" >&2; exit 1; }

# In the order of README.md. Those that mostly wait, for times of the server or of a tool, run a few at a time.
waits=" http_source_gone nats_source_gone svmap svwar svcrack sipp_faults slow_senders slow_readers "
together=4
names=("${@:2}")
[ "${#names[@]}" -gt 0 ] || names=(
    dns_dead dns_slow dns_lying
    routes_deleted routes_half_written routes_unreadable disk_full
    http_source_gone nats_source_gone
    clock_jumps descriptors_exhausted admin_hammered
    killed killed_activated reload_storm table_truncated
    svmap svwar svcrack sipsak_flood sipp_faults slow_senders slow_readers
    mix
)
if [ "$#" -le 1 ] && ! diff <(scripts) <(printf '%s\n' "${names[@]}" | sort) >&2; then
    echo "FAILED: a script of tests/hostile is not run (above)" >&2
    exit 1
fi

work=$(mktemp -d)
mkdir "$work/logs"
source tests/figures.sh
# Built here, where no time limit cuts it short.
LOAD=${LOAD:-$(program load)}
MISBEHAVE=${MISBEHAVE:-$(program misbehave)}
if [ -z "${WAYPOST_NATS:-}" ] && [[ " ${names[*]} " == *" nats_source_gone "* ]]; then
    cargo build --locked --quiet --features nats
    WAYPOST_NATS=$work/waypost-nats
    cp target/debug/waypost "$WAYPOST_NATS"
fi
export LOAD MISBEHAVE WAYPOST_NATS=${WAYPOST_NATS:-} FORM=$form

# run NAME: its row and what it says go to files, its status is returned.
run() {
    local began=$SECONDS status=0
    ROWS=$work/$1.row timeout -k 10 "$seconds_max" "tests/hostile/$1.sh" >"$work/$1.out" 2>&1 || status=$?
    if [ "$status" = 0 ]; then
        grep '^row: ' "$work/$1.out" | sed "s/^row: //; s/\$/ ($((SECONDS - began)) s)/"
    else
        sed "s/^/$1: /" "$work/$1.out"
    fi
    return "$status"
}

declare -A pids=()
failed=()
finish() {
    local name
    for name in "${!pids[@]}"; do pkill -TERM -P "${pids[$name]}" 2>/dev/null || true; done # What runs them hands it on.
    wait
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
collect() {
    local name
    for name in "${!pids[@]}"; do
        wait "${pids[$name]}" || failed+=("$name")
    done
    pids=()
}
for name in "${names[@]}"; do
    [ -x "tests/hostile/$name.sh" ] || { echo "tests/hostile/run.sh: no script $name; there are $(scripts | tr '\n' ' ')" >&2; exit 2; }
    [[ $waits == *" $name "* ]] || run "$name" || failed+=("$name")
done
for name in "${names[@]}"; do
    [[ $waits == *" $name "* ]] || continue
    run "$name" &
    pids[$name]=$!
    [ "${#pids[@]}" -lt "$together" ] || collect
done
collect
if [ "${#failed[@]}" -gt 0 ]; then
    echo "FAILED: ${failed[*]}" >&2
    exit 1
fi
if [ "${UPDATE:-}" = 1 ]; then
    [ "$#" -le 1 ] || { echo "FAILED: UPDATE=1 takes all of them" >&2; exit 2; }
    for name in "${names[@]}"; do cat "$work/$name.row"; done >"$work/rows"
    awk -v rows="$work/rows" '/^<!-- rows -->$/ { print; while ((getline line < rows) > 0) print line; skip = 1; next } /^<!-- end of rows -->$/ { skip = 0 } !skip' \
        tests/hostile/README.md >"$work/README.md"
    cp "$work/README.md" tests/hostile/README.md
fi
echo "${#names[@]} faults and attacks in $SECONDS s, $form form"
