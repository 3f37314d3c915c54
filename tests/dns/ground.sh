# Sourced by the DNS scripts: zones for NSD, NSD, DNS servers that misbehave, and Waypost between them and
# the load generator, all on free ports of a loopback address that no other run has; all of it ends
# with the script. NSD and awk are from Debian, the rest from benches/.
#
# LOAD, MISBEHAVE  the two programs of benches/ (built here when not given)
source tests/interop/peers.sh
source tests/figures.sh

# A number of benches/load, for the URI, the zone and the answer: +4420 and eight digits.
uri='sip:+4420{n}@example.net'
apex=e164.example.net
nsd=${NSD:-/usr/sbin/nsd}
[ -x "$nsd" ] || nsd=$(command -v nsd) || { echo "no nsd: apt-get install nsd" >&2; exit 1; }

load=${LOAD:-$(program load)}
misbehave=${MISBEHAVE:-$(program misbehave)}

# make_zones NUMBERS TTL: in $work/zones; see zones.awk for what is in them.
make_zones() {
    mkdir -p "$work/zones"
    awk -v numbers="$1" -v ttl="$2" -v folder="$work/zones" -f tests/dns/zones.awk
}

# start_nsd [PORT]: serves the zones in the foreground, as the user that we are, and waits until it answers
# from them. Sets $dns to its port.
start_nsd() {
    [ -n "${1:-}" ] && dns=$1 || free_port dns
    local zone
    {
        # Without a limit of answers per second, which Debian's build has, and would apply to one source.
        printf 'server:\n server-count: 1\n ip-address: %s@%s\n username: ""\n chroot: ""\n' "$host" "$dns"
        printf ' zonesdir: "%s"\n database: ""\n pidfile: "%s"\n' "$work/zones" "$work/nsd.pid"
        printf ' xfrdfile: "%s"\n xfrdir: "%s"\n zonelistfile: "%s"\n' "$work/xfrd.state" "$work" "$work/zone.list"
        printf ' verbosity: 1\n ipv4-edns-size: 1232\n rrl-ratelimit: 0\n rrl-whitelist-ratelimit: 0\n'
        printf ' tcp-count: 200\nremote-control:\n control-enable: no\n'
        for zone in "$work"/zones/*.zone; do
            zone=${zone##*/}
            printf 'zone:\n name: "%s"\n zonefile: "%s"\n' "${zone%.zone}" "$zone"
        done
    } >"$work/nsd.conf"
    start nsd "$nsd" -d -c "$work/nsd.conf"
    await_dns NSD nsd "$dns"
}

# start_misbehave NAME MODE: sets $dns to its port. The name is the one to stop it by.
start_misbehave() {
    free_port dns
    start "$1" "$misbehave" --listen "$host:$dns" --as "$2"
    await "$1 listens on port $dns" 5 anybody_has "$dns"
}

await_dns() { # await_dns WHAT NAME PORT
    "$misbehave" --await "$host:$3" --name "$apex" 2>"$work/logs/await" && running "$2" ||
        { echo "FAILED: $1 does not answer: $(cat "$work/logs/await")" >&2; exit 1; }
}

# serve_dns NAME DNS_PORT [MORE]: Waypost with this DNS server and $work/routes; MORE goes into `dns:`, as
# in "stale_s: 10800, ttl_s_min: $least_s". Sets $sip, $admin and $pid.
serve_dns() {
    free_port sip
    printf 'dns: { servers: ["%s:%s"]%s }\nkey: 000102030405060708090a0b0c0d0e0f\nlog: { level: warn }\n' "$host" "$2" "${3:+, $3}" >"$work/$1.more"
    start_waypost "$1" "udp:$host:$sip"
    pid=${peers[$1]}
}

# enum_routes [FALLBACK]: ENUM for +44 20… and +44 21…, and a fallback that can be told from it.
enum_routes() {
    cat >"$work/routes/routes.yaml" <<YAML
routes:
  - name: enum
    when: { number: ["+4420*", "+4421*"] }
    enum: { apexes: [$apex], services: [sip], within: 400ms }
  - name: fallback
    answer: ${1:-"{ code: 302, contact: \"sip:{number}@fallback.example.net\" }"}
YAML
}

# calls NAME OPTION...: the load generator against $sip; its report goes to $work/NAME.report.
calls() {
    local name=$1 status=0
    "$load" --to "$host:$sip" --uri "$uri" "${@:2}" >"$work/$name.report" 2>&1 || status=$?
    [ "$status" != 2 ] || { cat "$work/$name.report" >&2; return 2; }
    return "$status"
}

# ratio A B: A / B with three decimals.
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.3f\n", a / b; else print "none" }'; }

# number_of CALL: its eight digits, as benches/load computes them.
number_of() { printf '%08d' $(($1 * 61803397 % 100000000)); }
