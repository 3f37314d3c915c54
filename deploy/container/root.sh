#!/usr/bin/env bash
# root.sh DIR lays out in DIR all that the container image holds: one binary that needs no library, its
# configuration, a user, and the certificates of the public authorities. The Containerfile runs it, and so does
# tests/deploy/container.sh, which then runs the binary with DIR as its whole world.
#
# PROFILE=dev builds with that profile of cargo instead of `release`.
set -euo pipefail
root=$(realpath -m "$1")
cd "$(dirname "$0")/../.."
profile=${PROFILE:-release}
uid=65532

# glibc goes into the binary. Since 2.34 its resolver needs no file beside it, and it allocates faster than musl, which
# would need a target that the toolchain of a distribution does not bring. The flag is for the binary alone: the
# libraries are those of any other build. Names of functions stay in it, for perf; line numbers do not.
cargo rustc --locked --profile "$profile" --bin waypost -- -C target-feature=+crt-static -C strip=debuginfo
directory=$profile
[ "$profile" != dev ] || directory=debug
install -D -m 755 "target/$directory/waypost" "$root/usr/bin/waypost"

install -D -m 644 deploy/container/waypost.yaml "$root/etc/waypost/waypost.yaml"
install -D -m 644 deploy/routes.yaml "$root/etc/waypost/routes/10-routes.yaml"
install -D -m 644 -t "$root/usr/share/doc/waypost" LICENSE-APACHE LICENSE-MIT
install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
echo "waypost:x:$uid:$uid:Waypost:/nonexistent:/usr/sbin/nologin" >"$root/etc/passwd"
echo "waypost:x:$uid:" >"$root/etc/group"
# What the server keeps; the only place where it writes.
install -d -m 750 "$root/var/lib/waypost"
