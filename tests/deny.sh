#!/usr/bin/env bash
# What Waypost is made of, by cargo-deny and deny.toml: licences, what there are two of, where it comes from, what was
# yanked, and what RustSec warns of. The database of warnings is a git repository, which not every machine reaches:
# then it is said that this was not run. ADVISORIES=required makes that a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/deploy/common.sh
source tests/tools.sh
tool cargo-deny@0.20.2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
url=https://github.com/RustSec/advisory-db

# deny CONFIG CHECK...: with this configuration.
deny() { cargo deny --log-level error --config "$1" check --hide-inclusion-graph "${@:2}"; }
# edited SED: deny.toml, changed; for what must be refused.
edited() { sed "$1" deny.toml >"$work/edited.toml"; cmp -s deny.toml "$work/edited.toml" && fail "$1 changes nothing"; echo "$work/edited.toml"; }

for check in licenses bans sources; do
    exit_status deny deny.toml "$check"
    [ "$status" = 0 ] || fail "$check: $said"
    if grep -q '^warning' <<<"$said"; then fail "$check warns: $said"; fi
    ok "$check"
done
refused "a licence that is not wanted" "xxhash-rust|BSL-1.0" deny "$(edited '/BSL-1.0/d')" licenses
refused "two of a kind, without a reason" "getrandom" deny "$(edited '/getrandom@/d')" bans
refused "a registry that is not known" "not explicitly allowed" deny "$(edited 's/^unknown-registry.*/&\nallow-registry = []/')" sources

# A database of our own, in place of the real one: it shows that a warning is seen, and brings what was yanked, of which
# the registry tells.
made_up() { # made_up CRATE
    rm -rf "$work/made-up" "$work/databases"
    mkdir -p "$work/made-up/crates/$1"
    printf '```toml\n[advisory]\nid = "RUSTSEC-2020-9999"\npackage = "%s"\ndate = "2020-01-01"\n\n[versions]\npatched = []\n```\n\n# Made up\n\nFor a test.\n' \
        "$1" >"$work/made-up/crates/$1/RUSTSEC-2020-9999.md"
    git -C "$work/made-up" init --quiet --initial-branch main
    git -C "$work/made-up" add -A
    git -C "$work/made-up" -c user.name=test -c user.email=test@localhost commit --quiet -m "made up"
}
config=$(edited "s#^\\[advisories\\]#&\\ndb-path = \"$work/databases\"#")
cp "$config" "$work/database.toml"
by_the_made_up() { GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=url.file://$work/made-up.insteadOf GIT_CONFIG_VALUE_0=$url deny "$work/database.toml" advisories; }
made_up libc
refused "a dependency that is warned of" "RUSTSEC-2020-9999" by_the_made_up
made_up nobody-has-this
exit_status by_the_made_up
[ "$status" = 0 ] || fail "yanked: $said"
ok "nothing was yanked"

if timeout 30 git ls-remote --quiet "$url" HEAD >/dev/null 2>&1; then
    rm -rf "$work/databases"
    exit_status deny "$work/database.toml" advisories
    [ "$status" = 0 ] || fail "advisories: $said"
    ok "advisories, of $(git -C "$work"/databases/advisory-db-* log -1 --format=%cs)"
elif [ "${ADVISORIES:-}" = required ]; then
    fail "advisories: $url is not reached, and ADVISORIES=required"
else
    echo "  advisories: NOT RUN, $url is not reached from here"
fi
