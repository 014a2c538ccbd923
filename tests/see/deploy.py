#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: deploy.py CASE

Holds what deploy/ has against itself and against the code: rules, their tests, the runbook, the dashboards, and deploy/metrics.md. Nothing is
run. Prints what is wrong with CASE, one of those below, and ends with 1; without CASE it lists them.
"""
import json
import pathlib
import re
import subprocess
import sys
import urllib.parse

sys.dont_write_bytecode = True
import contract  # noqa: E402
import families  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
# Rules that are told as changes or faults, or between the programs and wardend alone: nothing to be alarmed by as such.
NO_ALERT = re.compile(r"device[.].+|netns[.]end|netdev[.]move|claim[.].+|warden[.]fault|pod[.].+")
# What alerts by a gauge, not by violations.
OTHERWISE = {"exclusive.orphan": "RdmaWardenOrphans", "marking.unverified": "RdmaWardenMarkingUnverified",
             "track.pod": "RdmaWardenContradiction", "track.stray": "RdmaWardenContradiction", "track.missing": "RdmaWardenContradiction",
             "track.split": "RdmaWardenContradiction", "exclusive.shared-plugin": "RdmaWardenContradiction"}


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


# ---- rules.yaml, whose form is our own: a key a line ----

def rules():
    """(kind, name, text) of each rule; kind is "alert" or "record"."""
    parts = re.split(r"^      - (alert|record): (\S+)\n", text("deploy/prometheus/rules.yaml"), flags=re.M)
    return list(zip(parts[1::3], parts[2::3], parts[3::3], strict=True))


def alerts():
    return {name: body for kind, name, body in rules() if kind == "alert"}


def expression(body):
    """What follows expr: in its line, or in the lines below that are further in."""
    match = re.search(r"^        expr: (?:\|\n((?:          .*\n)+)|(.*)\n)", body, re.M)
    return match.group(1) or match.group(2)


def annotations():
    """Each alert says what it is, what to do first, how bad it is, and where more stands."""
    for name, body in alerts().items():
        for key in ("summary", "description", "runbook_url"):
            if not re.search(rf"^          {key}: \S", body, re.M):
                yield f"{name} has no {key}"
        if "irst " not in body:
            yield f"{name}: the description does not say what to do first"
        if not re.search(r"labels: \{severity: (critical|warning|info)\}", body):
            yield f"{name}: the severity is not critical, warning or info"


def cases():
    """Each alert has a test in which it fires and one in which it does not; with `for`, one that ends just before."""
    tests = text("deploy/prometheus/rules_test.yaml")
    fires = set(re.findall(r"alertname: (\S+)\n +exp_alerts:(?: &\w+)?\n +- exp_labels", tests))
    quiet = re.findall(r"alertname: (\S+), exp_alerts: \[\]", tests)
    for name, body in alerts().items():
        if name not in fires:
            yield f"{name}: no test in which it fires"
        if quiet.count(name) < (2 if "        for: " in body else 1):
            yield f"{name}: not tested before it fires and after"
    for group in re.findall(r"^  - name: (.*)", text("deploy/prometheus/rules.yaml"), re.M):
        if not re.search(rf"^group_eval_order: .*[\[ ]{re.escape(group)}[\],]", tests, re.M):
            yield f"{group}: when it is evaluated in the tests is left to chance"
    for name in sorted((fires | set(quiet)) - set(alerts())):
        yield f"{name} is tested, and is no alert"


def runbook():
    """Each alert has a section, at the anchor that it names; each section is an alert's, and says the three things."""
    sections = re.split(r"^## (\S+)\n", text("deploy/prometheus/RUNBOOK.md"), flags=re.M)
    sections = dict(zip(sections[1::2], sections[2::2], strict=True))
    for name, body in alerts().items():
        if f"runbook_url: RUNBOOK.md#{name.lower()}\n" not in body:
            yield f"{name}: runbook_url is not its section"
        for word in ("Means", "Look", "Cure"):
            if not re.search(rf"^\*\*{word}\*\*: \S", sections.get(name, ""), re.M):
                yield f"RUNBOOK.md, {name}: does not say {word}"
    for name in sorted(set(sections) - set(alerts())):
        yield f"RUNBOOK.md, {name}: no such alert"


def commands():
    """What alerts and runbook tell to type is a command of wardenctl, with options that it takes."""
    source = text("tools/wardenctl/wardenctl.c")
    known = set(re.findall(r'^\t\{ "([a-z]+)", "', source, re.M))
    options = set(re.findall(r'^\t\{ "([a-z]+)", (?:no|required)_argument', source, re.M))
    for path in ("deploy/prometheus/rules.yaml", "deploy/prometheus/RUNBOOK.md"):
        for command, rest in re.findall(r"wardenctl\s+([a-z]+)([^,.:;`)\n]*)", text(path)):
            if command not in known:
                yield f"{path}: wardenctl has no command {command}"
            yield from (f"{path}: wardenctl {command}: no option --{one}" for one in re.findall(r"--([a-z]+)", rest) if one not in options)


def violations():
    """Each rule of bpf/warden.h that is a violation raises an alert."""
    selectors = [re.compile(one) for body in alerts().values() for one in re.findall(r'[{,]rule=~?"([^"]+)"', expression(body))]
    header = text("bpf/warden.h")
    for name in re.findall(r'\tX\([A-Z_]+, "([a-z.-]+)"\)', header[header.index("#define WARDEN_RULES"):header.index("enum warden_rule ")]):
        raised = OTHERWISE[name] in alerts() if name in OTHERWISE else any(one.fullmatch(name) for one in selectors)
        if not raised and not NO_ALERT.fullmatch(name):
            yield f"no alert is raised by {name}"


