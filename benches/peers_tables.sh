#!/usr/bin/env bash
# Waypost's tables beside Kamailio's htable, mtree and drouting modules: the same rows, the same calls, one worker
# each, on the same loopback.
#
#   benches/peers_tables.sh [ROWS [ROUNDS [SECONDS]]]      1000000, 3 rounds of 4 s by default
#
# Prints, for each: bytes per entry, seconds of loading, processor time per answer, rate, and their ratios to
# Waypost. All calls are checked: a wrong answer, or none, ends the script. Nothing is judged.
#
#   bytes   Waypost: resident memory, less that of the same server with one row. Kamailio: what its
#           allocator took from shared memory, less that with an empty table; without the memory in which
#           SQLite's answer lay, so this is the least it can be said to take.
#   load    from the start of the program until it answers, less that with an empty table
#           Kamailio runs with its faster allocator (-x fm); with the other one answers take three times as long.
#   cpu     user and system time of the process that answers, per answer, at saturation: median of the rounds,
#           in which the servers take turns
#
# Needs Debian's kamailio, kamailio-sqlite-modules and sqlite3. WAYPOST (target/release/waypost), TABLEDATA,
# DB_MODULE (path of db_sqlite.so, if it is not where Kamailio looks), PEERS ("htable mtree drouting").
set -euo pipefail
cd "$(dirname "$0")/.."
rows=${1:-1000000} rounds=${2:-3} seconds=${3:-4}
source benches/tables_ground.sh
for number in "$rows" "$rounds" "$seconds"; do whole peers_tables "$number"; done
for program in kamailio kamcmd sqlite3; do
    command -v "$program" >/dev/null || { echo "no $program: apt-get install kamailio kamailio-sqlite-modules sqlite3" >&2; exit 1; }
done
db_module=${DB_MODULE:-db_sqlite.so}
read -ra modules <<<"${PEERS:-htable mtree drouting}"
window=32 # Requests under way: they fit into the receive buffer that a socket has by default.

# Data: gateways of prefixes by address, or drouting looks each up in DNS.
as_addresses() { awk -F, -v OFS=, '$2 ~ /^gw-/ { n = substr($2, 4) + 0; $2 = sprintf("10.7.%d.%d", n / 100, n % 100 + 1) } { print }'; }
"$TABLEDATA" ported --rows "$rows" >"$work/ported.csv"
"$TABLEDATA" prefixes --rows "$rows" | as_addresses >"$work/prefixes.csv"
"$TABLEDATA" calls --of "$rows" --rows 500000 >"$work/exact.calls"
"$TABLEDATA" calls --of "$rows" --rows 500000 --table prefixes | as_addresses >"$work/prefix.calls"

