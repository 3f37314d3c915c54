#!/usr/bin/env bash
# The Debian package, from its making to its purge: package.sh DEB. It is installed on this machine's own system, seen
# through an overlay that is thrown away, in a network of its own; so the shipped configuration serves on the port it
# names. No systemd runs here: the commands of the unit are run as it says, as its user, with its capabilities.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/deploy/common.sh

if [ "${1:-}" != inside ]; then
    deb=$(realpath "$1")
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    unshare --mount --net --pid --fork --kill-child "$0" inside "$deb" "$work"
    exit
fi
deb=$2 work=$3
ip link set lo up

# --- The system, and what is written to it, apart

mount -t tmpfs none "$work"
mkdir "$work/upper" "$work/workdir" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/workdir" "$work/root"
root=$work/root
mount -t proc none "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs none "$root/run"
mount -t tmpfs none "$root/tmp"
cp "$deb" "$root/tmp/waypost.deb"
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }

# left_behind: what differs from the system before. dpkg's own books, logs, caches and the backups that the tools for
# users make are nobody's business.
left_behind() {
    local path
    (cd "$work/upper" && find . -mindepth 1 -printf '%P\n') | while read -r path; do
        case $path in
            var/lib/dpkg/* | var/log/* | var/cache/* | etc/*- | proc | dev | run | tmp) continue ;;
            etc/.pwd.lock | var/lib/systemd/deb-systemd-helper-*) [ -e "/$path" ] && continue ;;
        esac
        if [ -d "$work/upper/$path" ]; then
            [ -d "/$path" ] || echo "directory $path"
        elif ! cmp -s "$work/upper/$path" "/$path"; then
            echo "$path"
        fi
    done
}

# --- Installed

echo "installed"
[ ! -e /usr/bin/waypost ] || fail "this machine has a waypost already"
inside dpkg -i /tmp/waypost.deb >"$work/dpkg" 2>&1 || { cat "$work/dpkg" >&2; fail "dpkg -i"; }
expect "its user, and the home and shell of it" "$(inside getent passwd waypost | cut -d: -f6,7)" "/nonexistent:/usr/sbin/nologin"
expect "its conffiles" "$(inside dpkg-query -W -f '${Conffiles}' waypost | awk '{ printf "%s ", $1 }')" \
    "/etc/waypost/waypost.yaml /etc/waypost/routes/10-routes.yaml "
expect "files of it that are missing or changed" "$(inside dpkg --verify waypost)" ""
expect "files of it that are not root's" "$(inside dpkg -L waypost | while read -r f; do find "$root$f" -maxdepth 0 ! -uid 0; done)" ""
for page in man1/waypost.1 man5/waypost.yaml.5; do
    silent "the page $page is set without a warning" \
        bash -o pipefail -c "zcat '$root/usr/share/man/$page.gz' | LC_ALL=C.UTF-8 groff -k -man -ww -z -Tutf8"
done
for key in $(sed -n 's/^#\?\([a-z_]*\):.*/\1/p' deploy/waypost.yaml); do
    zcat "$root/usr/share/man/man5/waypost.yaml.5.gz" | grep -qF "\\fB$key\\fR" || fail "waypost.yaml(5) has no $key"
done
ok "waypost.yaml(5) has every key of waypost.yaml"
silent "the completions of bash are a script" bash -n "$root/usr/share/bash-completion/completions/waypost"

# --- The unit

echo "the unit"
units=("$root"/usr/lib/systemd/system/waypost.*)
unit=$root/usr/lib/systemd/system/waypost.service
for file in "${units[@]}"; do
    silent "systemd-analyze verify ${file##*/}" inside systemd-analyze verify --man=no "${file#"$root"}"
done
# `Exposure level` in deploy/README.md is the bound.
recorded=$(sed -n 's/.*exposure level of \([0-9.]*\).*/\1/p' deploy/README.md)
measured=$(inside systemd-analyze security --offline=true --no-pager "${unit#"$root"}" | sed -n 's/.*Overall exposure level for waypost.service: \([0-9.]*\).*/\1/p')
expect "systemd-analyze security, as deploy/README.md has it" "$measured" "$recorded"
awk "BEGIN { exit !($measured <= 2.0) }" || fail "an exposure level of $measured; 2.0 is the most"
# What the server asks of the kernel for its own sandbox gets through the unit's filter: killed or refused, it would be
# without. The groups are those of this systemd; the last word on a call holds.
systemd-analyze syscall-filter >"$work/groups"
passes=$(python3 - "$unit" "$work/groups" <<'PYTHON'
import sys
unit, text = (open(path).read() for path in sys.argv[1:])
groups, name = {}, None
for line in text.splitlines():
    if line.startswith("@"):
        name = line.split()[0]
        groups[name] = []
    elif line.startswith("    ") and not line.strip().startswith("#"):
        groups[name].append(line.strip())
def calls(word):
    return {call for one in groups[word] for call in calls(one)} if word.startswith("@") else {word}
allowed = calls("@default")
for line in unit.splitlines():
    if line.startswith("SystemCallFilter="):
        words = line.split("=", 1)[1]
        found = {call for word in words.lstrip("~").split() for call in calls(word)}
        allowed = allowed - found if words.startswith("~") else allowed | found
wanted = ["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "seccomp", "prctl", "execve", "recvmmsg", "sendmmsg"]
assert len(groups) > 20 and "ptrace" not in allowed and "mount" not in allowed
print(*[call for call in wanted if call not in allowed])
PYTHON
)
expect "system calls of its sandbox that the unit's filter refuses" "$passes" ""

# values KEY: its values in the unit, one a line.
values() { sed -e ':a' -e '/\\$/N; s/\\\n//; ta' "$unit" | sed -n "s/^$1=//p"; }

# as_unit COMMAND-LINE: sets $command to what systemd would run: its user, its capabilities, $$ for $, the environment
# that it gives. Each word of it becomes the next one, so the process that it starts is the command's.
as_unit() {
    case $1 in [+!@:]* | *%*) fail "a command that this test cannot read: $1" ;; esac
    local words
    eval "words=(${1//\$\$/\$})"
    command=(chroot "$root" setpriv --reuid=waypost --regid=waypost --clear-groups --no-new-privs \
        --bounding-set=-all,+net_bind_service --inh-caps=-all,+net_bind_service --ambient-caps=-all,+net_bind_service \
        env -i PATH=/usr/bin:/bin "${environment[@]}" "${words[@]}")
}

# run_as_unit COMMAND-LINE: to its end. After a - it may fail.
run_as_unit() {
    as_unit "${1#-}"
    "${command[@]}" || [[ $1 == -* ]]
}

expect "what the service may do" "$(values CapabilityBoundingSet) $(values AmbientCapabilities)" "CAP_NET_BIND_SERVICE CAP_NET_BIND_SERVICE"
environment=()
for directory in $(values StateDirectory); do
    install -d -m 750 "$root/var/lib/$directory"
    chroot "$root" chown waypost: "/var/lib/$directory"
    environment+=("STATE_DIRECTORY=/var/lib/$directory")
done
for directory in $(values RuntimeDirectory); do
    install -d -m 755 "$root/run/$directory"
    chroot "$root" chown waypost: "/run/$directory"
    environment+=("RUNTIME_DIRECTORY=/run/$directory")
done

# --- Started

echo "started by its unit's command"
type=$(values Type)
if [[ $type == notify* ]]; then
    environment+=("NOTIFY_SOCKET=/run/notify")
    python3 -c '
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o666)
while True: print(s.recv(4096).decode(), flush=True)' "$root/run/notify" >"$work/notified" &
    await "somebody listens for its word" 5 test -S "$root/run/notify"
