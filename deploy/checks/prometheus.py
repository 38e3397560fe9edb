"""The alerts: syntax, unit tests, annotations, runbooks, metric names, and the operator's copy of them."""

import re
import tempfile
from pathlib import Path

from tools import Failed, expect, load, run

RULES = "deploy/prometheus/rules.yaml"
TESTS = "deploy/prometheus/rules_test.yaml"
HANDBOOK = "docs/operations.md"
OPERATOR = "deploy/kubernetes/components/alerts/prometheus-rule.yaml"
SECTIONS = ["## Meaning", "## Impact", "## Diagnosis", "## Mitigation"]
OPERATOR_HEAD = """\
# Written by `deploy/check --write` from deploy/prometheus/rules.yaml; change the rules there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: distributary
spec:
"""
# Prometheus' own, and what its client library exports of every process; every other metric must be the program's.
FOREIGN = {"up", "process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds"}


def alerts(root):
    return [rule for group in load(root / RULES)["groups"] for rule in group["rules"]]


def rules_parse(root):
    run("promtool", "check", "rules", root / RULES)
    run("promtool", "check", "config", root / "deploy/prometheus/prometheus.yml")


def rules_of_the_handbook_parse(root):
    """Examples that read what other exporters have, so nothing but their syntax can be checked here."""
    examples = re.findall(r"^```yaml\n(groups:\n.*?)^```", (root / HANDBOOK).read_text(), re.DOTALL | re.MULTILINE)
    expect(examples, f"{HANDBOOK} has no rules")
    for example in examples:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "rules.yaml")
            file.write_text(example)
            run("promtool", "check", "rules", file)


def rules_behave(root):
    run("promtool", "test", "rules", "rules_test.yaml", cwd=(root / TESTS).parent)


def alerts_are_tested_both_ways(root):
    cases = [case for test in load(root / TESTS)["tests"] for case in test["alert_rule_test"]]
    for rule in alerts(root):
        name = rule["alert"]
        outcomes = {bool(case["exp_alerts"]) for case in cases if case["alertname"] == name}
        expect(outcomes == {True, False}, f"{name} needs a test where it fires and one where it does not")


def alerts_explain_themselves(root):
    for rule in alerts(root):
        name, notes = rule["alert"], rule.get("annotations", {})
        expect(rule.get("labels", {}).get("severity") in {"critical", "warning", "info"}, f"{name}: no severity")
        for key in ["summary", "description", "runbook_url"]:
            expect(notes.get(key), f"{name}: no {key}")
        page = root / notes["runbook_url"]
        expect(page.name == f"{name}.md" and page.is_file(), f"{name}: no runbook {notes['runbook_url']}")
        lines = page.read_text().splitlines()
        expect(lines[0] == f"# {name}", f"{page.name} must open with its alert's name")
        expect([line for line in lines if line.startswith("## ")] == SECTIONS, f"{page.name} needs {SECTIONS}")
    known = {rule["alert"] for rule in alerts(root)}
    for page in (root / "deploy/runbooks").glob("*.md"):
        expect(page.stem in known, f"{page.name} belongs to no alert")


def bare(expression):
    """An expression without labels, whose names look like metrics' names."""
    return re.sub(r"\{[^}]*\}|\b(by|on|without)\s*\([^)]*\)", " ", expression)


def metrics_in(expression):
    """The metrics that an expression reads; of a histogram its family. Names before a parenthesis are functions."""
    names = re.findall(r"\b([a-z]\w*_\w+|up)\b(?!\s*\()", bare(expression))
    return {name.removesuffix("_bucket") for name in names}


def expect_exported(root, reader, names):
    source = "\n".join(path.read_text() for path in (root / "src").rglob("*.rs"))
    expect(names, f"{reader} reads no metric")
    for name in names - FOREIGN:
        expect(f'"{name}"' in source, f"{reader} reads {name}, which nothing in src/ exports")


def rules_use_metrics_that_exist(root):
    for rule in alerts(root):
        expect_exported(root, rule["alert"], metrics_in(rule["expr"]))


def operator_rule(root):
    """The text of the PrometheusRule: the plain rules in the operator's wrapping, without their comments."""
    _, start, groups = (root / RULES).read_text().partition("groups:\n")
    lines = [line for line in (start + groups).splitlines() if not line.lstrip().startswith("#")]
    return OPERATOR_HEAD + "".join(f"  {line}\n" if line else "\n" for line in lines)


def operator_has_the_same_alerts(root):
    if (root / OPERATOR).read_text() != operator_rule(root):
        raise Failed(f"{OPERATOR} differs from {RULES}: run deploy/check --write")


CHECKS = [
    rules_parse,
    rules_of_the_handbook_parse,
    rules_behave,
    alerts_are_tested_both_ways,
    alerts_explain_themselves,
    rules_use_metrics_that_exist,
    operator_has_the_same_alerts,
]

BREAKS = [
    (rules_parse, RULES, "cdc_lag_seconds) > 60", "cdc_lag_seconds > 60"),
    (rules_of_the_handbook_parse, HANDBOOK, "or absent(", "or absent"),
    (rules_behave, RULES, "cdc_lag_seconds) > 60", "cdc_lag_seconds) > 100"),
    (rules_behave, RULES, "up{job=\"distributary\"} == 0 or ", ""),
    (rules_behave, RULES, "(cdc_ready) == 0", "(cdc_ready) == 1"),
    (rules_behave, RULES, "[1h])) > 3", "[1h])) > 2"),
    (rules_behave, RULES, "[1h])) > 3", "[15m])) > 3"),
    (rules_behave, RULES, "(up{job=\"distributary\"}) == 1", "(up{job=\"distributary\"}) >= 0"),
    (rules_behave, RULES, "> 900", "> 9000"),
    (alerts_are_tested_both_ways, RULES, "alert: CDCNoScrape", "alert: CDCOther"),
    (alerts_explain_themselves, RULES, "severity: critical", "severity: loud"),
    (alerts_explain_themselves, RULES, "summary:", "title:"),
    (alerts_explain_themselves, RULES, "runbooks/CDCDeadLetters.md", "runbooks/Gone.md"),
    (alerts_explain_themselves, "deploy/runbooks/CDCNoScrape.md", "## Impact", "## Effect"),
    (rules_use_metrics_that_exist, RULES, "(cdc_lag_seconds)", "(cdc_lag_secs)"),
    (operator_has_the_same_alerts, RULES, "for: 5m", "for: 6m"),
]
