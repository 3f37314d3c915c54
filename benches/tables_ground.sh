# Sourced by peers_tables.sh and reload_tables.sh: data, servers and calls for tables. A loopback address and
# free ports that no other run has; all of it ends with the script, and nothing else.
#
# WAYPOST    the server's program (target/release/waypost, built by the caller)
# TABLEDATA  the program of benches/tabledata (built here when not given)
# TMPDIR     where the data goes: 40 bytes a row, several times
source tests/interop/peers.sh
source tests/figures.sh

TABLEDATA=${TABLEDATA:-$(program tabledata)}

# Seconds that a server may take to load.
load_s_max=${LOAD_S_MAX:-300}

# whole NAME VALUE: a count on the command line.
whole() {
    [[ $2 =~ ^[1-9][0-9]{0,8}$ ]] || { echo "$1: $2 is not a number from 1 to 999999999" >&2; exit 2; }
}

micros() { echo "${EPOCHREALTIME/./}"; }

# serve NAME: Waypost with the directory $work/NAME.routes; returns when it is ready. Sets $sip, $admin, $pid and $load_us.
serve() {
    free_port sip admin
    local began
    began=$(micros)
    start "$1" "$waypost" serve --routes "$work/$1.routes" --listen "udp:$host:$sip" --admin "127.0.0.1:$admin"
    pid=${peers[$1]}
    await "$1 is ready" "$load_s_max" ready "$1"
    load_us=$(($(micros) - began))
}

# status PID NAME: a value of /proc/PID/status in KiB, as in VmRSS, VmHWM.
status() {
    awk -v name="$2:" '$1 == name { print $2; found = 1 } END { if (!found) print 0 }' "/proc/$1/status"
}

# calls NAME FILE PORT OPTION...: calls of this file at this port; the report goes to $work/NAME.report. Never
# fails: the report is judged.
calls() {
    "$TABLEDATA" send --calls-from "$2" --to "$host:$3" "${@:4}" >"$work/$1.report" 2>&1 || true
    grep -q '^sent [1-9]' "$work/$1.report" || { cat "$work/$1.report" >&2; echo "FAILED: $1: nothing was sent" >&2; exit 1; }
}

