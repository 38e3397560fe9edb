"""The rest: the image's recipe against the code and the manifests, and the style of scripts and YAML."""

import json
import re
from pathlib import Path

from tools import expect, load, run

DEPLOYMENT = "deploy/kubernetes/base/deployment.yaml"


def dockerfile_agrees_with_the_code(root):
    recipe = (root / "Dockerfile").read_text()
    manifest = (root / "Cargo.toml").read_text()
    rust = re.search(r'^rust-version = "([\d.]+)"', manifest, re.MULTILINE)[1]
    expect(f"FROM rust:{rust}-" in recipe, f"the Dockerfile does not build with Rust {rust}, which Cargo.toml asks for")
    suites = set(re.findall(r"^FROM \S*?:\S*?(bookworm|trixie|bullseye)\S* AS", recipe, re.MULTILINE))
    expect(len(suites) == 1, f"built and run on different Debians: {suites}")
    version = re.search(r'^version = "([\d.]+)"', manifest, re.MULTILINE)[1]
    expect(f"ARG VERSION={version}" in recipe, f"the Dockerfile's VERSION is not {version}")
    members = re.findall(r'"dev/(\w+)"', manifest)
    built = re.findall(r"--package (\w+)", recipe)
    strangers = set(built) - {"distributary", *members}
    expect(not strangers, f"the Dockerfile builds what Cargo.toml does not name: {strangers}")
    for step, where in [("copied out of the build", r"target/release/(\w+)"), ("put into an image", r" /out/(\w+)")]:
        found = re.findall(where, recipe)
        expect(sorted(found) == sorted(built), f"the Dockerfile builds {built}, but {step} is {found}")


def image_runs_as_the_deployments_user(root):
    user = re.findall(r"^USER (\d+):(\d+)$", (root / "Dockerfile").read_text(), re.MULTILINE)
    pod = load(root / DEPLOYMENT)["spec"]["template"]["spec"]["securityContext"]
    wanted = (str(pod["runAsUser"]), str(pod["runAsGroup"]))
    expect(user == [wanted], f"the image runs as {user}, the Deployment as {wanted}")


def image_finds_the_mounted_pipeline(root):
    """Also without `--config`, as the runbooks' commands are written."""
    recipe = (root / "Dockerfile").read_text()
    named = re.findall(r"^ENV DISTRIBUTARY_CONFIG=(\S+)$", recipe, re.MULTILINE)
    expect(len(named) == 1, f"the Dockerfile names the pipelines {named}")
    pipeline = Path(named[0])
    container = load(root / DEPLOYMENT)["spec"]["template"]["spec"]["containers"][0]
    command = json.loads(re.search(r"^CMD (.*)$", recipe, re.MULTILINE)[1])
    for who, arguments in [("image", command), ("Deployment", container["args"])]:
        expect(arguments == ["run", "--config", str(pipeline)], f"the {who} runs {arguments}, the image names {pipeline}")
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}["config"]
    expect(mounted == str(pipeline.parent), f"the Deployment mounts {mounted}, the image names {pipeline}")
    volumes = load(root / "docker-compose.yml")["services"]["distributary"]["volumes"]
    found = [volume.split(":")[0] for volume in volumes if volume.split(":")[1] == str(pipeline.parent)]
    expect(found and (root / found[0] / pipeline.name).is_file(), f"compose mounts {volumes}, the image names {pipeline}")


def scripts_are_clean(root):
    own = [root / "deploy/check", root / "deploy/compose/register-connector"]
    run("shellcheck", *own)


def yaml_is_clean(root):
    run("yamllint", "--strict", "--config-file", root / "deploy/checks/yamllint.yaml", root / "deploy",
        root / "docker-compose.yml", cwd=root)


CHECKS = [
    dockerfile_agrees_with_the_code,
    image_runs_as_the_deployments_user,
    image_finds_the_mounted_pipeline,
    scripts_are_clean,
    yaml_is_clean,
]

BREAKS = [
    (dockerfile_agrees_with_the_code, "Dockerfile", "FROM rust:1.", "FROM rust:0."),
    (dockerfile_agrees_with_the_code, "Dockerfile", "debian:bookworm-slim AS", "debian:trixie-slim AS"),
    (dockerfile_agrees_with_the_code, "Dockerfile", "--package checker", "--package checkers"),
    (dockerfile_agrees_with_the_code, "Dockerfile", "/out/checker ", ""),
    (image_runs_as_the_deployments_user, "Dockerfile", "USER 65532:65532", "USER 0:0"),
    (image_finds_the_mounted_pipeline, "Dockerfile", "ENV DISTRIBUTARY_CONFIG=/etc/", "ENV DISTRIBUTARY_CONFIG=/srv/"),
    (image_finds_the_mounted_pipeline, DEPLOYMENT, "mountPath: /etc/distributary,", "mountPath: /etc/pipeline,"),
    (image_finds_the_mounted_pipeline, "docker-compose.yml", ":/etc/distributary:ro", ":/etc/pipeline:ro"),
    (scripts_are_clean, "deploy/check", '"$root/deploy/checks/run.py"', "$root/deploy/checks/run.py"),
    (yaml_is_clean, "deploy/prometheus/rules.yaml", "        for: 5m\n", "        for: 5m\n        for: 6m\n"),
]
