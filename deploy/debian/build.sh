#!/usr/bin/env bash
# Makes the Debian package of this tree: target/debian/waypost_VERSION-1_ARCH.deb. Needs cargo-deb
# (cargo install cargo-deb --locked) and dpkg-dev, which finds out what the binary depends on.
#
# Arguments are for cargo-deb. The man pages and completions are made by the binary that goes into the package, so
# they say what it does.
set -euo pipefail
cd "$(dirname "$0")/../.."

for tool in cargo-deb dpkg-shlibdeps; do
    command -v "$tool" >/dev/null && continue
    echo "$0 needs $tool: cargo install cargo-deb --locked; apt-get install dpkg-dev" >&2
    exit 1
done

cargo build --release --locked
pages=target/pages
mkdir -p "$pages"
target/release/waypost man >"$pages/waypost.1"
awk -f deploy/debian/yaml5.awk deploy/waypost.yaml >"$pages/waypost.yaml.5"
for shell in bash zsh fish; do
    target/release/waypost completions "$shell" >"$pages/waypost.$shell"
done
# What changed is in the changelog of the project; Debian wants one of the package, too. Its date is that of the
# commit, so that the same tree gives the same package.
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
maintainer=$(sed -n 's/^maintainer = "\(.*\)"/\1/p' Cargo.toml)
date=$(git log -1 --format=%cD 2>/dev/null || date -Ru)
printf 'waypost (%s-1) unstable; urgency=medium\n\n  * What changed: /usr/share/doc/waypost/changelog.gz\n\n -- %s  %s\n' \
    "$version" "$maintainer" "$date" >"$pages/changelog.Debian"
# Symbols go into a package of their own (.ddeb): perf and gdb want them, a server does not.
cargo deb --no-build --locked --dbgsym "$@"
