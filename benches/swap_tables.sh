#!/usr/bin/env bash
# A compiled table of ROWS ported numbers: how long a start takes and how long a swap to another one, until it answers.
#
#   benches/swap_tables.sh [ROWS [SWAPS]]      100000000 rows, 6 swaps by default; 5 GB of disk below TMPDIR for that
#
# Judged: the start, and the median of the swaps, each take less than a second. The files are in the page cache,
# where they have just been written. A virtual machine that has never touched its memory is slower by a second:
# its host must find each page first; the swaps touch it.
#
# WAYPOST (target/release/waypost), TABLEDATA, START_MS_MAX, SWAP_MS_MAX.
set -euo pipefail
cd "$(dirname "$0")/.."
rows=${1:-100000000} swaps=${2:-6}
source benches/tables_ground.sh
for number in "$rows" "$swaps"; do whole swap_tables "$number"; done

mkdir -p "$work/source/data" "$work/swap.routes/data"
cat >"$work/swap.routes/routes.yaml" <<'YAML'
tables:
  ported: { file: data/ported.wpt }
routes:
  - name: dip
    when: { in: ported }
    answer: { code: 302, contact: "sip:{number};rn={ported.rn};npdi@gw.example.net" }
YAML
printf 'tables:\n  ported: { file: data/ported.csv, match: exact, header: true }\n' >"$work/source/tables.yaml"
for version in 0 1; do
    "$TABLEDATA" ported --rows "$rows" --seed $((version + 1)) >"$work/source/data/ported.csv"
    "$waypost" compile "$work/source" ported --out "$work/$version.wpt" >"$work/logs/compile" 2>&1 ||
        { echo "FAILED: waypost compile" >&2; exit 1; }
done
rm "$work/source/data/ported.csv"

# put VERSION: the file of the table is another, at once.
put() {
    ln -f "$work/$1.wpt" "$work/swap.routes/data/next"
    mv "$work/swap.routes/data/next" "$work/swap.routes/data/ported.wpt"
}

put 0
serve swap
start_ms=$((load_us / 1000))
took_ms=()
for ((swap = 1; swap <= swaps; swap++)); do
    put $((swap % 2))
    began=$(micros)
    curl -fsS -o "$work/reload.json" -X POST "http://127.0.0.1:$admin/-/reload" || { echo "FAILED: a reload" >&2; exit 1; }
    took_ms+=($((($(micros) - began) / 1000)))
done
generation=$(metric waypost_table_generation)
median_ms=$(median "${took_ms[@]}")

echo
echo "table:  $rows numbers, $(stat -c %s "$work/0.wpt") bytes"
echo "start:  $start_ms ms until it is ready"
echo "swaps:  ${took_ms[*]} ms, median $median_ms"
check "each swap put another table into service" "$generation == 1 + $swaps"
check "the start" "$start_ms < ${START_MS_MAX:-1000}"
check "the median swap" "$median_ms < ${SWAP_MS_MAX:-1000}"
exit "$missed"
