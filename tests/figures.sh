# Sourced by scripts that judge figures: programs of benches/, reports of the load generator in $work/NAME.report, and verdicts that
# are told at the end. $work is that of peers.sh; `built` does without.

# built NAME: the program of benches/ with this name, for scripts that build nothing.
built() {
    local program=${CARGO_TARGET_DIR:-target}/release/examples/$1
    [ -x "$program" ] || { echo "${0##*/}: no $program: cargo build --release --examples" >&2; return 1; }
    echo "$program"
}

# program NAME: the same, built if it is not.
program() {
    cargo build --locked --quiet --release --example "$1" && built "$1"
}

# reported NAME VALUE: of its report; 0 when it is not there.
reported() {
    awk -v name="$2" '$1 == name { print $2; found = 1 } END { if (!found) print 0 }' "$work/$1.report"
}

# all_right NAME: every call of it got the answer it must get.
all_right() {
    if [ "$(reported "$1" wrong)" != 0 ] || [ "$(reported "$1" unanswered)" != 0 ]; then
        echo "FAILED: $1: not every call got its right answer:" >&2
        cat "$work/$1.report" >&2
        exit 1
    fi
}

# compute EXPRESSION [FORMAT]: as awk has expressions.
compute() { awk "BEGIN { printf \"${2:-%.3f}\", ($1) }" </dev/null; }

# median NUMBER...
median() {
    printf '%s\n' "$@" | sort -g | awk '{ of[NR] = $1 } END { m = int((NR + 1) / 2); print NR % 2 ? of[m] : (of[m] + of[m + 1]) / 2 }'
}

# check WHAT CONDITION: as awk has conditions; a figure that is missed is told at the end, after the others.
missed=0
check() {
    if awk "BEGIN { exit !($2) }" </dev/null; then
        echo "  held:   $1 ($2)"
    else
        echo "  MISSED: $1 ($2)"
        missed=1
    fi
}
