#!/usr/bin/env bash
# NSD with the zones of the tests in the foreground, for looking around: until Ctrl-C.
#
#   tests/dns/nsd.sh [NUMBERS [TTL]]      100000 and 300 by default
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/dns/ground.sh

make_zones "${1:-100000}" "${2:-300}"
start_nsd
cat <<TEXT
NSD answers on $host:$dns from $(cat "$work"/zones/*.zone | wc -l) lines of $work/zones. In waypost.yaml:
dns: { servers: ["$host:$dns"] }
TEXT
wait "${peers[nsd]}"
