# Sourced by the SIPp scripts: starts the release binary on free loopback ports and ends it, and nothing
# else, at exit. Sets $sip (port), $admin (port), $work (a folder that is removed).

waypost=${WAYPOST:-target/release/waypost}
[ -x "$waypost" ] || { echo "no $waypost: cargo build --release first" >&2; exit 1; }
work=$(mktemp -d)
server=""

stop_server() {
    if [ -n "$server" ]; then
        kill -TERM "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
        server=""
    fi
}
trap 'stop_server; rm -rf "$work"' EXIT

# start_server ROUTES: returns when the server says that it is ready.
start_server() {
    local try
    echo 'stop: {lame_duck_s: 0}' >"$work/waypost.yaml"
    for try in 1 2 3 4 5; do
        sip=$((20000 + (RANDOM % 20000)))
        admin=$((sip + 1))
        "$waypost" serve --config "$work/waypost.yaml" --routes "$1" --listen "udp:127.0.0.1:$sip" --admin "127.0.0.1:$admin" 2>"$work/server.log" &
        server=$!
        for _ in $(seq 100); do
            curl -fsS -o /dev/null "http://127.0.0.1:$admin/readyz" 2>/dev/null && return 0
            kill -0 "$server" 2>/dev/null || break
            sleep 0.05
        done
        stop_server
    done
    echo "the server did not start:" >&2
    cat "$work/server.log" >&2
    return 1
}

# metric NAME{LABELS}: its value, 0 when it is not there.
metric() {
    curl -fsS "http://127.0.0.1:$admin/metrics" | awk -v name="$1" '$1 == name { print $2; found = 1 } END { if (!found) print 0 }'
}

# expect WHAT ACTUAL EXPECTED
expect() {
    if [ "$2" != "$3" ]; then
        echo "FAILED: $1: $2, expected $3" >&2
        exit 1
    fi
    echo "  $1: $2"
}
