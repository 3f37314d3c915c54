#!/usr/bin/env bash
# The container image without a container engine: container.sh DIR makes, in DIR, what the Containerfile's own script
# makes, and runs it as the Containerfile says: as its user, with nothing else in sight, nothing to write to but its
# volume, in a network of its own. An engine that pulls the base image is what this does not need, and not test.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/deploy/common.sh

file=deploy/container/Containerfile
word() { sed -n "s/^$1 //p" "$file" | tail -1; }
# list NAME: sets $list to the words of a JSON array there.
list() { eval "list=($(word "$1" | python3 -c 'import json, shlex, sys; print(shlex.join(json.load(sys.stdin)))'))"; }

if [ "${1:-}" != inside ]; then
    image=$(realpath -m "$1")
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    echo "made by what the Containerfile runs"
    script=$(word RUN)
    expect "what it runs" "$script" "deploy/container/root.sh /image"
    rm -rf "$image"
    PROFILE=${PROFILE:-dev} "${script%% *}" "$image" >"$work/made" 2>&1 || { cat "$work/made" >&2; fail "$script"; }
    expect "libraries and linkers that the binary wants" "$(readelf -ld "$image/usr/bin/waypost" | grep -cE 'INTERP|NEEDED')" 0
    expect "programs in the image" "$(find "$image" -type f -perm /111 -printf '%P')" "usr/bin/waypost"
    unshare --mount --net --pid --fork --kill-child "$0" inside "$image" "$work"
    exit
fi
image=$2 work=$3
ip link set lo up

# --- What an engine does with it: /proc, /dev, the names of the host, the volume; the rest can only be read

mkdir -p "$image/proc" "$image/dev"
echo "127.0.0.1 localhost here.example.net" >"$image/etc/hosts"
root=$work/root
mkdir "$root"
mount --bind "$image" "$root"
mount -o remount,bind,ro "$root"
mount -t proc none "$root/proc"
mount -t tmpfs -o mode=755 none "$root/dev"
for device in null random urandom; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
user=$(word USER) volume=$(word VOLUME)
mount -t tmpfs -o "uid=${user%:*},gid=${user#*:},mode=750" none "$root$volume"
list ENTRYPOINT
contained=(env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin setpriv --no-new-privs chroot --userspec="$user" --groups= "$root" "${list[@]}")
list CMD

echo "started by what the Containerfile says"
"${contained[@]}" "${list[@]}" 2>"$work/log" &
server=$!
ready() { kill -0 "$server" 2>/dev/null || fail "it ended: $(cat "$work/log")"; curl -fs -o /dev/null http://127.0.0.1:9560/readyz; }
await "ready" 20 ready
expect "it runs as" "$(awk '/^Uid:/ { print $2, $3, $4, $5 }' "$root/proc/$server/status")" "65532 65532 65532 65532"
expect "capabilities it has, and can get" "$(awk '/^Cap(Prm|Eff|Amb|Inh):|^NoNewPrivs:/ { printf "%s ", $2 }' "$root/proc/$server/status")" \
    "0000000000000000 0000000000000000 0000000000000000 0000000000000000 1 "
expect "its own filter of system calls" "$(awk '/^Seccomp:/ { print $2 }' "$root/proc/$server/status")" 2
expect "what its sandbox has to say, and root's warning" "$(grep -c 'sandbox: besides' "$work/log") $(grep -c 'running as root' "$work/log" || true)" "1 0"
expect "files of the image that its user could change" "$(find "$image" \( ! -uid 0 -o -perm /022 \) ! -type l -printf '%P ')" ""
exit_status "${contained[@]}" ask --timeout 5s sip:+12025550123@here.example.net
expect "a call, to a name that the host knows" "$status $(grep -o '^404' <<<"$said")" "5 404"
eval "check=($(sed -n 's/^HEALTHCHECK .* CMD //p' "$file" | python3 -c 'import json, shlex, sys; print(shlex.join(json.load(sys.stdin)))'))"
exit_status "${contained[@]}" "${check[@]:1}"
expect "its health check: exit status" "$status" 0
kill -TERM "$server"
ended=0
wait "$server" || ended=$?
expect "stopped: exit status" "$ended" 0
exit_status "${contained[@]}" "${check[@]:1}"
expect "its health check, when it has stopped: exit status" "$status" 4
