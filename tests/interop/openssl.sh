#!/usr/bin/env bash
# `openssl s_client` as the caller, over TLS 1.2 and 1.3: an INVITE and an OPTIONS in one write, each answer whole
# and in its order. Where Waypost demands a certificate, whoever shows none gets no answer.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/interop/peers.sh

cp -r routes/. "$work/routes"
make_certificates
free_port sip
tls_configuration >"$work/waypost.more"
start_waypost waypost "tls:$host:$sip"

request() { # request METHOD USER@
    printf '%s\r\n' "$1 sip:$2$host:$sip SIP/2.0" \
        "Via: SIP/2.0/TLS 198.51.100.7:5061;branch=z9hG4bK776asdhds;rport" "Max-Forwards: 70" \
        "From: <sip:+441632960001@198.51.100.7>;tag=1928301774" "To: <sip:$2$host>" \
        "Call-ID: a84b4c76e66710@198.51.100.7" "CSeq: 314159 $1" "Content-Length: 0" ""
}
write_requests() { { request INVITE +12025550123@; request OPTIONS ""; } >"$work/requests"; }

expected() {
    sed "s/HOST/$host/" <<'ANSWERS'
SIP/2.0 302 Moved Temporarily
Via: SIP/2.0/TLS 198.51.100.7:5061;branch=z9hG4bK776asdhds;rport=PORT;received=HOST
From: <sip:+441632960001@198.51.100.7>;tag=1928301774
To: <sip:+12025550123@HOST>;tag=TAG
Call-ID: a84b4c76e66710@198.51.100.7
CSeq: 314159 INVITE
X-Route: us
Contact: <sip:+12025550123@198.51.100.12:5060>;q=0.99;expires=60, <sip:700112025550123@gw.acme.example.net>;q=0.98
Content-Length: 0

SIP/2.0 200 OK
Via: SIP/2.0/TLS 198.51.100.7:5061;branch=z9hG4bK776asdhds;rport=PORT;received=HOST
From: <sip:+441632960001@198.51.100.7>;tag=1928301774
To: <sip:HOST>;tag=TAG
Call-ID: a84b4c76e66710@198.51.100.7
CSeq: 314159 OPTIONS
Allow: INVITE, ACK, CANCEL, OPTIONS, MESSAGE, SUBSCRIBE, PUBLISH, REFER
Accept: application/sdp
Accept-Encoding: identity
Accept-Language: en
Supported:
Content-Length: 0

ANSWERS
}
expected >"$work/expected"

# ask NAME ARGUMENT...: -quiet keeps the connection when the requests have been read.
ask() {
    start "$1" s_client "$1" "${@:2}"
}
s_client() {
    exec openssl s_client -connect "$host:$sip" -bind "$host" -CAfile "$work/tls/ca.pem" -verify_ip "$host" -verify_return_error -quiet "${@:2}" \
        <"$work/requests" 2>"$work/logs/$1.stderr"
}
# What differs from run to run: our port, and the To tag, which is a hash of the request.
answers() { tr -d '\r' <"$work/logs/$1" | sed -E 's/;rport=[0-9]+/;rport=PORT/; s/^(To: .*;tag=)[0-9a-f]{16}$/\1TAG/'; }
answered() { answers "$1" | cmp -s - "$work/expected"; }

both_answers() { # both_answers NAME ARGUMENT...
    ask "$@"
    if ! eventually 10 answered "$1"; then
        echo "FAILED: $1: these are the differences from what is expected" >&2
        answers "$1" | diff "$work/expected" - >&2 || true
        exit 1
    fi
    stop "$1"
    echo "  $1: 302 and 200, whole"
}

write_requests
both_answers tls-1.2 -tls1_2
both_answers tls-1.3 -tls1_3

free_port sip
tls_configuration "client_ca: $work/tls/ca.pem, client: required" >"$work/checking.more"
start_waypost checking "tls:$host:$sip"
write_requests
both_answers with-certificate -cert "$work/tls/peer.pem" -key "$work/tls/peer.key"
for version in tls1_2 tls1_3; do
    ask "without-certificate-$version" "-$version"
    await "without a certificate, $version: the connection is closed" 10 not running "without-certificate-$version"
    expect "bytes of answers without a certificate, $version" "$(wc -c <"$work/logs/without-certificate-$version")" 0
done
