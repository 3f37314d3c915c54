#!/usr/bin/env bash
# What an ENUM answer out of the cache costs, against the same bytes from a static route: processor time of
# the server for each.
#
#   tests/dns/warm.sh [ROUNDS [CALLS]]      7 rounds of 2 × 400000 calls by default
#
# Rounds are static, ENUM, static, ENUM …; the figure is the median of the rounds' ratios. 1000 numbers go
# round. Both routes are of one server and one table.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/dns/ground.sh

rounds=${1:-7} count=${2:-400000}
most=${RATIO_MAX:-1.25}
numbers=1000

# Both with one condition, which they have to evaluate; the Contact is the one of the zone.
cat >"$work/routes/routes.yaml" <<YAML
routes:
  - name: enum
    when: { number: "+4420*" }
    enum: { apexes: [$apex], services: [sip], within: 400ms }
  - name: static
    when: { number: "+4430*" }
    answer: { code: 302, contact: "sip:{number|digits}@enum.example.net" }
YAML
make_zones "$numbers" 86400
start_nsd
serve_dns waypost "$dns"

run() { # run NAME PREFIX COUNT
    calls "$1" --uri "sip:+44$2{n}@example.net" --contact "<sip:44$2{n}@enum.example.net>;q=0.99" \
        --numbers "$numbers" --calls "$3" --closed 32 --pid "$pid" --wait-ms 2000 || true
    all_right "$1"
}

run enum 20 "$numbers"
run static 30 "$numbers"
asked=$(metric waypost_dns_questions_total)
ratios=() statics=() enums=()
for ((round = 1; round <= rounds; round++)); do
    run static 30 "$count"
    run enum 20 "$count"
    statics+=("$(reported static cpu_us_per_answer)") enums+=("$(reported enum cpu_us_per_answer)")
    ratios+=("$(ratio "${enums[-1]}" "${statics[-1]}")")
done
echo "processor time per answer, median of $rounds rounds of $count calls: static $(median "${statics[@]}") us, ENUM $(median "${enums[@]}") us; ratios ${ratios[*]}"
expect "questions during the rounds" "$(($(metric waypost_dns_questions_total) - asked))" 0
check "a warm ENUM answer against a static one" "$(median "${ratios[@]}") <= $most"
exit "$missed"