# ---- dashboards ----

def dashboards():
    found = {}
    for path in sorted((DEPLOY / "grafana").glob("*.json")):
        try:
            found[path] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise SystemExit(f"{path.name}: {error}") from error
    return found


def generated():
    """They are what tools/dashboards writes."""
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([ROOT / "tools" / "dashboards", folder], check=True)
        made = {path.name: path.read_bytes() for path in pathlib.Path(folder).iterdir()}
    there = {path.name: path.read_bytes() for path in dashboards()}
    for name in sorted(made.keys() | there.keys()):
        if made.get(name) != there.get(name):
            yield f"deploy/grafana/{name} is not what tools/dashboards writes: run tools/dashboards deploy/grafana"


def panels(dashboard):
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def furnished():
    """Each panel has a unit, a description, thresholds and a query of the chosen data source; titles and ids are unique."""
    for path, dashboard in dashboards().items():
        titles = [panel["title"] for panel in panels(dashboard)]
        yield from (f"{path.name}: two panels {title}" for title in sorted({t for t in titles if titles.count(t) > 1}))
        if len({panel["id"] for panel in dashboard["panels"]}) != len(dashboard["panels"]):
            yield f"{path.name}: two panels with one id"
        for panel in panels(dashboard):
            defaults, where = panel["fieldConfig"]["defaults"], f"{path.name} / {panel['title']}"
            yield from (f"{where}: no {what}" for what, there in (
                ("unit", defaults.get("unit")), ("description", panel.get("description")), ("query", panel["targets"]),
                ("thresholds", defaults.get("thresholds", {}).get("steps"))) if not there)
            yield from (f"{where}: not the data source that is chosen" for target in panel["targets"] if target["datasource"]["uid"] != "${datasource}")


def links(value):
    """All URLs below a value."""
    if isinstance(value, dict):
        if "url" in value and value["url"]:
            yield value["url"]
        value = list(value.values())
    for one in value if isinstance(value, list) else []:
        yield from links(one)


def drills():
    """Links go to dashboards that there are, and set variables that those have; each dashboard is reached from another one."""
    variables = {d["uid"]: {v["name"] for v in d["templating"]["list"]} for d in dashboards().values()}
    reached = set()
    for path, dashboard in dashboards().items():
        for url in links(dashboard["panels"]):
            match = re.match(r"/d/([\w-]+)\?(.*)", url)
            uid = match.group(1) if match else ""
            if uid not in variables:
                yield f"{path.name}: {url} leads to no dashboard"
                continue
            reached.add(uid) if uid != dashboard["uid"] else None
            for name in urllib.parse.parse_qs(match.group(2)):
                if name.startswith("var-") and name[4:] not in variables[uid]:
                    yield f"{path.name}: {url}: {uid} has no variable {name[4:]}"
    yield from (f"no panel leads to {uid}" for uid in variables if uid not in reached and uid != "rdma-warden-fleet")


# ---- names ----

def queries():
    """(where, query) of all rules, panels and variables."""
    for _, name, body in rules():
        yield f"rules.yaml, {name}", expression(body)
    for path, dashboard in dashboards().items():
        for panel in panels(dashboard):
            yield from ((f"{path.name} / {panel['title']}", target["expr"]) for target in panel["targets"])
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                metric = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
                yield f"{path.name}, variable {variable['name']}", metric.group(1)


def names():
    """What is asked for is a family of metrics.md, by labels that it has, or what a rule records."""
    known, recorded = contract.series(contract.read(DEPLOY / "metrics.md")), {name for kind, name, _ in rules() if kind == "record"}
    for where, query in queries():
        for name, labels in contract.selectors(query):
            if name in recorded or name == "up":
                continue
            if name not in known:
                yield f"{where}: {name} does not stand in metrics.md"
                continue
            extra = set(labels) - known[name].labels - contract.OF_THE_SCRAPE
            yield from (f"{where}: {name} has no label {label}" for label in sorted(extra))


def used():
    """Each family of the warden's own is used by an alert or a panel; Spiderpool's are by its own dashboards."""
    asked = {name for _, query in queries() for name, _ in contract.selectors(query)}
    for family in contract.read(DEPLOY / "metrics.md").values():
        if not family.spiderpools and not asked & set(family.series()):
            yield f"{family.name} is used by no alert and no panel"


def recorded():
    """What is recorded is used."""
    asked = {name for _, query in queries() for name, _ in contract.selectors(query)}
    yield from (f"{name} is used by nobody" for kind, name, _ in rules() if kind == "record" and name not in asked)


def page():
    """The stand-in of wardend's page, which was not made of metrics.md, has all of its families, and no others."""
    made = subprocess.run([sys.executable, ROOT / "tests" / "see" / "page.py"], check=True, capture_output=True, text=True)
    yield from families.wrong(made.stdout, every=True)


CASES = {function.__name__: function for function in (
    annotations, cases, runbook, commands, violations, generated, furnished, drills, names, used, recorded, page)}


def main():
    if len(sys.argv) != 2:
        for name, function in CASES.items():
            print(name, re.split(r"[.;:](?: |$)", function.__doc__)[0], sep="\t")
        return
    found = list(CASES[sys.argv[1]]())
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)


main()
