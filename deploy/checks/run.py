"""Runs every check, then proves each one: it must fail on a copy of the repository that is broken on purpose."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import compose
import files
import grafana
import kubernetes
import prometheus
from tools import Failed

MODULES = [compose, kubernetes, prometheus, grafana, files]


def said_by(check, root):
    """What a check finds, or None. A check that cannot even read a file has found something too."""
    try:
        check(root)
    except Failed as failed:
        return str(failed)
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"
    return None


def copy_of(root, folder):
    """The tracked and the new files, without anything that is ignored."""
    listed = subprocess.run(
        ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True, text=True, capture_output=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name)


def broken(folder, file, old, new):
    """Breaks one file and returns its text as it was."""
    text = (folder / file).read_text()
    if old not in text:
        raise Failed(f"cannot break {file}: it has no {old!r}; mend the list of breakages")
    (folder / file).write_text(text.replace(old, new, 1))
    return text


def report(name, finding):
    print(f"ok    {name}" if finding is None else f"FAIL  {name}\n      " + finding.strip().replace("\n", "\n      "))
    sys.stdout.flush()
    return finding is None


def main(root, arguments):
    if arguments == ["--write"]:
        (root / prometheus.OPERATOR).write_text(prometheus.operator_rule(root))
        return 0
    results = []
    for module in MODULES:
        for check in module.CHECKS:
            results.append(report(f"{module.__name__}: {check.__name__.replace('_', ' ')}", said_by(check, root)))
    with tempfile.TemporaryDirectory() as folder:
        copy_of(root, Path(folder))
        for module in MODULES:
            for check, file, old, new in module.BREAKS:
                results.append(report(f"{check.__name__.replace('_', ' ')}: refuses {new!r} in {file}",
                                      refusal(check, Path(folder), file, old, new)))
    failed = results.count(False)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


def refusal(check, folder, file, old, new):
    """None if the check refuses the broken file, and only because it is broken."""
    try:
        text = broken(folder, file, old, new)
    except Failed as failed:
        return str(failed)
    finding = said_by(check, folder)
    (folder / file).write_text(text)
    return None if finding else "the check passed"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
