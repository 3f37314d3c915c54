#!/usr/bin/env bash
# Asterisk with the configuration that deploy/asterisk offers, between a SIPp that calls and two SIPps that answer: it asks
# two Waypost nodes, tries the Contacts in the order of q, and the caller never sees a redirect.
#
#   tests/deploy/asterisk.sh [ROOT]    as root
#
# Debian 12 has no package of Asterisk, Debian 11 has: ROOT is a system of it with the package in it, which debootstrap
# makes when it is not there (some minutes, 450 MB). Asterisk runs in it by chroot, with sockets on loopback alone. Not
# part of tests/run.sh, since Debian 11 may leave the mirrors any day.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/interop/peers.sh
[ "$(id -u)" = 0 ] || { echo "tests/deploy/asterisk.sh needs root: it changes the root directory" >&2; exit 1; }

root=${1:-target/asterisk-root}
if [ ! -x "$root/usr/sbin/asterisk" ]; then
    command -v debootstrap >/dev/null || { echo "asterisk: debootstrap is missing (apt-get install debootstrap)" >&2; exit 1; }
    debootstrap --variant=minbase --include=asterisk bullseye "$root" "${MIRROR:-http://deb.debian.org/debian}" >"$work/logs/debootstrap"
fi
chroot "$root" asterisk -V

free_port pbx one two first second
cat >"$work/routes/routes.yaml" <<ROUTES
gateways: { first: "sip:$host:$first", second: "sip:$host:$second" }
groups: { both: [ first, { to: second, tier: 2 } ] }
routes:
  - name: not ours
    when: { number: "+4416329601*" }
    answer: { code: 404 }
  - name: two Contacts
    when: { number: "+441632960*" }
    answer: { group: both }
ROUTES
start_waypost one "udp:$host:$one"
admin_one=$admin
start_waypost two "udp:$host:$two"
admin_two=$admin

# Ours, with the addresses of this run; who calls is this run's own.
etc=$root/etc/waypost
rm -rf "$etc"
mkdir "$etc"
sed -e "s/192.0.2.11:5060/$host:$one/; s/192.0.2.12:5060/$host:$two/; s/0\.0\.0\.0/$host:$pbx/" \
    -e "s/qualify_frequency=5/qualify_frequency=1/" \
    deploy/asterisk/pjsip.conf >"$etc/pjsip.conf"
cat >>"$etc/pjsip.conf" <<CONF
[caller]
type=endpoint
transport=waypost-transport
context=by-waypost
disallow=all
allow=alaw
direct_media=no
[caller]
type=identify
endpoint=caller
match=$host
CONF
{ printf '[general]\n[globals]\n'; cat deploy/asterisk/extensions.conf; } >"$etc/extensions.conf"
{
    printf '[modules]\nautoload=yes\n'
    printf 'noload => %s.so\n' chan_sip chan_iax2 chan_unistim chan_skinny chan_mgcp pbx_dundi # They would listen, too.
} >"$etc/modules.conf"
printf '[general]\nrtpstart=30000\nrtpend=31000\n' >"$etc/rtp.conf"
sed -e "s|/etc/asterisk|/etc/waypost|; s/\[directories\](!)/[directories]/; s|/var/run/asterisk|/etc/waypost|" \
    "$root/etc/asterisk/asterisk.conf" >"$etc/asterisk.conf"
configuration=/etc/waypost/asterisk.conf
start asterisk chroot "$root" asterisk -f -C "$configuration" -vv
console() { chroot "$root" asterisk -C "$configuration" -rx "$1" 2>&1; }
nodes_available() { [ "$(console 'pjsip show contacts' | grep -c "waypost[12]/.*Avail ")" = "$1" ]; }
await "Asterisk sees both Waypost nodes answer OPTIONS" 60 nodes_available 2

redirects_by() { admin=$1 metric 'waypost_answers_total{code="302"}'; } # redirects_by ADMIN_PORT

# The Record-Route is a proxy's; a PBX is at the end of the call.
sed '/<action>/,/<\/action>/d; /<Reference/d' tests/interop/uac.xml >"$work/uac.xml"
calls() { run_uac "$1" "$work/uac.xml" 10 "$host:$pbx" -key called "$2"; }

# refused NAME CALLED CODE
refused() {
    sed "s/response=\"404\"/response=\"$3\"/" tests/interop/uac_refused.xml >"$work/$1.xml"
    run_uac "$1" "$work/$1.xml" 10 "$host:$pbx" -key called "$2"
}

echo "both gateways alive: the first gets all calls"
start_uas first "$first"
start_uas second "$second"
calls alive +441632960001
answered_by first 10
answered_by second 0
at_least "redirects by the first node" "$(redirects_by "$admin_one")" 10
expect "redirects by the other" "$(redirects_by "$admin_two")" 0

echo "the first gateway says 503: the second gets all calls"
uas=tests/interop/uas_refuses.xml start_uas first "$first"
start_uas second "$second"
calls full +441632960001
answered_by first 10
answered_by second 10

echo "refused by Waypost"
refused unknown +441632960101 404

echo "one Waypost node gone: Asterisk asks the other"
stop one
await "Asterisk sees that one is gone" 60 nodes_available 1
start_uas first "$first"
calls failover +441632960001
answered_by first 10
at_least "redirects by the other" "$(redirects_by "$admin_two")" 10
