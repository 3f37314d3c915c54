#!/usr/bin/env bash
# The hostile mix: what mix.py sends, and beside it YAML alias bombs and zip bombs in the route directory, while a
# load is held. Memory, descriptors and p99 are sampled, and must be flat. Needs the Debian packages nsd, zstd.
#
#   tests/hostile/mix.sh      40 s; with FORM=long 30 minutes
#
# Flat is:
#   memory        the most of the last third of the samples is at most 8 MiB over the most of the first third. That is what
#                 tests/dns/bounded.sh allows, too: an allocator's holes. What is remembered of each of the messages would
#                 be more: at 1,500 a second for 30 minutes, 8 MiB are 3 bytes of each.
#   descriptors   after it as many as before it, and four at the most (what a scrape has open)
#   p99           the least of the last third is at most three times that of the first third, and 20 ms (2 ms in the long form,
#                 where each sample is of 87,000 calls). The least, for others who use the machine only ever add to it. What
#                 grows with each message makes it hundreds of times as long.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/dns/ground.sh
source tests/hostile/ground.sh

rss_kib_growth_max=8192
files_growth_max=4
p99_times_max=3
p99_us_more_max=$(scaled 20000 2000)
samples=10
warm_up_s=$(scaled 6 60)
slice_s=$(scaled 2 174)
hostile_rate=1500
rate=500

# Numbers below +4422 have records that are bombs, each in another way; +4421 has none; +4423 is asked of a server that is silent.
mkdir -p "$work/zones" "$work/routes"
python3 - >"$work/zones/e164.example.net.zone" <<'PYTHON'
bombs = [
    r"!^((((((.*)*)*)*)*)*)$!sip:\\1@bomb.example.net!",
    r"!^(((((a|.)+)+)+)+)+x$!sip:\\1@bomb.example.net!",
    r"!^((.{0,255}){0,255}){0,255}$!sip:bomb@bomb.example.net!",
    r"!^(.?){255}(.?){255}(.?){255}.{99}$!sip:bomb@bomb.example.net!",
    "!^" + "(" * 100 + ".*" + ")*" * 60 + "$!sip:bomb@bomb.example.net!",
    "!^" + "(.*)" * 40 + "$!sip:" + r"\\9\\8\\7\\6\\5\\4\\3\\2\\1" * 3 + "@bomb.example.net!",
    r"!^(.*)(.*)(.*)(.*)\\1\\2$!sip:bomb@bomb.example.net!",
    "!" + "[[:alnum:]]" * 20 + "!sip:bomb@bomb.example.net!",
]
print("$ORIGIN e164.example.net.\n$TTL 1\n@ IN SOA ns hostmaster 1 3600 900 86400 1\n@ IN NS ns\nns IN A 127.0.0.1")
for number, bomb in enumerate(bombs):
    for owner in (f"*.{number}.2.2.4.4", f"*.{number + 2}.2.2.4.4"):
        if number + 2 <= 9:
            print(f'{owner} IN NAPTR 100 {number} "u" "E2U+sip" "{bomb[:250]}" .')
PYTHON
start_nsd
nsd_port=$dns
start_misbehave silent silent

good_routes() {
    all_routes '{ name: enum, when: { number: ["+4421*", "+4422*"] }, enum: { apexes: [e164.example.net], services: [sip] } }' \
        "{ name: dead, when: { number: \"+4423*\" }, enum: { apexes: [{ apex: dead.example.net, servers: [\"$host:$dns\"] }], services: [sip] } }" "$@"
}
good_routes
echo "dns: { servers: [\"$host:$nsd_port\"], cache_entries: 1024 }" >"$work/waypost.more"
free_port tcp
serve "tcp:$host:$tcp"

