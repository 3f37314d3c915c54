#!/usr/bin/env bash
# A table of ROWS ported numbers is swapped again and again while Waypost answers as many calls as it can.
#
#   benches/reload_tables.sh [--compiled] [ROWS [ROUNDS [SECONDS]]]      10000000 rows, 3 rounds of 10 s by default
#
# --compiled  the table is a file of `waypost compile`, not CSV
# ROUNDS      each has a quiet half and one of reloads, one after another without a pause
# SECONDS     of each quiet half; that of the reloads lasts as long, or three times as long as a reload without
#             calls if that is more, so that at least one falls into it from its beginning to its end
#
# The two versions of the file have the same numbers with the same routing numbers, and other operators: an answer
# is right whichever it comes from, and the whole table is another. Judged:
#
#   every call has its right answer, quiet or not
#   p99 during reloads is at most 2 times that of the quiet half of the same round (median of the rounds)
#   memory at its highest, VmHWM, is at most 2.2 times the table; both are counted without what the same
#   server takes with a table of one row, after calls and a reload
#   10 s after the last reload, resident memory is at most 1.1 times the table: the old ones are given back
#
# WAYPOST (target/release/waypost), TABLEDATA, WINDOW (64 requests under way), P99_RATIO_MAX, PEAK_RATIO_MAX.
set -euo pipefail
cd "$(dirname "$0")/.."
form=csv
[ "${1:-}" != --compiled ] || { form=wpt; shift; }
rows=${1:-10000000} rounds=${2:-3} seconds=${3:-10}
source benches/tables_ground.sh
for number in "$rows" "$rounds" "$seconds"; do whole reload_tables "$number"; done
window=${WINDOW:-64}
contact='<sip:{n};rn={v};npdi@gw.example.net>;q=0.99'

# routes NAME: a directory of routes without its table.
routes() {
    mkdir -p "$work/$1.routes/data"
    local options=", match: exact, header: true"
    [ "$form" = csv ] || options="" # A compiled table knows both.
    cat >"$work/$1.routes/routes.yaml" <<YAML
tables:
  ported: { file: data/ported.$form$options }
routes:
  - name: dip
    when: { in: ported }
    answer: { code: 302, contact: "sip:{number};rn={ported.rn};npdi@gw.example.net" }
YAML
}

# make_table CSV FILE: the table of this CSV, in the form that is asked for.
make_table() {
    if [ "$form" = csv ]; then
        mv "$1" "$2"
        return
    fi
    mkdir -p "$work/source/data"
    mv "$1" "$work/source/data/ported.csv"
    printf 'tables:\n  ported: { file: data/ported.csv, match: exact, header: true }\n' >"$work/source/tables.yaml"
    "$waypost" compile "$work/source" ported --out "$2" >"$work/logs/compile" 2>&1 || { echo "FAILED: waypost compile" >&2; exit 1; }
    rm "$work/source/data/ported.csv"
}

echo "data for $rows numbers"
mkdir "$work/versions"
"$TABLEDATA" ported --rows "$rows" >"$work/a.csv"
awk -F, -v OFS=, 'NR > 1 { $3 += 1000 } { print }' "$work/a.csv" >"$work/b.csv"
head -n 2 "$work/a.csv" >"$work/one.csv"
head -n 2 "$work/b.csv" >"$work/another.csv"
"$TABLEDATA" calls --of "$rows" --rows 1000000 >"$work/all.calls"
for version in a b one another; do make_table "$work/$version.csv" "$work/versions/$version.$form"; done

# put NAME VERSION: the file of the table is another, at once.
put() {
    ln -f "$work/versions/$2.$form" "$work/$1.routes/data/next"
    mv "$work/$1.routes/data/next" "$work/$1.routes/data/ported.$form"
}

# load NAME SECONDS: as many calls as go.
load() {
    calls "$1" "$work/all.calls" "$sip" --found "$contact" --calls 100000000 --seconds "$2" --closed "$window" --flows 2 \
        --wait-ms 5000 --pid "$pid"
}

# reload NAME VERSION: returns when it is in service.
reload() {
    put "$1" "$2"
    curl -fsS -o "$work/reload.json" -X POST "http://127.0.0.1:$admin/-/reload" || { echo "FAILED: a reload" >&2; exit 1; }
    reloads=$((reloads + 1))
}

