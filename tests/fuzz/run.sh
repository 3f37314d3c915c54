#!/usr/bin/env bash
# Runs the fuzz targets, each for a time, two at once: tests/fuzz/run.sh [SECONDS] [TARGET...]
#
# Takes the committed corpora as they are and keeps what it grows in a folder of its own, which is gone
# afterwards. A finding is kept in tests/fuzz/artifacts; the exit code is 1 then. It needs no second
# toolchain: coverage is part of the stable compiler, and address checks are not wanted of code that is
# safe Rust. Installs cargo-fuzz when there is none.
set -euo pipefail
cd "$(dirname "$0")"

seconds="${1:-20}"
shift || true
mapfile -t known < <(sed -n 's/^name = "\(.*\)"/\1/p' Cargo.toml | grep -v '^waypost-fuzz$')
targets=("${@:-${known[@]}}")
if ! [[ "$seconds" =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: tests/fuzz/run.sh [SECONDS] [TARGET...]; targets: ${known[*]}" >&2
    exit 2
fi
for target in "${targets[@]}"; do
    if ! printf '%s\n' "${known[@]}" | grep -qx "$target"; then
        echo "no target $target; there are: ${known[*]}" >&2
        exit 2
    fi
done
command -v c++ >/dev/null || { echo "tests/fuzz/run.sh needs the Debian package g++" >&2; exit 1; }
source ../tools.sh
tool cargo-fuzz@0.13.1

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
fuzz=(cargo fuzz)

echo "building ${targets[*]}"
if ! "${fuzz[@]}" build --fuzz-dir . --sanitizer none >"$scratch/build.log" 2>&1; then
    cat "$scratch/build.log" >&2
    exit 1
fi

# Longest input, in bytes: a little more than a message may have; a route file that has all there is.
length_of() {
    case "$1" in
        uri | via | naptr) echo 2048 ;;
        framing) echo 40000 ;;
        *) echo 17000 ;;
    esac
}

# run TARGET: says what came of it; 1 for a finding, or when it hardly ran.
run() {
    local target=$1 grown="$scratch/$1" log="$scratch/$1.log" runs cover artifact
    mkdir -p "$grown" "artifacts/$target"
    # 5 s for one input: none takes longer than a few milliseconds.
    if "${fuzz[@]}" run --fuzz-dir . --sanitizer none "$target" "$grown" "corpus/$target" -- \
        -max_total_time="$seconds" -max_len="$(length_of "$target")" -timeout=5 -rss_limit_mb=2048 \
        -dict=sip.dict -print_final_stats=1 >"$log" 2>&1; then
        runs="$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
        cover="$(grep -o 'cov: [0-9]* ft: [0-9]*' "$log" | tail -1)"
        echo "$target: ${runs:-no} runs in $seconds s, ${cover:-no coverage}"
        # A run that saw nothing would pass for one that found nothing.
        [ "${runs:-0}" -gt 100 ] && return
        echo "$target: hardly ran" >&2
        tail -20 "$log" >&2
        return 1
    fi
    grep -v '^#' "$log" | tail -60 >&2
    artifact="$(grep -o 'artifacts/[^ ]*' "$log" | tail -1 || true)"
    echo "$target: FINDING in tests/fuzz/${artifact:-artifacts/$target}" >&2
    echo "replay: cd tests/fuzz && cargo fuzz run --fuzz-dir . --sanitizer none $target ${artifact:-ARTIFACT}" >&2
    return 1
}

# As many at once as there are processors, two at most: each is one thread.
together=$(($(nproc) < 2 ? 1 : 2))
failed=0 under_way=0
for target in "${targets[@]}"; do
    if [ "$under_way" = "$together" ]; then
        wait -n || failed=1
        under_way=$((under_way - 1))
    fi
    run "$target" &
    under_way=$((under_way + 1))
done
while [ "$under_way" -gt 0 ]; do
    wait -n || failed=1
    under_way=$((under_way - 1))
done
exit "$failed"
