#!/usr/bin/env bash
# Everything that must hold, on a fresh Debian 12 machine with Rust: style, lints, unit and integration
# tests, scenarios, then real SIPp against the real binary. Installs the Debian packages it lacks when
# run as root; otherwise names them and stops.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

need() { # need COMMAND PACKAGE
    command -v "$1" >/dev/null && return
    missing+=("$2")
}

missing=()
need cc gcc
need c++ g++
need curl curl
need sipp sip-tester
need kamailio kamailio
need baresip baresip-core
need openssl openssl
need /usr/sbin/nsd nsd
need valgrind valgrind
need systemd-analyze systemd
need dpkg-shlibdeps dpkg-dev
need lintian lintian
need groff groff-base
need ip iproute2
need python3 python3
need objcopy binutils
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
need promtool prometheus
need sngrep sngrep
need chromium chromium
need tshark tshark
need /usr/sbin/nginx nginx-light
need /usr/sbin/nats-server nats-server
need svmap sipvicious
need sipsak sipsak
need zstd zstd
need git git
if [ "${#missing[@]}" -gt 0 ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "tests/run.sh needs these Debian packages: ${missing[*]}" >&2
        echo "install them (apt-get install ${missing[*]}) and run it again" >&2
        exit 1
    fi
    say "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # The packages of these servers start them, now and at every boot; the tests start their own.
    [ -e /usr/sbin/policy-rc.d ] || { printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; ours=/usr/sbin/policy-rc.d; }
    trap 'rm -f "${ours:-}"' EXIT
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    rm -f "${ours:-}"
    for service in kamailio nsd prometheus nginx nats-server; do
        if [[ " ${missing[*]} " == *" $service "* ]]; then
            systemctl disable "$service" >/dev/null 2>&1 || true
        fi
    done
fi
if ! command -v cargo >/dev/null; then
    echo "tests/run.sh needs cargo: install Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) or later by rustup" >&2
    exit 1
fi

say "what packs it, if it is missing"
source tests/tools.sh
tool cargo-deb@3.8.0

say "style"
cargo fmt --all --check

say "lints, warnings denied"
cargo clippy --locked --all-targets -- -D warnings
cargo clippy --locked --features nats -- -D warnings

say "what it is made of: licences, duplicates, where it comes from, warnings"
tests/deny.sh

say "documentation, warnings denied"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --quiet

say "unit, integration and scenario tests"
cargo test --locked

say "every fuzz target, ${FUZZ_SECONDS:-20} s each"
tests/fuzz/run.sh "${FUZZ_SECONDS:-20}"

say "the unsafe code, under AddressSanitizer"
tests/sanitizers/run.sh

# In two runs: in one, waypost would have the features that development dependencies ask for. Later steps take the programs from here.
say "the release build, and what measures it"
cargo build --release --locked
cargo build --release --locked --examples
source tests/figures.sh
ANSWERS=$(built answers) LOAD=$(built load) MISBEHAVE=$(built misbehave)
export ANSWERS LOAD MISBEHAVE

say "instructions of one answer, by callgrind, within their bounds"
tests/instructions.sh

say "real SIPp against the real server"
tests/sipp/run.sh

say "real peers, to the end of the call: SIPp, Kamailio, baresip, OpenSSL"
tests/interop/run.sh

say "what watches it: promtool, Prometheus, sngrep, tshark"
tests/observe/run.sh

say "the operator's page: Chromium, by keyboard, on a phone, in the dark"
tests/browser/run.sh

say "real DNS, and DNS that fails: NSD with zones, a black hole, liars, an outage"
tests/dns/run.sh

say "what deploy/ offers: the Debian package and its unit, container, Kubernetes, SIP peers"
tests/deploy/run.sh

say "a fleet of three nodes, one of them cut off for a while: nginx and NATS"
if [ "$(id -u)" = 0 ]; then tests/fleet/run.sh; else echo "left out: it makes network namespaces, which takes root"; fi

say "faults and attacks under load, each in its short form"
tests/hostile/run.sh short

say "every answer right while the routes are swapped ten times a second"
tests/sipp/reload_under_load.sh "${RELOAD_SECONDS:-60}"

say "no memory per call: short form of benches/stateless.sh"
benches/stateless.sh 200000

say "asked three times what it can answer: short form of benches/overload.sh"
# 2: others took the processor that the generator needs, so that nothing could be said.
for try in 1 2 3; do
    status=0
    TIMES=3 benches/overload.sh 21 0.4 slow || status=$?
    [ "$status" = 2 ] || break
done
[ "$status" = 0 ]

say "nothing lost through reloads, a drain and replacements of the program"
benches/lifecycle.sh "${LIFECYCLE_REQUESTS:-300000}"

say "all of it holds"
