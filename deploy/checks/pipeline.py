"""Asks the program itself whether a pipeline is valid: `distributary validate`, which needs no connection."""

import os
from pathlib import Path

from tools import run

REPOSITORY = Path(__file__).resolve().parents[2]


def validate(config):
    """Fails with what the program says is wrong. The repository's program, also for a broken copy of a file."""
    named = os.environ.get("DISTRIBUTARY")
    program = [named] if named else ["cargo", "run", "--quiet", "--bin", "distributary", "--"]
    run(*program, "validate", "--deny-warnings", "--config", config, cwd=REPOSITORY)
