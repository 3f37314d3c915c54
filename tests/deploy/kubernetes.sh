#!/usr/bin/env bash
# The Kubernetes manifests, as kustomize renders them: kubernetes.sh TOOLS WAYPOST. Each object is held against the schema
# of its kind, in the oldest and the newest release that they are for; unknown fields are refused. What the ConfigMaps hold
# is read by Waypost. No cluster: that a pod starts is tests/deploy/container.sh's.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/deploy/common.sh
tools=$(realpath "$1") waypost=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

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

objects() { "$tools/bin/python" -c 'import sys, yaml; print(*sorted(o["kind"] for o in yaml.safe_load_all(open(sys.argv[1]))))' "$1"; }

for way in daemonset deployment; do
    echo "$way"
    rendered=$work/$way.yaml
    "$tools/bin/kubectl" kustomize "deploy/kubernetes/$way" >"$rendered"
    case $way in
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
    exit_status "$waypost" check --strict --config "$work/$way/waypost.yaml"
    expect "waypost check: $said: exit status" "$status" 0
    exit_status "$waypost" explain --config "$work/$way/waypost.yaml" +12025550123
    expect "a call in its routes: exit status" "$status" 0
    # The pod security of the namespace: Kubernetes applies it; these are the fields that `restricted` asks for.
    "$tools/bin/python" - "$rendered" "$way" <<'PYTHON'
import sys, yaml
objects = list(yaml.safe_load_all(open(sys.argv[1])))
spec = next(o for o in objects if o["kind"] in ("DaemonSet", "Deployment"))["spec"]["template"]["spec"]
pod, [container] = spec["securityContext"], spec["containers"]
own = container["securityContext"]
assert pod["runAsNonRoot"] is True and pod["seccompProfile"] == {"type": "RuntimeDefault"}, pod
assert own == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}, own
enforced = next(o for o in objects if o["kind"] == "Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
assert (spec.get("hostNetwork", False), enforced) == {"daemonset": (True, "privileged"), "deployment": (False, "restricted")}[sys.argv[2]]
# What is renewed without a new pod must be a directory, and keep its name.
assert [m.get("subPath") for m in container["volumeMounts"] if m["name"] == "routes"] == [None]
assert [v["configMap"]["name"] for v in spec["volumes"] if v["name"] == "routes"] == ["waypost-routes"]
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
