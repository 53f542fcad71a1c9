#!/usr/bin/env bash
# Lints the Helm chart, renders it with each file of its folder ci/, and checks what comes out.
#
#   tests/helm/run.sh
#
# HELM and KUBECONFORM name these programs, or the folders that they are in; otherwise they are looked up on the PATH.
# Each check whose tool is missing is skipped, and the script says so. A fault that a tool finds makes the exit code 1.
#
# KUBECONFORM_SCHEMAS is where kubeconform finds the schemas of Kubernetes (its -schema-location). Without it, the script takes
# those of the Python package kubernetes-validate, if python3 has it: the oldest and the newest that fit. Otherwise kubeconform
# downloads them.
# LATCHKEY_BIN is a latchkey that reads the rendered settings; without it, the one in target/ is taken.
set -euo pipefail
cd "$(dirname "$0")/../.."

chart=deploy/helm/latchkey
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
faults=0
skipped=0

ok() { echo "ok      $1"; }
skip() { skipped=$((skipped + 1)); echo "skipped $1"; }
fault() { # what, file with the output
    faults=$((faults + 1))
    echo "FAULT   $1"
    sed 's/^/        /' "$2"
}

# The path of a tool: a program, or its name in a folder, or on the PATH.
tool() { # name, value of its variable
    if [ -n "$2" ] && [ -d "$2" ]; then set -- "$1" "$2/$1"; fi
    command -v "${2:-$1}" || true
}
helm=$(tool helm "${HELM:-}")
kubeconform=$(tool kubeconform "${KUBECONFORM:-}")
python=$(command -v python3 || true)
if [ -n "$python" ] && ! "$python" -c 'import yaml' 2>/dev/null; then python=; fi
binary=${LATCHKEY_BIN:-}
for built in target/release/latchkey target/debug/latchkey; do
    if [ -z "$binary" ] && [ -x "$built" ]; then binary=$built; fi
done

if [ -n "$python" ]; then
    if "$python" tests/helm/check.py names "$chart" >"$work/out" 2>&1; then
        ok "the chart knows the settings of docs/settings.md, and has the version of Cargo.toml"
    else
        fault "names and versions" "$work/out"
    fi
else
    skip "names of settings: python3 with PyYAML is not here"
fi

if [ -z "$helm" ]; then
    skip "everything else: helm is not here (HELM names it)"
    echo "$skipped skipped, $faults faults"
    [ "$faults" -eq 0 ]
    exit
fi
# Nothing of the caller: no plugins, no repositories, no cluster.
export HELM_CACHE_HOME=$work/helm/cache HELM_CONFIG_HOME=$work/helm/config HELM_DATA_HOME=$work/helm/data
export KUBECONFIG=$work/no-cluster
# The oldest Kubernetes that the chart is for; a helm may be built for an older one.
oldest=$(sed -n 's/^kubeVersion: ">=\([0-9.]*\).*/\1/p' "$chart/Chart.yaml")

# Where schemas are, one place a line; an empty line is where kubeconform looks by itself.
schemas=${KUBECONFORM_SCHEMAS:-}
if [ -z "$schemas" ] && [ -n "$kubeconform" ] && [ -n "$python" ]; then
    schemas=$("$python" tests/helm/check.py schemas "$chart" "$work/schemas" 2>/dev/null || true)
fi

conforms() { # name, where the schemas are
    # A ServiceMonitor is not of Kubernetes and has no schema there; check.py looks at it.
    set -- "$1" "$2" "$kubeconform" -strict -summary -skip ServiceMonitor ${2:+-schema-location "$2"} "$work/$1.yaml"
    version=$(sed -n 's/.*\/v\([0-9.]*\)-.*/ \1/p' <<<"$2")
    if "${@:3}" >"$work/out" 2>&1; then
        ok "$1: schemas of Kubernetes$version: $(tail -n 1 "$work/out")"
    elif grep -q 'failed downloading schema' "$work/out" && ! grep -q 'is invalid' "$work/out"; then
        skip "$1: schemas of Kubernetes: kubeconform cannot get them (KUBECONFORM_SCHEMAS names them)"
    else
        fault "$1: schemas of Kubernetes$version" "$work/out"
    fi
}

for values in "$chart"/ci/*.yaml; do
    name=$(basename "$values" .yaml)
    if "$helm" lint --strict --quiet "$chart" --kube-version "$oldest" --values "$values" >"$work/out" 2>&1; then
        ok "$name: helm lint"
    else
        fault "$name: helm lint" "$work/out"
    fi
    if ! "$helm" template check "$chart" --kube-version "$oldest" --values "$values" >"$work/$name.yaml" 2>"$work/out"; then
        fault "$name: helm template" "$work/out"
        continue
    fi

    if [ -z "$kubeconform" ]; then
        skip "$name: schemas of Kubernetes: kubeconform is not here (KUBECONFORM names it)"
    else
        while IFS= read -r place; do conforms "$name" "$place"; done <<<"$schemas"
    fi

    if [ -z "$python" ]; then
        skip "$name: facts: python3 with PyYAML is not here"
    elif "$python" tests/helm/check.py facts "$work/$name.yaml" "$values" >"$work/out" 2>&1; then
        ok "$name: $(cat "$work/out")"
    else
        fault "$name: facts" "$work/out"
    fi

    if [ -z "$binary" ] || [ -z "$python" ]; then
        skip "$name: what the server says of its settings: there is no latchkey (LATCHKEY_BIN names it) or no PyYAML"
    elif "$python" tests/helm/check.py settings "$work/$name.yaml" "$binary" >"$work/out" 2>&1; then
        ok "$name: $(cat "$work/out")"
    else
        fault "$name: latchkey config check" "$work/out"
    fi
done

# What must be refused, and a word of the reason.
refused() { # why, word, arguments for helm
    why=$1 word=$2
    shift 2
    if "$helm" template check "$chart" --kube-version "$oldest" --values "$chart/ci/default-values.yaml" "$@" >"$work/out" 2>&1; then
        echo 'it was rendered' >"$work/out"
        fault "$why is refused" "$work/out"
    elif grep -q -- "$word" "$work/out"; then
        ok "$why is refused"
    else
        fault "$why is refused for its reason ($word)" "$work/out"
    fi
}
refused 'no issuer' issuer --set settings.issuer=null
refused 'no image' image.repository --set image.repository=
refused 'an unknown value' replicas --set replicas=2
refused 'an unknown setting' token_lifetme --set settings.token_lifetme=10h
refused 'a number that is not a duration' token_lifetime --set settings.token_lifetime=soon
refused 'a secret among the settings' admin_secret --set settings.admin_secret=s
refused 'a store among the settings' store --set settings.store=file:/data
refused 'a secret among the variables' extraEnv --set 'extraEnv[0].name=LATCHKEY_ADMIN_SECRET'
refused 'a secret in the place of its name' value --set secrets.admin_secret.value=s
refused 'no store' store --set secrets.store.secret=
refused 'everyone as administrator' adminFrom --set-json 'networkPolicy.adminFrom=[]'
refused 'an ingress without a host' host --set ingress.enabled=true
refused 'registration by a token that is missing' initial_access_token --set settings.registration=token
refused 'a webhook without a secret' webhook_secret --set settings.webhook_url=https://hooks.example.com/
refused 'rotation of keys in a Secret' key_rotation_days --set settings.key_rotation_days=90 --set signingKeys.secret=keys

echo "$skipped skipped, $faults faults"
[ "$faults" -eq 0 ]
