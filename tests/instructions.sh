#!/usr/bin/env bash
# Instructions of one answer, without sockets, by callgrind, against the bounds in tests/instructions.txt.
# Unlike time they are the same on a busy machine, so that a regression of a few per cent is seen.
#
#   tests/instructions.sh            fails when a way to an answer takes more than its bound
#   tests/instructions.sh --update   writes what was counted, and bounds 3 % above it
#
# Each way is run with N answers and with 2N: the difference has no start in it, and no table being built.
# ANSWERS is the program to count, built here when not given.
set -euo pipefail
cd "$(dirname "$0")/.."

table=tests/instructions.txt
count=1000
# As many as are looked ahead in.
prefixes=150000

if ! command -v valgrind >/dev/null; then
    echo "instructions: valgrind is missing (apt-get install valgrind)" >&2
    exit 2
fi
case ${1:-} in
    '' | --update) ;;
    *)
        sed -n '2,/^set/{s/^# \{0,1\}//;/^set/d;p}' "$0" >&2
        exit 2
        ;;
esac

source tests/figures.sh
answers=${ANSWERS:-$(program answers)}

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

# instructions NAME ANSWERS: those of the whole run.
instructions() {
    valgrind --tool=callgrind --callgrind-out-file="$directory/out" --log-file="$directory/log" \
        "$answers" "$1" "$2" "$prefixes" >"$directory/said" || {
        cat "$directory/log" "$directory/said" >&2
        return 1
    }
    sed -n 's/^\(summary\|totals\): //p' "$directory/out" | tail -1
}

counted() {
    local once twice
    once=$(instructions "$1" "$count")
    twice=$(instructions "$1" $((2 * count)))
    echo $(((twice - once) / count))
}

if [[ ${1:-} == --update ]]; then
    {
        sed -n '/^#/p' "$table"
        while read -r name _; do
            now=$(counted "$name")
            printf '%-16s %8d %8d\n' "$name" "$now" $((now + now * 3 / 100))
        done < <(sed '/^#/d;/^$/d' "$table")
    } >"$directory/table"
    cp "$directory/table" "$table"
    cat "$table"
    exit
fi

failed=0
printf '%-16s %8s %8s %8s\n' answer recorded bound now
while read -r name recorded bound; do
    now=$(counted "$name")
    mark=
    if ((now > bound)); then
        mark='  too many'
        failed=1
    elif ((now < recorded - recorded * 3 / 100)); then
        mark='  fewer: tests/instructions.sh --update'
    fi
    printf '%-16s %8d %8d %8d%s\n' "$name" "$recorded" "$bound" "$now" "$mark"
done < <(sed '/^#/d;/^$/d' "$table")

if ((failed)); then
    cat >&2 <<'TEXT'
instructions: an answer takes more than its bound.
If the work is worth it, say so in the commit and record it: tests/instructions.sh --update
Another compiler may count a few per cent otherwise; `rustc --version` of the record is in the table.
TEXT
    exit 1
fi
