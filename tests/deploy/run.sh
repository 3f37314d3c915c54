#!/usr/bin/env bash
# What deploy/ offers, tried: the Debian package and its unit, the container image, the Kubernetes and compose files, the
# configurations of SIP peers. Needs root (an overlay, a network of its own), the release build, and what tests/run.sh installs.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ "$(id -u)" = 0 ] || { echo "tests/deploy/run.sh needs root: it installs the package in an overlay of this system" >&2; exit 1; }

tools=target/deploy-tools
if [ ! -x "$tools/bin/python" ] || ! sha256sum --status -c "$tools/installed" 2>/dev/null; then
    rm -rf "$tools"
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check -r tests/deploy/requirements.txt
    "$tools/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes -r tests/deploy/tools.txt
    sha256sum tests/deploy/requirements.txt tests/deploy/tools.txt >"$tools/installed"
fi

echo "-- Debian package"
deploy/debian/build.sh --fast >/dev/null
deb=$(ls -t target/debian/waypost_*.deb | head -1)
lintian --allow-root --fail-on error,warning "$deb"
tests/deploy/package.sh "$deb"

echo "-- ports below 1024 for nobody"
tests/deploy/privileges.sh target/release/waypost

echo "-- container image"
tests/deploy/container.sh target/image

echo "-- Kubernetes, compose"
tests/deploy/kubernetes.sh "$tools" target/release/waypost

echo "-- SIP peers that are not run"
tests/deploy/peers.sh "$tools"
