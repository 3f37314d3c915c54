# What the scripts of tests/deploy share; sourced. Each check says what it saw; the first that fails ends the script.

fail() { echo "FAILED: $*" >&2; exit 1; }

ok() { echo "  $*"; }

expect() { # expect WHAT ACTUAL EXPECTED
    [ "$2" = "$3" ] || fail "$1: $2, expected $3"
    ok "$1: $2"
}

# silent WHAT COMMAND...: it succeeds and says nothing, neither on stdout nor on stderr.
silent() {
    local said status=0
    said=$("${@:2}" 2>&1) || status=$?
    [ "$status" = 0 ] && [ -z "$said" ] || fail "$1: exit status $status, ${said:-without a word}"
    ok "$1"
}

# refused WHAT PATTERN COMMAND...: it fails, and says why. A checker that never refuses checks nothing.
refused() {
    local said
    if said=$("${@:3}" 2>&1); then fail "$1: accepted"; fi
    grep -qE "$2" <<<"$said" || fail "$1: refused for another reason: $said"
    ok "$1: refused"
}

# eventually SECONDS COMMAND...: tries it until it succeeds.
eventually() {
    local end=$((SECONDS + $1))
    until "${@:2}"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
}

await() { # await WHAT SECONDS COMMAND...
    eventually "${@:2}" || fail "$1: not within $2 s"
    ok "$1"
}

# exit_status COMMAND...: sets $status and $said.
exit_status() {
    status=0
    said=$("$@" 2>&1) || status=$?
}