fi
while read -r line; do
    [ -z "$line" ] || run_as_unit "$line" || fail "ExecStartPre=$line"
done < <(values ExecStartPre)
started=$(values ExecStart)
as_unit "$started"
"${command[@]}" 2>"$work/log" &
server=$!
ready() { kill -0 "$server" 2>/dev/null || fail "it ended: $(cat "$work/log")"; curl -fs -o /dev/null http://127.0.0.1:9560/readyz; }
await "$started: ready" 20 ready
[[ $type != notify* ]] || await "it said READY=1" 5 grep -q '^READY=1' "$work/notified"
uid=$(inside id -u waypost)
expect "it runs as" "$(awk '/^Uid:/ { print $2, $3, $4, $5 }' "$root/proc/$server/status")" "$uid $uid $uid $uid"
expect "no new privileges, and a filter of system calls: its own" "$(awk '/^NoNewPrivs:|^Seccomp:/ { printf "%s ", $2 }' "$root/proc/$server/status")" "1 2 "
expect "what its sandbox has to say, and root's warning" "$(grep -c 'sandbox: besides' "$work/log") $(grep -c 'running as root' "$work/log" || true)" "1 0"

ask() { exit_status inside waypost ask --timeout 5s sip:+12025550123@127.0.0.1; }
ask
expect "a call, as installed" "$status $(grep -o '^404' <<<"$said")" "5 404"

echo "new routes"
cat >"$root/etc/waypost/routes/10-routes.yaml" <<'ROUTES'
routes:
  - {name: all, answer: {contact: "sip:{number}@192.0.2.1"}}
ROUTES
MAINPID=$server
while read -r line; do
    [ -z "$line" ] || run_as_unit "${line//\$MAINPID/$MAINPID}" || fail "ExecReload=$line"
done < <(values ExecReload)
[ -n "$(values ExecReload)" ] || kill -HUP "$server"
redirected() { ask; [ "$status" = 0 ] && grep -qF 'sip:+12025550123@192.0.2.1' <<<"$said"; }
await "after the unit's reload, a call is redirected" 10 redirected

echo "stopped"
kill -TERM "$server"
ended=0
wait "$server" || ended=$?
expect "exit status" "$ended" 0

# --- Installed again, and purged

echo "installed again"
inside dpkg -i /tmp/waypost.deb >"$work/dpkg" 2>&1 || { cat "$work/dpkg" >&2; fail "dpkg -i, again"; }
expect "routes of the operator that it keeps" "$(grep -c 192.0.2.1 "$root/etc/waypost/routes/10-routes.yaml")" 1

echo "removed"
inside dpkg -r waypost >"$work/dpkg" 2>&1 || { cat "$work/dpkg" >&2; fail "dpkg -r"; }
expect "binary" "$([ -e "$root/usr/bin/waypost" ] && echo there || echo gone)" gone
expect "conffiles that stay" "$(find "$root/etc/waypost" -type f | wc -l)" 2

echo "purged"
inside dpkg -P waypost >"$work/dpkg" 2>&1 || { cat "$work/dpkg" >&2; fail "dpkg -P"; }
expect "left behind" "$(left_behind)" ""
