"""The compose file: its schema, its versions against the local stack's, and what its services name."""

import re
from pathlib import Path

from tools import expect, load, run
from pipeline import validate

FILE = "docker-compose.yml"
VERSIONS = "dev/stack/versions.env"
# service: the version of the local stack that its image must carry
SAME_VERSION = {
    "postgres": "POSTGRES_MAJOR",
    "schema": "POSTGRES_MAJOR",
    "kafka": "KAFKA_VERSION",
    "dead-letters": "KAFKA_VERSION",
    "connect": "DEBEZIUM_VERSION",
    "connector": "DEBEZIUM_VERSION",
    "elasticsearch": "ELASTICSEARCH_VERSION",
    "neo4j": "NEO4J_VERSION",
}


def services(root):
    return load(root / FILE)["services"]


def file_fits_the_compose_specification(root):
    run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", root / FILE)


def versions_are_those_of_the_local_stack(root):
    pinned = dict(re.findall(r"^(\w+)=(\S+)$", (root / VERSIONS).read_text(), re.MULTILINE))
    for service, name in SAME_VERSION.items():
        tag = services(root)[service]["image"].rpartition(":")[2].removesuffix("-community")
        expect(tag == pinned.get(name), f"{service} is {tag}, {VERSIONS} has {name}={pinned.get(name)}")


def services_name_what_exists(root):
    every = services(root)
    for name, service in every.items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            expect((root / source).exists(), f"{name} mounts {source}, which does not exist")
        for other, how in service.get("depends_on", {}).items():
            expect(other in every, f"{name} waits for {other}, which is no service")
            if how["condition"] == "service_healthy":
                expect("healthcheck" in every[other], f"{name} waits for the health of {other}, which has no check")
        target = service.get("build", {}).get("target")
        if target:
            stages = re.findall(r"^FROM .* AS (\w+)$", (root / "Dockerfile").read_text(), re.MULTILINE)
            expect(target in stages, f"{name} is built from stage {target}, which the Dockerfile does not have")


def ports_are_on_loopback(root):
    for name, service in services(root).items():
        for port in service.get("ports", []):
            expect(port.startswith("127.0.0.1:"), f"{name} opens {port} to the network")


def variables_of_the_files_are_set(root):
    """What the pipeline and the connector take from the environment, the services that read them have."""
    readers = {
        "distributary": (root / "examples/ecommerce/distributary.yaml", r"\$\{(\w+)|env: *(\w+)"),
        "connect": (root / "connectors/ecommerce.json", r"\$\{env:(\w+)\}()"),
    }
    for name, (file, pattern) in readers.items():
        wanted = {first or second for first, second in re.findall(pattern, file.read_text())}
        missing = wanted - services(root)[name]["environment"].keys()
        expect(wanted and not missing, f"{name} lacks {sorted(missing)}, which {file.name} reads")


def mounted_pipeline_validates(root):
    mount = next(volume for volume in services(root)["distributary"]["volumes"] if "/etc/distributary" in volume)
    validate(Path(root, mount.split(":")[0], "distributary.yaml"))


CHECKS = [
    file_fits_the_compose_specification,
    versions_are_those_of_the_local_stack,
    services_name_what_exists,
    ports_are_on_loopback,
    variables_of_the_files_are_set,
    mounted_pipeline_validates,
]

BREAKS = [
    (file_fits_the_compose_specification, FILE, "depends_on:", "depend_on:"),
    (versions_are_those_of_the_local_stack, FILE, "apache/kafka:", "apache/kafka:1."),
    (versions_are_those_of_the_local_stack, VERSIONS, "NEO4J_VERSION=", "NEO4J_VERSION=1."),
    (services_name_what_exists, FILE, "./connectors/ecommerce.json", "./connectors/gone.json"),
    (services_name_what_exists, FILE, "target: demo", "target: gone"),
    (ports_are_on_loopback, FILE, '"127.0.0.1:6379:', '"6379:'),
    (variables_of_the_files_are_set, FILE, "NEO4J_PASSWORD: ", "NEO4J_PASS: "),
    (mounted_pipeline_validates, "examples/ecommerce/distributary.yaml", "projections:", "projectionz:"),
]
