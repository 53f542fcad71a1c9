"""What tests/helm/run.sh knows of the chart: `check.py names|facts|settings|schemas …`."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

# Settings that other values of the chart set.
ELSEWHERE = {
    "listen", "admin_listen", "gateway_listen", "grpc_listen", "store", "keys", "tls_certificate", "tls_key", "policy_file",
}
SECRETS = {"admin_secret", "initial_access_token", "signing_key_password", "webhook_secret"}


def documented():
    """The names of all settings."""
    text = Path("docs/settings.md").read_text(encoding="utf-8").split("\n## Listening\n")[1]
    return set(re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE))


def names(chart):
    chart = Path(chart)
    schema = json.loads((chart / "values.schema.json").read_text(encoding="utf-8"))
    known = set(schema["properties"]["settings"]["properties"])
    others = ELSEWHERE | SECRETS | {f"{secret}_file" for secret in SECRETS}
    assert not known & others, f"both settings and set elsewhere: {known & others}"
    assert known | others == documented(), f"not in both: {sorted((known | others) ^ documented())}"
    assert set(schema["properties"]["secrets"]["properties"]) == SECRETS | {"store"}
    closed(schema, "values")

    values = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8"))
    missing = (set(schema["properties"]) - {"global"}) ^ set(values)
    assert not missing, f"in values.yaml or in the schema alone: {missing}"

    cargo = Path("Cargo.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.*)"$', cargo, re.MULTILINE).group(1)
    about = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    assert about["appVersion"] == version, f"appVersion is {about['appVersion']}, Cargo.toml has {version}"


def closed(schema, where):
    """An object with named members has no others."""
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            assert schema.get("additionalProperties") is False, f"{where} lets unknown members in"
        for key, value in schema.items():
            closed(value, f"{where}.{key}")


def read(path):
    return [part for part in yaml.safe_load_all(Path(path).read_text(encoding="utf-8")) if part]


def of(kind, objects):
    return [each for each in objects if each["kind"] == kind]


def only(kind, objects):
    found = of(kind, objects)
    assert len(found) == 1, f"{len(found)} of {kind}"
    return found[0]


def container(objects):
    containers = only("Deployment", objects)["spec"]["template"]["spec"]["containers"]
    assert len(containers) == 1
    return containers[0]


def facts(path, values):
    objects, values = read(path), yaml.safe_load(Path(values).read_text(encoding="utf-8"))

    def enabled(name, default):
        return values.get(name, {}).get("enabled", default)

    # Which objects there are.
    assert not of("Secret", objects), "a Secret was rendered"
    for kind, name, default in [
        ("PodDisruptionBudget", "podDisruptionBudget", True),
        ("NetworkPolicy", "networkPolicy", True),
        ("Ingress", "ingress", False),
        ("ServiceMonitor", "serviceMonitor", False),
        ("HorizontalPodAutoscaler", "autoscaling", False),
    ]:
        assert len(of(kind, objects)) == enabled(name, default), f"{len(of(kind, objects))} of {kind}"
    created = values.get("serviceAccount", {}).get("create", True)
    assert len(of("ServiceAccount", objects)) == created
    for account in of("ServiceAccount", objects):
        assert account["automountServiceAccountToken"] is False

    # Three replicas, on several nodes.
    deployment = only("Deployment", objects)["spec"]
    if enabled("autoscaling", False):
        scaler = only("HorizontalPodAutoscaler", objects)
        assert "replicas" not in deployment and scaler["spec"]["minReplicas"] == 3
        assert scaler["spec"]["scaleTargetRef"]["name"] == only("Deployment", objects)["metadata"]["name"]
    else:
        assert deployment["replicas"] == 3, f"{deployment['replicas']} replicas"
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    pod = deployment["template"]["spec"]
    assert {it["topologyKey"] for it in pod["topologySpreadConstraints"]} >= {"kubernetes.io/hostname"}

    # Every selector finds the pods.
    labels = deployment["template"]["metadata"]["labels"]
    selectors = [deployment["selector"]["matchLabels"]]
    selectors += [it["spec"]["selector"] for it in of("Service", objects)]
    selectors += [it["spec"]["selector"]["matchLabels"] for it in of("PodDisruptionBudget", objects)]
    selectors += [it["spec"]["podSelector"]["matchLabels"] for it in of("NetworkPolicy", objects)]
    selectors += [it["labelSelector"]["matchLabels"] for it in pod["topologySpreadConstraints"]]
    for selector in selectors:
        assert selector and selector.items() <= labels.items(), f"{selector} does not select {labels}"

    # Every service, and what leads to it.
    server = container(objects)
    ports = {it["name"]: it["containerPort"] for it in server["ports"]}
    services = {it["metadata"]["name"]: it for it in of("Service", objects)}
    exposed = {name for name, it in services.items() if it["spec"].get("type", "ClusterIP") != "ClusterIP"}
    for service in services.values():
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in ports, port
            assert service["metadata"]["name"] not in exposed or port["targetPort"] == "http", port
    for ingress in of("Ingress", objects):
        for rule in ingress["spec"]["rules"]:
            for entry in rule["http"]["paths"]:
                backend = entry["backend"]["service"]
                assert backend["port"]["name"] == "http"
                assert "http" in {it["name"] for it in services[backend["name"]]["spec"]["ports"]}
    for monitor in of("ServiceMonitor", objects):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        found = [it for it in services.values() if wanted <= it["metadata"]["labels"].items()]
        endpoint = monitor["spec"]["endpoints"][0]
        assert [it["spec"]["ports"][0]["name"] for it in found] == [endpoint["port"]] == ["admin"]
        assert endpoint["path"] == "/-/metrics"
    for policy in of("NetworkPolicy", objects):
        rules = {port["port"]: rule.get("from") for rule in policy["spec"]["ingress"] for port in rule["ports"]}
        assert set(rules) == set(ports.values()), rules
        assert all(peers for port, peers in rules.items() if port != ports["http"]), rules

    # The probes.
    scheme = "HTTPS" if values.get("tls", {}).get("secret") else "HTTP"
    for probe, route in [("startupProbe", "/-/healthz"), ("livenessProbe", "/-/healthz"), ("readinessProbe", "/-/ready")]:
        assert server[probe]["httpGet"] == {"path": route, "port": "http", "scheme": scheme}, server[probe]

    # What the pod may do.
    assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert server["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in server["resources"]["limits"] and "cpu" in server["resources"]["requests"]

    # Variables and files.
    env = server["env"]
    assert len({it["name"] for it in env}) == len(env), "a variable is set twice"
    variables = {it["name"]: it for it in env if it["name"].startswith("LATCHKEY_")}
    unknown = {name.removeprefix("LATCHKEY_").lower() for name in variables} - documented()
    assert not unknown, f"not settings: {unknown}"
    for secret in SECRETS:
        assert f"LATCHKEY_{secret.upper()}" not in variables, f"{secret} is in a variable"
    assert set(variables["LATCHKEY_STORE"]["valueFrom"]) == {"secretKeyRef"}
    for name in values["settings"]:
        assert f"LATCHKEY_{name.upper()}" in variables, f"{name} is not passed on"
    delay, timeout = (int(variables[f"LATCHKEY_SHUTDOWN_{it}"]["value"]) for it in ["DELAY", "TIMEOUT"])
    assert pod["terminationGracePeriodSeconds"] > delay + timeout
    volumes = [it["name"] for it in pod["volumes"]]
    mounts = [it["name"] for it in server["volumeMounts"]]
    assert sorted(volumes) == sorted(mounts), f"volumes {volumes}, mounts {mounts}"
    folders = [it["mountPath"] for it in server["volumeMounts"]]
    for name, variable in variables.items():
        value = variable.get("value", "")
        if value.startswith("/") and name not in ("LATCHKEY_SERVICE_PREFIX",):
            assert any(f"{value}/".startswith(f"{folder}/") for folder in folders), f"{name}: nothing is mounted at {value}"
    print(f"{len(objects)} objects, {len(variables)} settings, no Secret")


def settings(path, binary):
    """The server takes the settings, and its own words for them are those of the values."""
    server = container(read(path))
    with tempfile.TemporaryDirectory() as folder:
        env = {name: value for name, value in os.environ.items() if not name.startswith("LATCHKEY_")}
        for variable in server["env"]:
            # What Kubernetes makes of $$( in a value.
            value = variable.get("value", "mongodb://mongo.example.com/latchkey").replace("$$(", "$(")
            in_a_file = variable["name"].endswith(("_FILE", "_TLS_CERTIFICATE", "_TLS_KEY"))
            if in_a_file and variable["name"] != "LATCHKEY_POLICY_FILE":
                file = Path(folder, variable["name"])
                file.write_text("{}" if "OPENID" in variable["name"] else "a secret of more than 24 bytes\n", encoding="utf-8")
                value = str(file)
            if variable["name"].startswith("LATCHKEY_"):
                env[variable["name"]] = value
        # What the image sets.
        env.setdefault("LATCHKEY_LOG_FORMAT", "json")
        done = subprocess.run(
            [Path(binary).resolve(), "config", "check"], env=env, cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        )
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    shown = dict(re.findall(r"^([a-z_]+) = (.*)$", done.stdout, re.MULTILINE))
    for variable in server["env"]:
        name = variable["name"].removeprefix("LATCHKEY_").lower()
        value = variable.get("value", "")
        if name in shown and value and shown[name][0] not in "[\"":
            is_plain = re.fullmatch(r"[0-9]+|true|false", value)
            assert not is_plain or shown[name] == value, f"{name} is {value}, and the server says {shown[name]}"
    print(f"latchkey config check: {len(shown)} settings in force")


def schemas(chart, copies):
    """The schemas of the package kubernetes-validate for the oldest and the newest Kubernetes, as kubeconform can read them."""
    import kubernetes_validate  # pylint: disable=import-outside-toplevel

    about = yaml.safe_load(Path(chart, "Chart.yaml").read_text(encoding="utf-8"))
    oldest = tuple(map(int, re.findall(r"[0-9]+", about["kubeVersion"])[:2]))
    found = {}
    for folder in Path(kubernetes_validate.__file__).parent.glob("kubernetes-json-schema/v*-local-strict"):
        version = tuple(map(int, re.findall(r"[0-9]+", folder.name)[:2]))
        if version >= oldest:
            found[version] = folder
    for version in sorted({min(found), max(found)}):
        copy = Path(copies, found[version].name)
        copy.mkdir(parents=True)
        for file in found[version].glob("*.json"):
            # They name themselves and each other by URLs that only that package knows.
            schema = json.loads(file.read_text(encoding="utf-8").replace('"/api/_definitions.json#', '"_definitions.json#'))
            schema.pop("$id", None)
            (copy / file.name).write_text(json.dumps(schema), encoding="utf-8")
        print(copy / "{{.ResourceKind}}{{.KindSuffix}}.json")


if __name__ == "__main__":
    {"names": names, "facts": facts, "settings": settings, "schemas": schemas}[sys.argv[1]](*sys.argv[2:])
