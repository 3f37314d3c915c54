#!/usr/bin/env bash
# SIPp as the caller over TCP or TLS, with the example routes: each answer whole, all calls on one connection
# and then one connection for each. Over TLS it checks Waypost's certificate, and then shows its own.
# Usage: sipp_streams.sh tcp|tls
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/interop/peers.sh

transport=${1:-}
case $transport in
    tcp) letter=t options=() ;;
    tls)
        letter=l
        sipp=$(tests/interop/sipp_with_tls.sh)
        make_certificates
        options=(-tls_cert "$work/tls/peer.pem" -tls_key "$work/tls/peer.key" -tls_ca "$work/tls/ca.pem")
        ;;
    *) echo "sipp_streams.sh tcp|tls, not $transport" >&2; exit 2 ;;
esac
cp -r routes/. "$work/routes"

# calls NAME: redirects and refusals, on one connection and on many.
calls() {
    local scenario connections
    for scenario in redirect refusal; do
        for connections in 1 n; do
            echo "$1: $scenario, connections: $connections"
            run_uac "$scenario-$connections" "tests/sipp/$scenario.xml" 50 "$host:$sip" -t "$letter$connections" -max_socket 200 "${options[@]}"
        done
    done
    expect "redirects counted" "$(metric 'waypost_answers_total{code="302"}')" 100
    expect "connections taken" "$(metric "waypost_connections_opened_total{transport=\"$transport\"}")" 102
}

free_port sip
if [ "$transport" = tls ]; then tls_configuration >"$work/waypost.more"; fi
start_waypost waypost "$transport:$host:$sip"
calls "$transport"

if [ "$transport" = tls ]; then
    free_port sip
    tls_configuration "client_ca: $work/tls/ca.pem, client: required" >"$work/checking.more"
    start_waypost checking "tls:$host:$sip"
    calls "tls with the caller's certificate"
fi