# What the server takes without a table: just started, and after calls and a reload, when its buffers have been
# written to.
routes one
put one one
serve one
empty_kib=$(status "$pid" VmRSS)
load warm_up 2
reloads=0
reload one another
used_kib=$(status "$pid" VmRSS)
stop one

routes waypost
put waypost a
serve waypost
table_kib=$(($(status "$pid" VmRSS) - empty_kib)) load_peak_kib=$(($(status "$pid" VmHWM) - empty_kib))
load warm_up 2
all_right warm_up
# Both versions once before it is measured: the first swap finds an allocator that has nothing to give back.
began=$(micros)
reload waypost b
loaded_s=$((3 * ($(micros) - began) / 1000000 + 2))
((loaded_s > seconds)) || loaded_s=$seconds
echo 5 >"/proc/$pid/clear_refs" # VmHWM begins again.
first_generation=$(metric waypost_table_generation)
reloads=0 version=b ratios=() sent=0 answered=0 wrong=0 reload_us=0
for ((round = 1; round <= rounds; round++)); do
    load quiet "$seconds"
    load loaded "$loaded_s" &
    loaded=$!
    sleep 0.5
    begun=$SECONDS
    while ((SECONDS - begun < loaded_s)) && kill -0 "$loaded" 2>/dev/null; do
        [ "$version" = a ] && version=b || version=a
        began=$(micros)
        reload waypost "$version"
        reload_us=$((reload_us + $(micros) - began))
    done
    wait "$loaded"
    quiet_p99=$(reported quiet latency_us_p99) loaded_p99=$(reported loaded latency_us_p99)
    ratios+=("$(compute "$loaded_p99 / $quiet_p99" %.3f)")
    for half in quiet loaded; do
        sent=$((sent + $(reported "$half" sent))) answered=$((answered + $(reported "$half" answered)))
        wrong=$((wrong + $(reported "$half" wrong)))
        if [ "$(reported "$half" wrong)" != 0 ]; then grep '^example' "$work/$half.report" >&2 || true; fi
    done
    echo "round $round: quiet $(reported quiet answers_per_s)/s, p99 $quiet_p99 us, max $(reported quiet latency_us_max) us; reloads $(reported loaded answers_per_s)/s," \
        "p99 $loaded_p99 us, max $(reported loaded latency_us_max) us; ratio ${ratios[-1]}; $reloads reloads so far"
done
peak_kib=$(($(status "$pid" VmHWM) - used_kib))
generations=$(($(metric waypost_table_generation) - first_generation))
sleep 10
after_kib=$(($(status "$pid" VmRSS) - used_kib))

ratio=$(median "${ratios[@]}")
peak_ratio=$(compute "$peak_kib / $table_kib" %.2f)
after_ratio=$(compute "$after_kib / $table_kib" %.2f)
echo
echo "table:       $rows numbers, $form of $(stat -c %s "$work/versions/a.$form") bytes"
echo "             $table_kib KiB, $(compute "$table_kib * 1024 / $rows" %.2f) bytes a number"
echo "start:       $(compute "$load_us / 1e6" %.2f) s, highest $(compute "$load_peak_kib / $table_kib" %.2f) times the table"
echo "reloads:     $reloads, $(compute "$reload_us / 1e6 / ($reloads > 0 ? $reloads : 1)" %.2f) s each under load"
echo "calls:       $answered of $sent answered, $((sent - answered)) not, $wrong wrong answers"
echo "p99:         $ratio times the quiet one (rounds: ${ratios[*]})"
echo "peak:        $peak_kib KiB, $peak_ratio times the table"
echo "10 s later:  $after_kib KiB, $after_ratio times the table"
check "every call has its right answer" "$sent > 0 && $answered == $sent && $wrong == 0"
check "each reload was one swap, and there was one in each round" "$generations == $reloads && $reloads >= $rounds"
check "p99 during reloads" "$ratio <= ${P99_RATIO_MAX:-2}"
check "memory at its highest" "$peak_ratio <= ${PEAK_RATIO_MAX:-2.2}"
check "old tables are given back" "$after_ratio <= 1.1"
exit "$missed"
