"""The manifests: they build, fit their schemas strictly, and agree with the pipeline and with each other."""

import json
import tempfile
from pathlib import Path

import yaml

from tools import Failed, expect, load, load_all, run
from pipeline import validate

BASE = "deploy/kubernetes/base"
OVERLAY = "deploy/kubernetes/overlays/example"
SCHEMAS = "deploy/kubernetes/schemas"
EXAMPLE = "examples/ecommerce"
BUILDS = [BASE, OVERLAY]
CUSTOM = {"PodMonitor": "podmonitor.json", "PrometheusRule": "prometheusrule.json"}
PORT = 9464


def build(root, folder):
    return load_all(run("kustomize", "build", root / folder))


def one(documents, kind):
    found = [document for document in documents if document["kind"] == kind]
    expect(len(found) == 1, f"expected one {kind}, found {len(found)}")
    return found[0]


def config_of(documents):
    return yaml.safe_load(one(documents, "ConfigMap")["data"]["distributary.yaml"])


def kustomizations_build(root):
    for folder in BUILDS:
        expect(build(root, folder), f"{folder} builds nothing")


def objects_fit_their_schemas(root):
    for folder in BUILDS:
        documents = build(root, folder)
        core = [document for document in documents if document["kind"] not in CUSTOM]
        if folder == BASE:
            core.append(load(root / BASE / "secret.example.yaml"))
        said = run("kubernetes-validate", "--strict", "-", stdin=yaml.safe_dump_all(core))
        # It only warns about a kind that it does not know.
        expect("WARN" not in said, said)
        for document in documents:
            if document["kind"] in CUSTOM:
                fits(document, root / SCHEMAS / CUSTOM[document["kind"]])


def fits(document, schema):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(document, file)
        file.flush()
        run("check-jsonschema", "--schemafile", schema, file.name)


def selectors_find_the_pods(root):
    for folder in BUILDS:
        documents = build(root, folder)
        labels = one(documents, "Deployment")["spec"]["template"]["metadata"]["labels"]
        selectors = {
            "Deployment": one(documents, "Deployment")["spec"]["selector"],
            "NetworkPolicy": one(documents, "NetworkPolicy")["spec"]["podSelector"],
            "PodDisruptionBudget": one(documents, "PodDisruptionBudget")["spec"]["selector"],
            "PodMonitor": one(documents, "PodMonitor")["spec"]["selector"],
        }
        for kind, selector in selectors.items():
            wanted = selector.get("matchLabels", {})
            expect(wanted and wanted.items() <= labels.items(), f"{folder}: {kind} selects {wanted}, pods have {labels}")


