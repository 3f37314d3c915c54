# Sourced after ground.sh: a server that listens on TCP and TLS, too, and clients that behave badly.

# serve_streams: sets $tcp and $tls.
serve_streams() {
    make_certificates
    free_port tcp tls
    tls_configuration >>"$work/waypost.more"
    serve "tcp:$host:$tcp" "tls:$host:$tls"
}

# clients WHAT COUNT SECONDS: in the background, half of them over TLS, unless $tls is 0; its figures go to
# $work/clients.report.
clients() {
    : >"$work/clients.report"
    set -m
    python3 tests/hostile/clients.py "$1" "$host" "$tcp" "$tls" "$2" "$3" >"$work/clients.report" 2>"$work/logs/clients" </dev/null &
    peers[clients]=$!
    set +m
}
wait_clients() {
    wait "${peers[clients]}" || { cat "$work/logs/clients" >&2; echo "FAILED: the clients ended with an error" >&2; exit 1; }
    unset "peers[clients]"
}

# answered_over_tcp: a client that behaves is answered all the same.
answered_over_tcp() {
    python3 tests/hostile/say.py tcp "$host" "$tcp" INVITE +442079460123 | grep '^SIP/2.0 302 ' >/dev/null
}