# make_database FILE ROWS: the same rows, or the first few of them, as Kamailio's schema has them.
make_database() {
    head -n $(($2 + 1)) "$work/ported.csv" >"$work/some_ported.csv"
    head -n $(($2 + 1)) "$work/prefixes.csv" >"$work/some_prefixes.csv"
    sqlite3 "$1" >"$work/logs/sqlite" 2>&1 <<SQL
CREATE TABLE version(table_name VARCHAR(32), table_version INTEGER);
INSERT INTO version VALUES ('ported', 2), ('prefixes', 1), ('mtree', 1), ('htable', 2),
    ('dr_rules', 3), ('dr_gateways', 3), ('dr_groups', 2), ('dr_gw_lists', 1);
CREATE TABLE ported(id INTEGER PRIMARY KEY, key_name VARCHAR(64), key_type INTEGER, value_type INTEGER,
    key_value VARCHAR(128), expires INTEGER);
CREATE TABLE prefixes(id INTEGER PRIMARY KEY, tprefix VARCHAR(32), tvalue VARCHAR(128));
CREATE TABLE dr_rules(ruleid INTEGER PRIMARY KEY, groupid VARCHAR(255), prefix VARCHAR(64), timerec VARCHAR(255),
    priority INTEGER, routeid VARCHAR(64), gwlist VARCHAR(255), description VARCHAR(128));
CREATE TABLE dr_gateways(gwid INTEGER PRIMARY KEY, type INTEGER, address VARCHAR(128), strip INTEGER,
    pri_prefix VARCHAR(64), attrs VARCHAR(255), description VARCHAR(128));
CREATE TABLE dr_groups(id INTEGER PRIMARY KEY, username VARCHAR(64), domain VARCHAR(128), groupid INTEGER,
    description VARCHAR(128));
CREATE TABLE dr_gw_lists(id INTEGER PRIMARY KEY, gwlist VARCHAR(255), description VARCHAR(128));
CREATE TEMP TABLE p(number TEXT, rn TEXT, spid TEXT);
CREATE TEMP TABLE x(prefix TEXT, gateway TEXT);
.import --csv --skip 1 "$work/some_ported.csv" p
.import --csv --skip 1 "$work/some_prefixes.csv" x
INSERT INTO ported SELECT rowid, number, 0, 0, rn, 0 FROM p;
INSERT INTO prefixes SELECT rowid, substr(prefix, 2), gateway FROM x;
INSERT INTO dr_gateways(type, address, strip, pri_prefix, attrs, description)
    SELECT DISTINCT 0, gateway, 0, '', '', '' FROM x;
INSERT INTO dr_rules SELECT x.rowid, '0', substr(prefix, 2), '', 0, '0', g.gwid, ''
    FROM x JOIN dr_gateways g ON g.address = x.gateway;
SQL
    [ ! -s "$work/logs/sqlite" ] || { echo "FAILED: sqlite3" >&2; exit 1; }
}
make_database "$work/one.db" 1
make_database "$work/all.db" "$rows"

