# Sourced after ground.sh: SIPVicious against a listener for strangers, and the load at another one.

# All come from 127.0.0.1, for SIPVicious 0.3 binds to no other address; so strangers have a listener of their own.
free_port sip strangers
serve_strangers() { serve "udp:$host:$strangers"; }
a_port() { local chosen; free_port chosen; echo "$chosen"; }

# vicious NAME COMMAND...: SIPVicious, in a home of its own for its sessions; what it says goes to $work/logs/NAME.
vicious() {
    mkdir -p "$work/home"
    HOME=$work/home timeout -k 2 "${vicious_s_max:-60}" "${@:2}" >"$work/logs/$1" 2>&1 </dev/null || true
    if grep -q Traceback "$work/logs/$1"; then
        cat "$work/logs/$1" >&2
        echo "FAILED: ${*:2} broke" >&2
        exit 1
    fi
}

# strangers_are POLICY [AUTHENTICATE [ROUTE...]]: all_routes with access lists: the load may ask; at the other listener
# callers are asked for credentials, or have this policy.
strangers_are() {
    all_routes "${@:3}"
    printf 'defaults: { unknown: { policy: %s } }\naccess:\n  load: { sources: 127.0.0.1, listener: "%s", policy: answer }\n' \
        "$1" "udp:$host:$sip" >"$work/routes/access.yaml"
    [ -z "${2:-}" ] || printf '  phones: { sources: 127.0.0.1, policy: answer, authenticate: %s }\n' "$2" >>"$work/routes/access.yaml"
}
