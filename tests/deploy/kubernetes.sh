#!/usr/bin/env bash
# The Kubernetes manifests, as kustomize renders them: kubernetes.sh TOOLS WAYPOST. Each object is held against the schema
# of its kind, in the oldest and the newest release that they are for; unknown fields are refused. What the ConfigMaps hold
# is read by Waypost. No cluster: that a pod starts is tests/deploy/container.sh's.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/deploy/common.sh
tools=$(realpath "$1") waypost=$(realpath "$2")
work=$(mktemp -d)
started=()
finish() {
    [ $? = 0 ] || tail -n 5 "$work"/*.log >&2 || true
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT

# preStop with a sleep is there since 1.30; 1.37 is the newest that kubernetes-validate knows.
oldest=1.30 newest=1.37

# valid RELEASE FILE
valid() { "$tools/bin/kubernetes-validate" --strict --no-warn --quiet -k "$1" "$2"; }

# config_map NAME DIR: writes what the ConfigMap holds to DIR.
config_map() {
    "$tools/bin/python" - "$rendered" "$1" "$2" <<'PYTHON'
import pathlib, sys, yaml
rendered, name, directory = sys.argv[1:]
found = [o for o in yaml.safe_load_all(open(rendered)) if o["kind"] == "ConfigMap" and o["metadata"]["name"].startswith(name)]
assert len(found) == 1, f"{len(found)} ConfigMaps called {name}"
for file, text in found[0]["data"].items():
    (pathlib.Path(directory) / file).write_text(text)
PYTHON
}

# begin NAME COMMAND...: starts it; its words are in $work/NAME.log, its process is $began.
begin() {
    "${@:2}" >"$work/$1.log" 2>&1 &
    began=$!
    started+=("$began")
}

# publish DIR NUMBER: publishes a table that ports a number to this one.
publish() {
    printf '+12025550123,%s\n' "$2" >"$1/ported.csv"
    "$waypost" publish "$1" --to "$work/www/waypost/numbers" --sign-key "$work/publisher.pem" >/dev/null
}

# leads_to NUMBER: what the server at $work/main.sock does with a call now.
leads_to() { "$waypost" ctl --admin "unix:$work/main.sock" explain +12025550123 2>/dev/null | grep -q "rn=$1"; }

# fetch DIR: as the two containers of a pod do it, with the configurations that they have there. The object store is an
# HTTPS server on loopback.
fetch() {
    local dir=$1 fetched=$1/routes/fetched
    mkdir -p "$fetched" "$work/numbers" "$work/www"
    config_map waypost-fetcher "$dir"
    openssl genpkey -algorithm ed25519 -out "$work/publisher.pem"
    openssl pkey -in "$work/publisher.pem" -pubout -out "$dir/publisher.pub.pem"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=config.example.net \
        -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:config.example.net,IP:127.0.0.1 \
        -keyout "$work/web.key" -out "$work/web.pem" 2>/dev/null
    cat >"$work/numbers/numbers.yaml" <<'YAML'
tables:
  ported: {file: ported.csv, match: exact, columns: [number, rn]}
routes:
  - {name: ported, dip: {table: ported}}
  - {name: none, answer: 403}
YAML
    publish "$work/numbers" +12025550198
    cat >"$work/web.py" <<'PYTHON'
import functools, http.server, ssl, sys
directory, certificate, key = sys.argv[1:]
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(http.server.SimpleHTTPRequestHandler, directory=directory))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
print("port", server.server_port, flush=True)
server.serve_forever()
PYTHON
    begin web "$tools/bin/python" "$work/web.py" "$work/www" "$work/web.pem" "$work/web.key"
    local web=$began port
    await "an object store is there" 10 grep -q '^port ' "$work/web.log"
    port=$(sed -n 's/^port //p' "$work/web.log")
    # Its place, and whom this machine trusts; all else is as the pod has it.
    sed -i "s#https://config.example.net/#https://127.0.0.1:$port/#; s#^source:#source:\n  every_s: 1\n  ca: $work/web.pem#
        s#/run/publisher/#$dir/#; s#/var/lib/waypost#$fetched#" "$dir/fetcher.yaml"
    begin fetcher "$waypost" serve --config "$dir/fetcher.yaml"
    local fetcher=$began
    local probe=("$waypost" ctl status --config "$dir/fetcher.yaml")
    await "the fetcher's probe succeeds" 20 silently "${probe[@]}"
    begin main "$waypost" serve --config "$dir/waypost.yaml" --listen udp:127.0.0.1:0 --admin "unix:$work/main.sock"
    await "a call is answered by a number that was fetched" 20 leads_to +12025550198
    publish "$work/numbers" +12025550199
    await "published again, it is answered by the new one" 20 leads_to +12025550199
    kill "$web" "$fetcher"
    wait "$web" "$fetcher" 2>/dev/null || true
    begin fetcher "$waypost" serve --config "$dir/fetcher.yaml"
    await "without the object store the fetcher starts with what it has" 20 silently "${probe[@]}"
    leads_to +12025550199 || fail "the number is gone"
}

silently() { "$@" >/dev/null 2>&1; }

objects() { "$tools/bin/python" -c 'import sys, yaml; print(*sorted(o["kind"] for o in yaml.safe_load_all(open(sys.argv[1]))))' "$1"; }

for way in daemonset deployment fetched; do
    echo "$way"
    rendered=$work/$way.yaml
    "$tools/bin/kubectl" kustomize "deploy/kubernetes/$way" >"$rendered"
    case $way in
        fetched) expect "objects" "$(objects "$rendered")" "ConfigMap ConfigMap ConfigMap DaemonSet Namespace ServiceAccount" ;;
        daemonset) expect "objects" "$(objects "$rendered")" "ConfigMap ConfigMap DaemonSet Namespace ServiceAccount" ;;
        deployment) expect "objects" "$(objects "$rendered")" "ConfigMap ConfigMap Deployment Namespace NetworkPolicy PodDisruptionBudget Service ServiceAccount" ;;
    esac
    for release in "$oldest" "$newest"; do
        silent "the schemas of Kubernetes $release hold" valid "$release" "$rendered"
    done
    # The key of the Secret is not in the manifests; everything else of the configuration is as the pod has it.
    mkdir -p "$work/$way/routes"
    config_map waypost-config "$work/$way"
    config_map waypost-routes "$work/$way/routes"
    sed -i "s#/etc/waypost/#$work/$way/#; s#/run/secrets/waypost/#$work/$way/#" "$work/$way/waypost.yaml"
    openssl rand -hex 16 >"$work/$way/key"
    sed -i "s#/var/lib/waypost#$work/$way/state#" "$work/$way/waypost.yaml"
    [ "$way" != fetched ] || fetch "$work/$way"
    exit_status "$waypost" check --strict --config "$work/$way/waypost.yaml"
    expect "waypost check: $said: exit status" "$status" 0
    exit_status "$waypost" explain --config "$work/$way/waypost.yaml" +12025550123
    expect "a call in its routes: exit status" "$status" 0
    # The pod security of the namespace: Kubernetes applies it; these are the fields that `restricted` asks for.
    "$tools/bin/python" - "$rendered" "$way" <<'PYTHON'
import sys, yaml
objects = list(yaml.safe_load_all(open(sys.argv[1])))
spec = next(o for o in objects if o["kind"] in ("DaemonSet", "Deployment"))["spec"]["template"]["spec"]
pod, [container], beside = spec["securityContext"], spec["containers"], spec.get("initContainers", [])
assert pod["runAsNonRoot"] is True and pod["seccompProfile"] == {"type": "RuntimeDefault"}, pod
for one in [container, *beside]:
    own = one["securityContext"]
    assert own == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}, own
enforced = next(o for o in objects if o["kind"] == "Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
assert (spec.get("hostNetwork", False), enforced) == {"daemonset": (True, "privileged"), "fetched": (True, "privileged"), "deployment": (False, "restricted")}[sys.argv[2]]
# What is renewed without a new pod must be a directory, and keep its name.
assert [m.get("subPath") for m in container["volumeMounts"] if m["name"] == "routes"] == [None]
assert [v["configMap"]["name"] for v in spec["volumes"] if v["name"] == "routes"] == ["waypost-routes"]
# The fetcher is there before Waypost and goes on beside it; what it fetches is below the directory of the routes.
assert [(one["name"], one["restartPolicy"], one["image"]) for one in beside] == [("fetcher", "Always", container["image"])] * (sys.argv[2] == "fetched")
for one in beside:
    assert one["startupProbe"]["exec"]["command"] == ["/usr/bin/waypost", "ctl", "status", "--config", "/etc/waypost/fetcher.yaml"]
    places = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
    assert places["fetched"] == places["routes"] + "/fetched", places
    volumes = {v["name"] for v in spec["volumes"]}
    assert {m["name"] for m in one["volumeMounts"]} <= volumes, volumes
# Ending takes less time than it is given.
sleep = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
assert spec["terminationGracePeriodSeconds"] >= sleep + 30, spec["terminationGracePeriodSeconds"]
PYTHON
    ok "non-root, nothing to write to, no capability; routes renewed in place; time to end"
done

echo "what is wrong is seen"
sed 's/terminationGracePeriodSeconds/terminationGracePeriod/' "$work/deployment.yaml" >"$work/wrong.yaml"
refused "a field that there is not" "terminationGracePeriod" valid "$newest" "$work/wrong.yaml"
sed 's/externalTrafficPolicy: Local/externalTrafficPolicy: 1/' "$work/deployment.yaml" >"$work/wrong.yaml"
refused "a value of another type" "externalTrafficPolicy|is not of type|not valid" valid "$newest" "$work/wrong.yaml"

echo "container and compose files"
silent "hadolint" "$tools/bin/hadolint" deploy/container/Containerfile
refused "an image without a version" DL3006 "$tools/bin/hadolint" - <<<"FROM debian"
compose() { "$tools/bin/check-jsonschema" --quiet --builtin-schema vendor.compose-spec "$@"; }
silent "compose.yaml, by the schema of the Compose specification" compose deploy/compose/compose.yaml
sed 's/network_mode/network_mod/' deploy/compose/compose.yaml >"$work/compose.yaml"
refused "a key that there is not" "network_mod" "$tools/bin/check-jsonschema" --builtin-schema vendor.compose-spec "$work/compose.yaml"
