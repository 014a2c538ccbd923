#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: panels.py URL FOLDER [--may-be-empty FILE]

Asks the Prometheus server at URL what each panel of the Grafana dashboards in FOLDER asks, with the dashboards' variables as the server
itself knows their values. A query that is an error, or that has no answer, fails its panel. FILE names panels that may be empty
where this runs, a line each: UID / TITLE # REASON; one that names no panel, or one that is not empty after all, fails.

Prints a case a panel and ends with 1 when one failed. Needs curl, and no more of Python than python3-minimal has.
"""
import argparse
import glob
import json
import re
import subprocess
import sys

RANGE, STEP = 300, 15
BUILT_IN = {"__rate_interval": "1m", "__interval": f"{STEP}s", "__range": f"{RANGE}s", "__range_s": str(RANGE), "__interval_ms": f"{STEP}000"}


class Failed(Exception):
    pass


class Empty(Failed):
    pass


def ask(url, path, **parameters):
    """The data of an answer of Prometheus' HTTP API."""
    fields = [part for pair in parameters.items() for part in ("--data-urlencode", "=".join(map(str, pair)))]
    # Brackets in the URL are no pattern of curl's; errors have bodies, too.
    said = subprocess.run(["curl", "-sSg", "--max-time", "60", "--get", "--write-out", "\n%{http_code}", *fields, url + path],
                          capture_output=True, text=True, check=False)
    if said.returncode:
        raise SystemExit(f"{url}: {said.stderr.strip()}")
    body, _, code = said.stdout.rpartition("\n")
    if code != "200":
        raise Failed(f"{code}: {body[:400]}")
    return json.loads(body)["data"]


def fill_in(text, values):
    """Puts the variables' values for $name, ${name} and ${name:format}; one that is not known is an error."""
    def value(match):
        name = match.group(1) or match.group(2)
        if name not in values:
            raise Failed(f"${name} is no variable of the dashboard")
        return values[name]
    return re.sub(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))", value, text)


def values_of(url, variable, values):
    """All that label_values() gives."""
    query = fill_in(variable["query"]["query"], values)
    match = re.fullmatch(r"label_values\((.*),\s*(\w+)\)", query)
    if not match:
        raise Failed(f"variable {variable['name']}: {query} is not label_values(METRIC, LABEL)")
    found = ask(url, f"/api/v1/label/{match.group(2)}/values", **{"match[]": match.group(1)})
    found = [value for value in found if value]
    if not found:
        raise Failed(f"variable {variable['name']}: {query} has no value")
    return found


def resolve(url, dashboard):
    """A value for each variable: all of them as a regular expression where several may be chosen, else the first."""
    values = dict(BUILT_IN)
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "datasource":
            values[variable["name"]] = "prometheus"
            continue
        found = values_of(url, variable, values)
        # In a string of PromQL, a backslash of the expression is two.
        chosen = "|".join(re.escape(one).replace("\\", "\\\\") for one in found) if variable["multi"] else found[0]
        values[variable["name"]] = f"({chosen})" if variable["multi"] else chosen
    return values


def numbers(series):
    """The samples of one series that are numbers; a quantile of nothing is NaN."""
    return [value for _, value in series.get("values", [series.get("value")]) if value != "NaN"]


def run(url, target, values, now):
    """Fails where the query is an error or its answer has no number."""
    query = fill_in(target["expr"], values)
    if target["instant"]:
        result = ask(url, "/api/v1/query", query=query, time=now)["result"]
    else:
        result = ask(url, "/api/v1/query_range", query=query, start=now - RANGE, end=now, step=STEP)["result"]
    if not any(numbers(series) for series in result):
        raise Empty(f"no data: {query}")


def panels(dashboard):
    for panel in dashboard["panels"]:
        yield from panel.get("panels", [])
        if panel["type"] != "row":
            yield panel


def trouble(url, panel, values, now):
    """The first thing that is wrong with a panel's queries, or None."""
    try:
        if not panel["targets"]:
            raise Failed("no query")
        for target in panel["targets"]:
            run(url, target, values, now)
    except Failed as failed:
        return failed
    return None


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def read_allowed(path):
    """(uid, title) with the reason."""
    allowed = {}
    for line in text_of(path).splitlines() if path else []:
        if not line.strip() or line.startswith("#"):
            continue
        match = re.fullmatch(r"(\S+) / (.+?)\s+# (\S.*)", line)
        if not match:
            raise SystemExit(f"{path}: not UID / TITLE # REASON: {line}")
        allowed[match.group(1), match.group(2)] = match.group(3)
    return allowed


def verdict(found, reason):
    """"ok", "not ok" or "skip" of a panel with that trouble (or None), that may be empty for that reason (or None); and why."""
    if reason and isinstance(found, Empty):
        return "skip", f" # {reason}"
    if reason and not found:
        return "not ok", ": has data, and is named among those that may be empty"
    return ("not ok", f": {found}") if found else ("ok", "")


def check(url, dashboard, allowed, now):
    """Prints a case a panel; how many failed. What it finds in `allowed` it takes out."""
    failures = 0
    try:
        values = resolve(url, dashboard)
    except Failed as failed:
        print(f"not ok - {dashboard['uid']}: {failed}")
        return 1
    for panel in panels(dashboard):
        reason = allowed.pop((dashboard["uid"], panel["title"]), None)
        word, why = verdict(trouble(url, panel, values, now), reason)
        print(f"{word} - {dashboard['uid']} / {panel['title']}{why}")
        failures += word == "not ok"
    return failures


def main():
    parser = argparse.ArgumentParser(usage=__doc__.partition("\n")[0].removeprefix("usage: "))
    parser.add_argument("url")
    parser.add_argument("folder")
    parser.add_argument("--may-be-empty")
    arguments = parser.parse_args()
    url, allowed = arguments.url.rstrip("/"), read_allowed(arguments.may_be_empty)
    files = sorted(glob.glob(arguments.folder + "/*.json"))
    if not files:
        raise SystemExit(f"{arguments.folder}: no dashboard")
    # The server's own clock: its samples are by that.
    now = float(ask(url, "/api/v1/query", query="time()")["result"][1])
    failures = sum(check(url, json.loads(text_of(file)), allowed, now) for file in files)
    for uid, title in allowed:
        print(f"not ok - {arguments.may_be_empty}: there is no panel {uid} / {title}")
    sys.exit(1 if failures or allowed else 0)


main()
