#!/usr/bin/env bash
# The one file with unsafe code, src/net/batch.rs, under AddressSanitizer: its tests with real sockets, and those of the
# files that it names. Then the same with bugs planted into a copy, one at a time: a check that sees nothing checks nothing.
# Miri does not know recvmmsg and sendmmsg, and what is unsafe here is these calls and nothing else. Under a minute.
#
# The compiler needs no second toolchain: RUSTC_BOOTSTRAP lets the stable one take -Zsanitizer.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/deploy/common.sh
host=$(rustc -vV | sed -n 's/^host: //p')
case $host in
    x86_64-unknown-linux-gnu | aarch64-unknown-linux-gnu) ;;
    *) fail "AddressSanitizer is there for x86_64 and aarch64 with the GNU C library, and this is $host" ;;
esac
target=$PWD/target/sanitizers
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The tree is copied, so that a bug may be planted; libc is of the version of Waypost's own lock file.
cp tests/sanitizers/Cargo.toml Cargo.lock "$work"
fresh() { rm -rf "$work/src" && cp -r src "$work/src" && cp tests/sanitizers/sanitized.rs "$work/src"; }

sanitized() {
    (cd "$work" && RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address timeout -k 10 300 \
        cargo test --quiet --target "$host" --target-dir "$target" --lib -- --format pretty)
}

fresh
exit_status sanitized
[ "$status" = 0 ] || fail "src/net/batch.rs under AddressSanitizer: $said"
passed=$(sed -n 's/^test result: ok\. \([0-9]*\) passed.*/\1/p' <<<"$said")
batching=$(grep -c '^test net::batch::.* ok$' <<<"$said" || true)
[ "$batching" -ge 11 ] || fail "tests of the batching module that were run: $batching; $said"
ok "under AddressSanitizer: $passed tests, of these $batching of the batching module"

# planted WHAT SED: the batching module with this bug is found out.
planted() {
    fresh
    sed -i "$2" "$work/src/net/batch.rs"
    ! cmp -s src/net/batch.rs "$work/src/net/batch.rs" || fail "$1: $2 changes nothing"
    refused "$1" "ERROR: AddressSanitizer: (heap-buffer-overflow|heap-use-after-free|stack-[a-z-]*)" sanitized
}
planted "a datagram that is written behind its buffer" \
    's/iov_base: slot.as_mut_ptr()/&.wrapping_add(DATAGRAMS_PER_BATCH * SLOT_STRIDE_BYTES)/'
planted "an answer that is read beyond the arena" \
    's/iov_base: bytes.as_ptr()/&.wrapping_add(OUT_ARENA_BYTES)/'
planted "the name of a peer in memory that was given back" \
    's/envelope.name.as_mut_ptr()/Box::new([0_u8; NAME_BYTES]).as_mut_ptr()/'
