"""The dashboard: that Grafana can open it, that each panel explains itself, and that its expressions find something."""

import itertools
import json
import re
import tempfile
from pathlib import Path

import yaml

from prometheus import expect_exported, metrics_in
from tools import expect, run

DASHBOARD = "deploy/grafana/dashboard.json"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
# The newest of Grafana's classic model, and the oldest whose panels look like ours; newer Grafanas convert it.
SCHEMA_VERSIONS = range(36, 43)
# What Prometheus puts to every series, and histograms to theirs.
SCRAPED = {"namespace", "job", "instance", "pod", "le"}


def dashboard(root):
    return json.loads((root / DASHBOARD).read_text())


def targets(root):
    """Each expression with the title of its panel and what its legend says."""
    for panel in dashboard(root)["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"], target["legendFormat"]


def filled_in(expression):
    """An expression as Grafana sends it, with some choice of its variables."""
    return expression.replace("$__rate_interval", "5m").replace("$namespace", "shop").replace("$job", "distributary")


def dashboard_can_be_opened(root):
    found = dashboard(root)
    expect(re.fullmatch(r"[\w-]{1,40}", found["uid"]) and found["title"], "no uid or title to find it by")
    expect(found["id"] is None, "`id` is a number of one Grafana's database")
    expect(found["schemaVersion"] in SCHEMA_VERSIONS, f"schemaVersion {found['schemaVersion']}")
    variables = {variable["name"]: variable for variable in found["templating"]["list"]}
    expect(list(variables) == ["datasource", "namespace", "job"], f"variables {list(variables)}")
    source = variables.pop("datasource")
    expect((source["type"], source["query"]) == ("datasource", "prometheus"), "`datasource` chooses no Prometheus")
    for name, variable in variables.items():
        expect(variable["datasource"] == DATASOURCE, f"${name} does not ask the chosen data source")
        expect(variable["definition"] == variable["query"]["query"], f"${name} shows another query than it sends")
        expect_exported(root, f"${name}", set(re.findall(r"^label_values\((\w+)", variable["definition"])))


def panels_explain_themselves(root):
    panels = dashboard(root)["panels"]
    for panel in panels:
        title = panel.get("title")
        expect(title, f"panel {panel.get('id')} has no title")
        expect(panel.get("description"), f"{title}: no description")
        expect(panel["fieldConfig"]["defaults"].get("unit"), f"{title}: no unit")
        for asked in [panel, *panel["targets"]]:
            expect(asked.get("datasource") == DATASOURCE, f"{title}: does not ask the chosen data source")
        expect(all(target.get("legendFormat") for target in panel["targets"]), f"{title}: a line without a name")
    for key in ["id", "title"]:
        values = [panel[key] for panel in panels]
        expect(len(set(values)) == len(values), f"two panels have the same {key}")
    for one, other in itertools.combinations(panels, 2):
        expect(not cover(one["gridPos"], other["gridPos"]), f"{one['title']} lies over {other['title']}")


def cover(one, other):
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size] for at, size in [("x", "w"), ("y", "h")]
    )


def dashboard_expressions_parse(root):
    """As recording rules, which promtool reads from a file; its own parser of expressions wants a server."""
    rules = [
        {"record": f"dashboard:target_{number}", "expr": filled_in(expression)}
        for number, (_, expression, _) in enumerate(targets(root))
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "dashboard.yaml")
        file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
        run("promtool", "check", "rules", file)


def dashboard_uses_metrics_that_exist(root):
    for title, expression, _ in targets(root):
        expect_exported(root, title, metrics_in(expression))
        expect(expression.count("{") == expression.count('{namespace=~"$namespace", job=~"$job"}'),
               f"{title}: reads what the variables do not choose")


def dashboard_uses_labels_that_exist(root):
    """What a panel groups by and shows, its metrics have. A label that is misspelt is no error to Prometheus."""
    source = (root / "src/metrics/family.rs").read_text()
    families = re.findall(r'name: "(\w+)",.*?labels: &\[(.*?)\]', source, re.DOTALL)
    labels = {name: set(re.findall(r'"(\w+)"', text)) for name, text in families}
    for title, expression, legend in targets(root):
        own = set().union(*(labels.get(name, set()) for name in metrics_in(expression))) | SCRAPED
        grouped = {name for group in re.findall(r"\bby \((.*?)\)", expression) for name in group.split(", ")}
        shown = set(re.findall(r"{{(\w+)}}", legend))
        expect(grouped <= own, f"{title}: groups by {grouped - own}")
        expect(shown <= (grouped or own), f"{title}: shows {shown - (grouped or own)}")


CHECKS = [
    dashboard_can_be_opened,
    panels_explain_themselves,
    dashboard_expressions_parse,
    dashboard_uses_metrics_that_exist,
    dashboard_uses_labels_that_exist,
]

BREAKS = [
    (dashboard_can_be_opened, DASHBOARD, '"editable": false,', '"editable": false;'),
    (dashboard_can_be_opened, DASHBOARD, '"id": null', '"id": 7'),
    (dashboard_can_be_opened, DASHBOARD, '"name": "job"', '"name": "jobs"'),
    (dashboard_can_be_opened, DASHBOARD, "label_values(cdc_build_info,", "label_values(cdc_build,"),
    (panels_explain_themselves, DASHBOARD, '"unit": "s"', '"unit": ""'),
    (panels_explain_themselves, DASHBOARD, '"title": "In flight"', '"title": ""'),
    (panels_explain_themselves, DASHBOARD, '"x": 8, "y": 6,', '"x": 7, "y": 6,'),
    (dashboard_expressions_parse, DASHBOARD, "sum by (target, reason) (rate(", "sum by (target, reason) rate("),
    (dashboard_uses_metrics_that_exist, DASHBOARD, "(cdc_write_seconds_bucket{", "(cdc_writes_seconds_bucket{"),
    (dashboard_uses_metrics_that_exist, DASHBOARD, "process_resident_memory_bytes{", "process_memory_bytes{"),
    (dashboard_uses_labels_that_exist, DASHBOARD, "by (target, outcome)", "by (sink, outcome)"),
    (dashboard_uses_labels_that_exist, DASHBOARD, "{{consumer_group}} {{kind}}", "{{consumer_group}} {{reason}}"),
]
