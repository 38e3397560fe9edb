"""What every check shares: a failure, running a program, reading YAML. Owns no check."""

import subprocess
from pathlib import Path

import yaml


class Failed(Exception):
    """A check's finding, in words for the person who broke it."""


def expect(condition, message):
    """Fails with `message` unless `condition` holds."""
    if not condition:
        raise Failed(message)


def run(*command, cwd=None, stdin=None):
    """Runs a program and returns its output; anything but exit 0 is a failure with what it said."""
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, input=stdin, text=True, capture_output=True, check=False
    )
    expect(done.returncode == 0, f"{Path(str(command[0])).name} exited {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def load(path):
    """The one document of a YAML (or JSON) file."""
    return yaml.safe_load(Path(path).read_text())


def load_all(text):
    """The documents of a YAML stream."""
    return [document for document in yaml.safe_load_all(text) if document]
