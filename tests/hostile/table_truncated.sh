#!/usr/bin/env bash
# The file of a compiled table is truncated while it serves, and while it is being loaded: a process that had it mapped
# would die of SIGBUS.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/hostile/ground.sh

loads_again() { [[ $(reload) =~ ^(loaded|unchanged)$ ]]; }
rows=$(scaled 400000 4000000)
cat >"$work/routes/routes.yaml" <<'YAML'
tables: { numbers: { file: numbers.csv, match: exact, header: true } }
routes:
  - { name: table, when: { in: numbers }, answer: { code: 302, contact: "sip:{user}@{numbers.at}.example.net" } }
  - { name: all, answer: { code: 302, contact: "sip:{user}@gateway.example.net" } }
YAML
# Numbers of benches/load: 44 20 and eight digits; the load below asks for those of this table only.
python3 -c 'import sys
print("number,at")
for call in range(int(sys.argv[1])): print(f"+4420{call * 61803397 % 100000000:08d},table")' "$rows" >"$work/routes/numbers.csv"
"$waypost" compile "$work/routes" numbers --out "$work/whole.wpt" >/dev/null 2>"$work/logs/compile"
rm "$work/routes/numbers.csv"
sed -i 's/file: numbers.csv, match: exact, header: true/file: numbers.wpt/' "$work/routes/routes.yaml"
cp "$work/whole.wpt" "$work/routes/numbers.wpt"
serve
load_on calls --numbers "$rows" --contact "<sip:+4420{n}@table.example.net>;q=0.99"

# While it serves: the next look-ups would touch pages that are gone.
truncate -s 100 "$work/routes/numbers.wpt"
sleep "$calm"
reload_is failed "the table's file is cut"
# While it loads: at another moment each time.
rounds=$(scaled 12 200)
cut_while_loading=0
for round in $(seq "$rounds"); do
    cp "$work/whole.wpt" "$work/routes/numbers.wpt"
    reload >"$work/result" &
    reloading=$!
    sleep "0.0$(printf '%02d' $((round * 7 % 60)))"
    truncate -s $((round * 4096)) "$work/routes/numbers.wpt"
    wait "$reloading"
    [ "$(cat "$work/result")" != failed ] || cut_while_loading=$((cut_while_loading + 1))
done
cp "$work/whole.wpt" "$work/routes/numbers.wpt"
eventually 5 loads_again || { echo "FAILED: the whole file does not load" >&2; exit 1; }
load_off calls
expect "files of tables that are mapped" "$(grep -c 'numbers.wpt' "/proc/$pid/maps" || true)" 0
row 0 "Table file truncated while it serves, and $rounds times around a reload ($cut_while_loading of them refused)" \
    "0, and no SIGBUS: files are read into memory of the server's own and checked by a sum; none is mapped"
