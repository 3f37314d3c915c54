#!/usr/bin/env bash
# The one file with unsafe code, src/net/batch.rs, under AddressSanitizer: its tests, and those of the modules beside it,
# with real sockets. Then the same with bugs planted into a copy of it, one at a time: a check that sees nothing checks
# nothing. Miri does not know recvmmsg and sendmmsg, and what is unsafe here is these calls and nothing else.
#
#   tests/sanitizers.sh            some minutes for the first build, then one
#
# The compiler needs no second toolchain: RUSTC_BOOTSTRAP lets the stable one take -Zsanitizer.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/deploy/common.sh
host=$(rustc -vV | sed -n 's/^host: //p')
case $host in
    x86_64-unknown-linux-gnu | aarch64-unknown-linux-gnu) ;;
    *) fail "AddressSanitizer is there for x86_64 and aarch64 with the GNU C library, and this is $host" ;;
esac
target=$PWD/target/sanitizers
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# sanitized DIR: the tests of src/net of the tree in DIR. Leaks are none of this: tests end with threads still there.
sanitized() {
    (cd "$1" && RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address ASAN_OPTIONS=detect_leaks=0 CARGO_PROFILE_DEV_DEBUG=line-tables-only \
        timeout -k 10 900 cargo test --locked --target "$host" --target-dir "$target" --lib net::)
}

exit_status sanitized .
[ "$status" = 0 ] || fail "src/net under AddressSanitizer: $said"
passed=$(sed -n 's/^test result: ok\. \([0-9]*\) passed.*/\1/p' <<<"$said")
batching=$(grep -c '^test net::batch::.* ok$' <<<"$said")
[ "${batching:-0}" -ge 11 ] || fail "tests of the batching module that were run: $batching"
ok "under AddressSanitizer: $passed tests of src/net, of these $batching of the batching module"

# planted WHAT SED: the batching module with this bug is found out.
planted() {
    rm -rf "$work/tree"
    mkdir "$work/tree"
    for entry in *; do [ "$entry" = src ] || [ "$entry" = target ] || ln -s "$PWD/$entry" "$work/tree/$entry"; done
    cp -r src "$work/tree/src"
    sed -i "$2" "$work/tree/src/net/batch.rs"
    ! cmp -s src/net/batch.rs "$work/tree/src/net/batch.rs" || fail "$1: $2 changes nothing"
    refused "$1" "AddressSanitizer: (heap|stack)-(buffer-overflow|use-after-free)|AddressSanitizer: stack" sanitized "$work/tree"
}
planted "a datagram that is written behind its buffer" \
    's/iov_base: part.as_mut_ptr().cast(), iov_len: part.len() }/iov_base: part.as_mut_ptr().wrapping_add(DATAGRAMS_PER_BATCH * HEAD_BYTES).cast(), iov_len: part.len() }/'
planted "an answer that is read beyond the arena" \
    's/iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() }/iov_base: bytes.as_ptr().wrapping_add(OUT_ARENA_BYTES).cast_mut().cast(), iov_len: bytes.len() }/'
