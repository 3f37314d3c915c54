#!/usr/bin/env bash
# Real peers against the real server, each with the configuration that deploy/ offers for it. Needs the Debian
# packages sip-tester, kamailio, baresip-core and openssl, which tests/run.sh installs; sipp_with_tls.sh
# fetches its own SIPp. About a minute.
set -euo pipefail
cd "$(dirname "$0")/../.."

for command in sipp kamailio kamcmd baresip openssl curl awk; do
    command -v "$command" >/dev/null || { echo "tests/interop/run.sh needs $command: tests/run.sh installs what it is in" >&2; exit 1; }
done

peer() { # peer SCRIPT [ARGUMENT]: bounded; each script bounds its own steps more tightly.
    printf '\n-- %s\n' "$*"
    timeout -k 10 120 "tests/interop/$1" "${@:2}" || { echo "FAILED: tests/interop/$*" >&2; exit 1; }
}

peer sipp_follows.sh udp
peer sipp_follows.sh tcp
peer sipp_authenticates.sh
peer kamailio.sh
peer health.sh
peer gso.sh
peer baresip.sh
peer openssl.sh
peer sipp_streams.sh tcp
peer sipp_streams.sh tls
