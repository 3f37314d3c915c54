#!/usr/bin/env bash
# Route files, a table, a compressed table and a compiled one are found half written, cut at one place after the other.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/hostile/ground.sh

# In braces, no beginning of the file is YAML: a cut is seen wherever it is.
cat >"$work/whole.yaml" <<'YAML'
{tables: {plain: {file: plain.csv, match: exact, header: true}, packed: {file: packed.csv.gz, match: exact, header: true}, compiled: {file: compiled.wpt}},
routes: [{name: table, when: {in: plain}, answer: 404}, {name: all, answer: {code: 302, contact: "sip:{user}@gateway.example.net"}}]}
YAML
{ echo number,at; seq -f '+999%08.0f,gw' 1 5000; } >"$work/whole.csv"
gzip -c "$work/whole.csv" >"$work/whole.gz"
echo 'tables: {plain: {file: plain.csv, match: exact, header: true}}' >"$work/routes/routes.yaml"
cp "$work/whole.csv" "$work/routes/plain.csv"
cp "$work/whole.gz" "$work/routes/packed.csv.gz"
"$waypost" compile "$work/routes" plain --out "$work/whole.wpt" >/dev/null 2>"$work/logs/compile"
cp "$work/whole.wpt" "$work/routes/compiled.wpt"
cp "$work/whole.yaml" "$work/routes/routes.yaml"

serve
cuts=$(scaled 4 40)
load_on calls "${right[@]}"
torn=0
for pair in yaml:routes.yaml gz:packed.csv.gz wpt:compiled.wpt csv:plain.csv; do
    whole=$work/whole.${pair%%:*} file=$work/routes/${pair#*:}
    size=$(stat -c %s "$whole")
    for cut in $(seq 0 "$cuts"); do
        # In place, as `>` writes: the same file, first empty, then shorter. CSV only inside of a number: see the row.
        at=$((size * cut / (cuts + 1)))
        while [ "$at" -gt 0 ] && [ "${file##*.}" = csv ] && ! head -c "$at" "$whole" | tail -n 1 | grep -qE '^[+0-9]+$'; do at=$((at - 1)); done
        head -c "$at" "$whole" >"$file"
        result=$(reload)
        [ "$result" = failed ] || { echo "FAILED: ${file##*/}, cut at byte $at of $size: $result" >&2; exit 1; }
        torn=$((torn + 1))
    done
    cp "$whole" "$file"
    result=$(reload)
    [[ $result =~ ^(loaded|unchanged)$ ]] || { echo "FAILED: ${file##*/}, whole again: $result" >&2; exit 1; }
done
sleep "$calm"
load_off calls
expect "reloads refused" "$(metric 'waypost_reloads_total{result="failed"}' | awk -v n="$torn" '{ print ($1 >= n) ? "all" : $1 }')" all
row 0 "Files half written: YAML, CSV, gzip and compiled table, empty, and cut at $cuts places each" \
    "0: what is torn is refused, and the table in service stays. YAML without braces that is cut between two routes, and CSV cut at the end of a row or in its last cell, cannot be told from whole ones: write beside and rename, or compress or compile tables"