def ports_and_times_agree(root):
    for folder in BUILDS:
        documents = build(root, folder)
        config = config_of(documents)
        pod = one(documents, "Deployment")["spec"]["template"]["spec"]
        container = pod["containers"][0]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        expect(config["http"]["listen"] == f"0.0.0.0:{PORT}", f"{folder}: http.listen must be 0.0.0.0:{PORT}")
        expect(ports == {"http": PORT}, f"{folder}: container ports {ports}")
        for probe, path in [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")]:
            expect(container[probe]["httpGet"] == {"path": path, "port": "http"}, f"{folder}: {probe}")
        for endpoint in one(documents, "PodMonitor")["spec"]["podMetricsEndpoints"]:
            expect(endpoint["port"] in ports, f"{folder}: PodMonitor scrapes port {endpoint['port']}")
        ingress = one(documents, "NetworkPolicy")["spec"]["ingress"]
        open_ports = {port["port"] for rule in ingress for port in rule["ports"]}
        expect(open_ports == {PORT}, f"{folder}: NetworkPolicy lets in {open_ports}")
        drain = int(config["drain_timeout"].removesuffix("s"))
        grace = pod["terminationGracePeriodSeconds"]
        expect(grace >= drain + 20, f"{folder}: grace {grace} s leaves too little after a drain of {drain} s")


def pods_are_restricted(root):
    """The rules of Kubernetes' Pod Security Standard "restricted", and what else we promise."""
    for folder in BUILDS:
        pod = one(build(root, folder), "Deployment")["spec"]["template"]["spec"]
        expect(pod["securityContext"].get("runAsNonRoot") is True, f"{folder}: runAsNonRoot")
        expect(pod["securityContext"].get("seccompProfile") == {"type": "RuntimeDefault"}, f"{folder}: seccompProfile")
        expect(pod.get("automountServiceAccountToken") is False, f"{folder}: automountServiceAccountToken")
        for container in pod["containers"]:
            context = container["securityContext"]
            expect(context.get("allowPrivilegeEscalation") is False, f"{folder}: allowPrivilegeEscalation")
            expect(context.get("readOnlyRootFilesystem") is True, f"{folder}: readOnlyRootFilesystem")
            expect(context.get("capabilities") == {"drop": ["ALL"]}, f"{folder}: capabilities")
            expect(not container.get("env"), f"{folder}: secrets and settings come as files, not as env")


def secret_files_are_mounted_and_documented(root):
    example = load(root / BASE / "secret.example.yaml")
    for folder in BUILDS:
        documents = build(root, folder)
        pod = one(documents, "Deployment")["spec"]["template"]["spec"]
        secret = next(volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume)
        expect(secret == example["metadata"]["name"], f"{folder}: mounts {secret}, the example makes another")
        mounts = pod["containers"][0]["volumeMounts"]
        mount = next(mount["mountPath"] for mount in mounts if mount["name"] == "secrets")
        for file in files_in(config_of(documents)):
            expect(Path(file).parent == Path(mount), f"{folder}: {file} is not below {mount}")
            if folder == BASE:
                expect(Path(file).name in example["stringData"], f"secret.example.yaml has no {Path(file).name}")


def files_in(value):
    """The paths that a configuration names with `file:` or `ca:`."""
    if isinstance(value, list):
        return [file for item in value for file in files_in(item)]
    if not isinstance(value, dict):
        return []
    own = [value[key] for key in ("file", "ca") if isinstance(value.get(key), str)]
    return own + [file for item in value.values() for file in files_in(item)]


def base_runs_the_example(root):
    base, example = load(root / BASE / "distributary.yaml"), load(root / EXAMPLE / "distributary.yaml")
    for projection in example["projections"]:
        index = projection.get("index")
        if index:
            name = Path(index["settings"]).name
            same = (root / EXAMPLE / index["settings"]).read_bytes() == (root / BASE / name).read_bytes()
            expect(same, f"{BASE}/{name} differs from {EXAMPLE}/{index['settings']}")
            index["settings"] = name
    for part in ["pipeline", "tables", "projections"]:
        expect(base[part] == example[part], f"{BASE}/distributary.yaml: `{part}` differs from {EXAMPLE}")


def mounted_pipelines_validate(root):
    for folder in BUILDS:
        with tempfile.TemporaryDirectory() as mount:
            for name, text in one(build(root, folder), "ConfigMap")["data"].items():
                Path(mount, name).write_text(text)
            try:
                validate(Path(mount, "distributary.yaml"))
            except Failed as failed:
                raise Failed(f"{folder}: {failed}") from failed


CHECKS = [
    kustomizations_build,
    objects_fit_their_schemas,
    selectors_find_the_pods,
    ports_and_times_agree,
    pods_are_restricted,
    secret_files_are_mounted_and_documented,
    base_runs_the_example,
    mounted_pipelines_validate,
]

BREAKS = [
    (kustomizations_build, f"{BASE}/kustomization.yaml", "- deployment.yaml", "- gone.yaml"),
    (kustomizations_build, f"{OVERLAY}/kustomization.yaml", "replicas:", "replicaz:"),
    (objects_fit_their_schemas, f"{BASE}/deployment.yaml", "terminationGracePeriodSeconds:", "terminationGracePeriodSecond:"),
    (objects_fit_their_schemas, f"{BASE}/pod-monitor.yaml", "interval: 15s", "intervall: 15s"),
    (objects_fit_their_schemas, f"{BASE}/pod-monitor.yaml", "interval: 15s", "interval: 15"),
    (objects_fit_their_schemas, f"{BASE}/pod-disruption-budget.yaml", "policy/v1", "policy/v9"),
    (selectors_find_the_pods, f"{BASE}/pod-monitor.yaml", "name: distributary\n  podM", "name: other\n  podM"),
    (ports_and_times_agree, f"{BASE}/deployment.yaml", "GracePeriodSeconds: 60", "GracePeriodSeconds: 30"),
    (ports_and_times_agree, f"{BASE}/distributary.yaml", '"0.0.0.0:9464"', '"127.0.0.1:9464"'),
    (pods_are_restricted, f"{BASE}/deployment.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
    (secret_files_are_mounted_and_documented, f"{BASE}/secret.example.yaml", "redis-password:", "redis:"),
    (base_runs_the_example, f"{BASE}/products.json", '"long"', '"integer"'),
    (base_runs_the_example, f"{BASE}/distributary.yaml", "user:{{ key.id }}", "users:{{ key.id }}"),
    (mounted_pipelines_validate, f"{OVERLAY}/distributary.yaml", "projections:", "projectionz:"),
]