# serve_kind NAME KIND FILE: Waypost with this file as its table, and one answer from it.
serve_kind() {
    local routes=$work/$1.routes file=${3##*/}
    rm -rf "$routes"
    mkdir "$routes"
    ln "$3" "$routes/"
    if [ "$2" = exact ]; then
        cat >"$routes/routes.yaml" <<YAML
tables:
  ported: { file: $file, match: exact, header: true }
routes:
  - name: dip
    when: { in: ported }
    answer: { code: 302, contact: "sip:{number};rn={ported.rn};npdi@gw.example.net" }
YAML
    else
        # A column \`to\` would name gateways of this directory.
        cat >"$routes/routes.yaml" <<YAML
tables:
  prefixes: { file: $file, match: prefix, columns: [prefix, address] }
routes:
  - name: longest
    when: { in: prefixes }
    answer: { code: 302, contact: "sip:{number}@{prefixes.address}" }
YAML
    fi
    serve "$1"
}

declare -A found=(
    [exact]='<sip:{n};rn={v};npdi@gw.example.net>;q=0.99'
    [prefix]='<sip:{n}@{v}>;q=0.99'
)

# start_kamailio NAME MODULE DATABASE: returns when it answers. Sets $sip, $pid (its worker), $load_us and $taken_bytes.
start_kamailio() {
    local began log2=2
    free_port sip
    # As many slots as entries, as its documentation advises; it has one for each entry even when empty.
    [ "$3" = "$work/one.db" ] || while ((2 ** log2 < rows && log2 < 24)); do log2=$((log2 + 1)); done
    began=$(micros)
    start "$1" kamailio -DD -E -x fm -m "${KAMAILIO_SHARED_MIB:-8000}" -M "${KAMAILIO_PRIVATE_MIB:-8000}" -f benches/peers_tables.cfg \
        -A "WITH_${2^^}" -A "SIP_ADDRESS=udp:$host:$sip" -A "DATA=\"sqlite:///$3\"" -A "DB_MODULE=\"$db_module\"" \
        -A "HTABLE=\"ported=>size=$log2;dbtable=ported\"" -A "CONTROL_SOCKET=\"unix:$work/$1.socket\""
    await "Kamailio answers its control tool" "$load_s_max" answers_control "$1"
    # drouting loads after that.
    await "Kamailio answers a call" "$load_s_max" answers_call "$1"
    load_us=$(($(micros) - began))
    pid=$(kamcmd -s "unix:$work/$1.socket" core.ps | awk '/^[0-9]+$/ { id = $1 } /udp receiver/ { print id; exit }')
    taken_bytes=$(kamcmd -s "unix:$work/$1.socket" core.shmmem | awk '$1 == "real_used:" { print $2 }')
}

answers_control() {
    running "$1" || { echo "FAILED: Kamailio ended before it was ready" >&2; exit 1; }
    kamcmd -s "unix:$work/$1.socket" core.uptime >/dev/null 2>&1
}

# Whatever it says: an empty table has no right answer.
answers_call() {
    running "$1" || { echo "FAILED: Kamailio ended before it was ready" >&2; exit 1; }
    "$TABLEDATA" send --calls-from "$work/exact.calls" --to "$host:$sip" --found none --calls 1 --wait-ms 100 >"$work/ready.report" 2>&1 || true
    [ "$(reported ready wrong)" != 0 ] || [ "$(reported ready answered)" != 0 ]
}

declare -A bytes load_s cpu rate ports pids
# What a server takes without a table, then what it takes with it.
for kind in exact prefix; do
    [ "$kind" = exact ] && data=$work/ported.csv || data=$work/prefixes.csv
    # Prefixes have their columns in the routes: no header.
    [ "$kind" = exact ] || { tail -n +2 "$data" >"$work/table.csv" && mv "$work/table.csv" "$data"; }
    head -n 2 "$data" >"$work/few.csv"
    serve_kind "empty" "$kind" "$work/few.csv"
    empty_kib=$(status "$pid" VmRSS) empty_us=$load_us
    stop empty
    serve_kind "waypost_$kind" "$kind" "$data"
    bytes[waypost_$kind]=$(compute "($(status "$pid" VmRSS) - $empty_kib) * 1024 / $rows" %.1f)
    load_s[waypost_$kind]=$(compute "($load_us - $empty_us) / 1e6" %.2f)
    ports[waypost_$kind]=$sip pids[waypost_$kind]=$pid
done
for module in "${modules[@]}"; do
    start_kamailio empty "$module" "$work/one.db"
    empty_bytes=$taken_bytes empty_us=$load_us
    stop empty
    start_kamailio "$module" "$module" "$work/all.db"
    bytes[$module]=$(compute "($taken_bytes - $empty_bytes) / $rows" %.1f)
    load_s[$module]=$(compute "($load_us - $empty_us) / 1e6" %.2f)
    ports[$module]=$sip pids[$module]=$pid
done

kind_of() { [[ $1 == htable || $1 == waypost_exact ]] && echo exact || echo prefix; }

# measure NAME OPTION...: calls at one server.
measure() {
    calls "$1" "$work/$(kind_of "$1").calls" "${ports[$1]}" --found "${found[$(kind_of "$1")]}" --closed "$window" --flows 2 \
        --wait-ms 3000 --pid "${pids[$1]}" "${@:2}"
    all_right "$1"
}

names=(waypost_exact waypost_prefix "${modules[@]}")
for name in "${names[@]}"; do measure "$name" --calls 50000; done
declare -A cpus rates
for ((round = 1; round <= rounds; round++)); do
    for name in "${names[@]}"; do
        measure "$name" --calls 100000000 --seconds "$seconds"
        cpus[$name]+=" $(reported "$name" cpu_us_per_answer)"
        rates[$name]+=" $(reported "$name" answers_per_s)"
    done
done

line='%-9s %-9s %9s %9s %7s %8s %9s %12s %10s\n'
# shellcheck disable=SC2059
{
    printf "$line" server module entries bytes/e load_s cpu_us answers/s bytes_ratio cpu_ratio
    for name in "${names[@]}"; do
        own=waypost_$(kind_of "$name")
        # shellcheck disable=SC2086
        cpu[$name]=$(median ${cpus[$name]}) rate[$name]=$(median ${rates[$name]})
        case $name in waypost_*) server=Waypost module=${name#waypost_} ;; *) server=Kamailio module=$name ;; esac
        printf "$line" "$server" "$module" "$rows" "${bytes[$name]}" "${load_s[$name]}" "${cpu[$name]}" "${rate[$name]}" \
            "$(compute "${bytes[$name]} / ${bytes[$own]}" %.2f)" "$(compute "${cpu[$name]} / ${cpu[$own]}" %.2f)"
    done
}
