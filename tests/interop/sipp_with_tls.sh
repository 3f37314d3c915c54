#!/usr/bin/env bash
# Prints the command of a SIPp that can do TLS. Debian 12 builds its own without, and Debian 13 on wolfSSL, which
# does not get through its own handshake (SSL_ERROR_WANT_READ, against `openssl s_server` too). Debian 14
# builds it on OpenSSL. So that one, with the libraries it needs, is unpacked into target/interop, once:
# nothing is installed, and apt checks the signatures.
set -euo pipefail
cd "$(dirname "$0")/../.."

# `sipp -v` ends with status 99.
has_tls() { [[ "$("$1" -v 2>/dev/null || true)" == *" SIPp "*-TLS* ]]; }

if has_tls sipp && ldd "$(command -v sipp)" | grep -q libssl; then
    command -v sipp
    exit
fi

root=$PWD/target/interop/sipp
if ! has_tls "$root/sipp"; then
    # The mirror that this machine takes Debian from.
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' | grep -v security | head -n 1)
    [ -n "$mirror" ] || { echo "no Debian mirror in this machine's apt sources" >&2; exit 1; }
    rm -rf "$root"
    mkdir -p "$root"/apt/{lists/partial,cache/archives/partial} "$root/files"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror forky main" >"$root/apt/sources.list"
    : >"$root/apt/nothing-installed"
    apt=(
        apt-get -qq -o "Dir::Etc::SourceList=$root/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$root/apt/lists" -o "Dir::Cache=$root/apt/cache" -o "Dir::State::Status=$root/apt/nothing-installed"
        -o "APT::Sandbox::User=$(id -un)" -o Debug::NoLocking=1 -o Acquire::http::Timeout=30
    )
    "${apt[@]}" update >&2
    "${apt[@]}" install -y --download-only --no-install-recommends sip-tester >"$root/apt/log" 2>&1 || { cat "$root/apt/log" >&2; exit 1; }
    for package in "$root"/apt/cache/archives/*.deb; do dpkg-deb -x "$package" "$root/files"; done
    rm -r "$root/apt"
    library=$root/files/usr/lib/$(uname -m)-linux-gnu
    printf '#!/bin/sh\nexec %q --library-path %q %q "$@"\n' "$(echo "$library"/ld-linux-*.so.*)" "$library" "$root/files/usr/bin/sipp" >"$root/sipp"
    chmod +x "$root/sipp"
    has_tls "$root/sipp" || { echo "the SIPp in $root does not run, or has no TLS" >&2; exit 1; }
fi
echo "$root/sipp"