# Bombs: files that are small and say that they are large.
mkdir "$work/bombs"
python3 - >"$work/bombs/alias.yaml" <<'PYTHON'
print("a0: &a0 [x, x, x, x, x, x, x, x, x, x]")
for level in range(1, 30):
    print(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
print("routes: *a29")
PYTHON
{ printf 'routes: '; head -c 200000 /dev/zero | tr '\0' '['; } >"$work/bombs/deep.yaml"
head -c "$(scaled 300M 4G)" /dev/zero | gzip -1 >"$work/bombs/zeros.csv.gz"
head -c "$(scaled 300M 4G)" /dev/zero | zstd -q >"$work/bombs/zeros.csv.zst"
# Rows that are rows: a number again and again, with columns too many.
head -c "$(scaled 100M 1G)" <(yes '+442079460123,a,b,c') | gzip -1 >"$work/bombs/rows.csv.gz"
# Rows that are right, and all the same one: this loads, with a warning, and is gone again.
head -c "$(scaled 20M 200M)" <(yes '+442079460123,a') | gzip -1 >"$work/bombs/same.csv.gz"
bombs=0
bomb() { # bomb FILE
    local file=${1##*/}
    if [ "${file##*.}" = yaml ]; then
        cp "$1" "$work/routes/bomb.yaml"
    else
        cp "$1" "$work/routes/$file"
        echo "tables: { bomb: { file: \"$file\", match: exact, columns: [number, at] } }" >"$work/routes/bomb.yaml"
    fi
    result=$(reload)
    rm -f "$work/routes/bomb.yaml" "$work/routes/$file"
    [ "$result" = failed ] || [ "$result-$file" = loaded-same.csv.gz ] || { echo "FAILED: the bomb ${1##*/}: $result" >&2; exit 1; }
    bombs=$((bombs + 1))
}

files_before=$(files_open)
mkfifo "$work/mix.held"
set -m
python3 tests/hostile/mix.py "$host" "$sip" "$tcp" 1 "$hostile_rate" <"$work/mix.held" >"$work/mix.report" 2>"$work/logs/mix" &
peers[mix]=$!
sleep "$hold_s_max" </dev/null >"$work/mix.held" 2>&1 &
peers[hold-mix]=$!
set +m
disown "${peers[hold-mix]}"

plain=(--uri 'sip:+4430{n}@example.net' --contact '<sip:+4430{n}@gateway.example.net>;q=0.99' --distinct-call-ids)
slice() { # slice NAME SECONDS: the load for so long, all bombs during it.
    local file
    "$load" --to "$host:$sip" "${plain[@]}" --flows 8 --rate "$rate" --calls $((rate * $2)) --wait-ms 1000 >"$work/$1.report" 2>&1 &
    peers[$1]=$!
    for file in "$work"/bombs/*; do bomb "$file"; done
    good_routes "{ name: never-$bombs, when: { user: nobody-$bombs }, answer: 404 }"
    [[ $(reload) =~ ^(loaded|unchanged)$ ]] || { echo "FAILED: the routes do not load after the bombs" >&2; exit 1; }
    wait "${peers[$1]}" || true
    unset "peers[$1]"
    running mix || { cat "$work/logs/mix" >&2; echo "FAILED: the mix ended before the end" >&2; exit 1; }
}

slice warm-up "$warm_up_s"
all_sent=0 all_lost=0 all_wrong=0 all_held=()
rss=() files=() p99=()
for ((sample = 1; sample <= samples; sample++)); do
    slice sample "$slice_s"
    all_sent=$((all_sent + $(reported sample sent)))
    all_wrong=$((all_wrong + $(reported sample wrong)))
    all_lost=$((all_lost + $(reported sample sent) - $(reported sample answered) - $(reported sample wrong)))
    all_held+=("$(($(reported sample answered) / slice_s))")
    rss+=("$(rss_kib)") files+=("$(files_open)") p99+=("$(reported sample latency_us_p99)")
    printf '  sample %2d: VmRSS %7d KiB, %4d files, p99 %6d us\n' "$sample" "${rss[-1]}" "${files[-1]}" "${p99[-1]}"
done
stop hold-mix
wait "${peers[mix]}" || { cat "$work/logs/mix" >&2; exit 1; }
unset "peers[mix]"
few_files() { [ "$(files_open)" -le $((files_before + files_growth_max)) ]; }
eventually 15 few_files || true
files_after=$(files_open)

most() { printf '%s\n' "$@" | sort -n | tail -n 1; }
least() { printf '%s\n' "$@" | sort -n | sed -n 1p; }
third=$((samples / 3))
first_kib=$(most "${rss[@]:0:third}") last_kib=$(most "${rss[@]: -third}")
first_us=$(least "${p99[@]:0:third}") last_us=$(least "${p99[@]: -third}")
check "memory is flat, KiB" "$last_kib - $first_kib <= $rss_kib_growth_max"
check "descriptors are flat" "$files_after - $files_before <= $files_growth_max"
check "p99 is flat, us" "$last_us <= $p99_times_max * $first_us + $p99_us_more_max"
check "no answer is wrong" "$all_wrong == 0"
curl -fsS "http://127.0.0.1:$admin/metrics" | grep -E '^waypost_(dns_answers_total|dns_gave_up|decision_duration_seconds_bucket|loop_busy|dns_cache_(entries|bytes)|socket_drops|connections_opened|silences_total|refused_requests_total|access)' | awk '$2 > 0 { print "  " $0 }'
at_least "hostile messages" "$(reported mix sent)" $((hostile_rate * slice_s * samples / 4))
at_least "connections that came and went" "$(reported mix connected)" 100
at_least "answers with bombs for NAPTRs" "$(metric 'waypost_dns_answers_total{result="found",type="NAPTR"}')" 10
sent=$all_sent lost=$all_lost held=$(median "${all_held[@]}")
row 0 "Hostile mix, $((samples * slice_s)) s: $(reported mix sent) messages, $(reported mix connected) connections, $bombs bombs in files; memory $((last_kib - first_kib)) KiB, descriptors $((files_after - files_before)), p99 $first_us to $last_us µs" \
    "0: what it makes the server keep has limits: DNS cache, waiting room, connections, tables, YAML after its aliases, bytes and rows of a table (400 million, which is 10 GB while it is made: a small machine can be filled by who writes its routes)"
