# Sourced by the interop scripts: starts Waypost and its peers, each on free ports of a loopback address
# that no other run has, and ends them, and nothing else, at exit. A run that fails prints what each
# of them wrote.
source tests/sipp/server.sh

export LC_ALL=C
host=127.100.$((BASHPID / 250 % 250 + 1)).$((BASHPID % 250 + 1))
mkdir "$work/logs" "$work/routes"
declare -A peers=() # name → process id
taken=" "

finish() {
    local status=$? name
    trap - EXIT
    for name in "${!peers[@]}"; do stop "$name"; done
    if [ "$status" != 0 ]; then
        for name in "$work"/logs/*; do
            [ -s "$name" ] || continue
            printf '\n-- %s\n' "${name##*/}" >&2
            tail -n "${LOG_LINES:-60}" "$name" >&2
        done
    fi
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

# free_port NAME...: sets each variable to a port that nobody has, UDP or TCP, on any address, nor the
# port above it, which baresip takes for TLS.
free_port() {
    local name port
    for name in "$@"; do
        while :; do
            port=$((20000 + 2 * (RANDOM % 5000)))
            [[ "$taken" == *" $port "* ]] || anybody_has "$port" || anybody_has "$((port + 1))" || break
        done
        taken+="$port "
        printf -v "$name" %s "$port"
    done
}

# anybody_has PORT: a socket is bound to it.
anybody_has() {
    awk -v port="$(printf ':%04X' "$1")" '$2 ~ port "$" { found = 1 } END { exit !found }' \
        /proc/net/udp /proc/net/udp6 /proc/net/tcp /proc/net/tcp6
}

# start NAME COMMAND...: runs it in the background, in a process group of its own; what it prints goes to
# $work/logs/NAME.
start() {
    set -m
    "${@:2}" >"$work/logs/$1" 2>&1 </dev/null &
    set +m
    peers[$1]=$!
}

running() { kill -0 "${peers[$1]}" 2>/dev/null; }

# stop NAME [SIGNAL]: asks it to end, and makes it after five seconds. Sets $ended to its exit status.
stop() {
    ended=0
    [ -n "${peers[$1]:-}" ] || return 0
    kill -"${2:-TERM}" "${peers[$1]}" 2>/dev/null || true
    eventually 5 not running "$1" || kill -KILL -- "-${peers[$1]}" 2>/dev/null || true
    wait "${peers[$1]}" 2>/dev/null || ended=$?
    unset "peers[$1]"
}

not() { ! "$@"; }

# eventually SECONDS COMMAND...: tries it until it succeeds.
eventually() {
    local end=$((SECONDS + $1))
    until "${@:2}"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
}

# await WHAT SECONDS COMMAND...: as above; a test fails here.
await() {
    eventually "${@:2}" || { echo "FAILED: $1: not within $2 s" >&2; exit 1; }
}

# start_waypost NAME LISTENER...: serves $work/routes, with the lines of $work/NAME.more in its
# configuration if there are any. Returns when it is ready; sets $admin to its admin port.
start_waypost() {
    local listener
    free_port admin
    {
        echo "admin: 127.0.0.1:$admin"
        echo "routes: $work/routes"
        echo "stop: {lame_duck_s: 0}"
        echo "listen:"
        for listener in "${@:2}"; do echo "  - \"$listener\""; done
        cat "$work/$1.more" 2>/dev/null || true
    } >"$work/$1.yaml"
    start "$1" "$waypost" serve --config "$work/$1.yaml"
    await "$1 is ready" 10 ready "$1"
}

ready() {
    running "$1" || { echo "FAILED: $1 ended before it was ready" >&2; exit 1; }
    curl -fsS -o /dev/null "http://127.0.0.1:$admin/readyz" 2>/dev/null
}

sipp=${SIPP:-sipp}

# start_uas NAME PORT [ARGUMENT...]: a SIPp that answers calls, or plays the scenario $uas, until it is stopped.
start_uas() {
    start "$1" "$sipp" -sf "${uas:-tests/interop/uas.xml}" -i "$host" -p "$2" -mi "$host" -nostdin "${@:3}" \
        -trace_stat -stf "$work/$1.csv" -fd 1 -trace_err -error_file "$work/logs/$1.errors"
    await "$1 listens on port $2" 5 anybody_has "$2"
}

# stop_uas NAME: lets it finish, and sets $answered to the calls that came, were answered and ended there. None
# may have failed.
stop_uas() {
    stop "$1" USR1
    answered=$(sipp_count "$1" 'SuccessfulCall(C)')
    expect "calls that failed at $1" "$(sipp_count "$1" 'FailedCall(C)')" 0
}

# answered_by NAME CALLS: at its end.
answered_by() {
    stop_uas "$1"
    expect "calls answered and ended at $1" "$answered" "$2"
}

# at_least WHAT ACTUAL LEAST: for what a retransmission, on a busy machine, counts twice.
at_least() {
    if [ "$2" -lt "$3" ]; then
        echo "FAILED: $1: $2, expected $3 or more" >&2
        exit 1
    fi
    echo "  $1: $2"
}

# sipp_count NAME COLUMN: the last value in its statistics.
sipp_count() {
    awk -F';' -v column="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == column) n = i } END { print (n && NR > 1) ? $n : "no statistics" }' "$work/$1.csv"
}

# run_uac NAME SCENARIO CALLS DESTINATION [ARGUMENT...]: SIPp calls, and every call must succeed.
run_uac() {
    local status=0
    timeout -k 2 40 "$sipp" "$4" -sf "$2" -i "$host" -mi "$host" -m "$3" -r 50 -l "$3" -nostdin \
        -timeout 30s -timeout_error "${@:5}" -trace_stat -stf "$work/$1.csv" -fd 1 \
        -trace_err -error_file "$work/logs/$1.errors" >"$work/logs/$1" 2>&1 </dev/null || status=$?
    expect "SIPp's exit status, $1" "$status" 0
    expect "calls that $1 made to their end" "$(sipp_count "$1" 'SuccessfulCall(C)')" "$3"
}

# make_certificates: in $work/tls, an authority and what it has signed: waypost and peer, both for $host.
make_certificates() {
    local name
    mkdir -p "$work/tls"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 2 -subj "/CN=interop authority" \
        -keyout "$work/tls/ca.key" -out "$work/tls/ca.pem" 2>"$work/logs/openssl-ca"
    for name in waypost peer; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 2 -subj "/CN=$name" \
            -CA "$work/tls/ca.pem" -CAkey "$work/tls/ca.key" -addext "subjectAltName=IP:$host" -addext "basicConstraints=critical,CA:false" \
            -keyout "$work/tls/$name.key" -out "$work/tls/$name.pem" 2>"$work/logs/openssl-$name"
    done
}

# tls_configuration [MORE]: the lines of Waypost's configuration that name its certificate.
tls_configuration() {
    echo "tls: {certificate: $work/tls/waypost.pem, key: $work/tls/waypost.key${1:+, $1}}"
}
