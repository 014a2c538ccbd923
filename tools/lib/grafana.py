# SPDX-License-Identifier: Apache-2.0
"""The parts of a Grafana dashboard (schema of Grafana 10) as short calls; what a dashboard shows stands in tools/dashboards."""

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
GOOD, BAD, WARN = "green", "red", "orange"
TIME = "${__url_time_range}"


def drill(what, dashboard, **variables):
    """A data link to another dashboard; the variables' values come from the series' labels or the row's fields."""
    query = "".join(f"&var-{name}={value}" for name, value in variables.items())
    return {"title": what, "url": f"/d/{dashboard}?var-datasource=${{datasource}}{query}&{TIME}"}


def to_node(field="${__field.labels.instance}"):
    return drill("The node", "rdma-warden-node", node=field)


def to_pod(namespace="${__field.labels.pod_namespace}", name="${__field.labels.pod_name}"):
    return drill("The pod", "rdma-warden-pod", namespace=namespace, pod=name)


def to_violations(field="${__field.labels.instance}"):
    return drill("The violations", "rdma-warden-violations", node=field)


def steps(*bounds, base=GOOD):
    """Thresholds: (from, colour), …"""
    return {"mode": "absolute",
            "steps": [{"color": base, "value": None}] + [{"color": c, "value": v} for v, c in bounds]}


def mapped(**texts):
    """What a value is called: of_0=("no", BAD)."""
    options = {name.removeprefix("of_"): {"text": text, "color": colour, "index": i}
               for i, (name, (text, colour)) in enumerate(texts.items())}
    return [{"type": "value", "options": options}]


def panel(kind, title, unit, description, queries, width, height, links=(), thresholds=None, mappings=(), **options):
    """`queries`: (expression, legend), …"""
    instant = kind != "timeseries"
    targets = [{"refId": chr(ord("A") + i), "datasource": DATASOURCE, "expr": expr, "legendFormat": legend,
                "instant": instant, "range": not instant, "format": "table" if kind == "table" else "time_series"}
               for i, (expr, legend) in enumerate(queries)]
    return {"type": kind, "title": title, "description": description, "datasource": DATASOURCE, "targets": targets,
            "gridPos": {"w": width, "h": height},
            "fieldConfig": {"defaults": {"unit": unit, "links": list(links), "mappings": list(mappings),
                                         "thresholds": thresholds or steps()}, "overrides": []},
            **options}


def stat(title, unit, description, expr, legend="", width=4, links=(), thresholds=None, mappings=(), name=False):
    """One figure of now for each series; with `name` its legend is what is shown."""
    return panel("stat", title, unit, description, [(expr, legend)], width, 4, links, thresholds, mappings, options={
        "colorMode": "value", "graphMode": "none", "justifyMode": "auto", "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": "name" if name else "auto"})


def graph(title, unit, description, *queries, width=12, links=(), thresholds=None, stack=False):
    """A line for each series; thresholds are drawn as dashed lines."""
    made = panel("timeseries", title, unit, description, queries, width, 8, links, thresholds, options={
        "legend": {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull", "max"],
                   "sortBy": "Last *", "sortDesc": True},
        "tooltip": {"mode": "multi", "sort": "desc"}})
    made["fieldConfig"]["defaults"]["min"] = 0
    made["fieldConfig"]["defaults"]["color"] = {"mode": "palette-classic"}
    made["fieldConfig"]["defaults"]["custom"] = {
        "drawStyle": "line", "lineWidth": 1, "fillOpacity": 30 if stack else 5, "showPoints": "never",
        "spanNulls": False, "stacking": {"mode": "normal" if stack else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if thresholds else "off"}}
    return made


def override(field, **properties):
    return {"matcher": {"id": "byName", "options": field},
            "properties": [{"id": name.replace("__", "."), "value": value} for name, value in properties.items()]}


def table(title, description, queries, columns, width=24, height=8, by="instance", overrides=()):
    """A row for each value of `by`, joined of all queries. `columns`: the field in Grafana's words and its head, in their order."""
    made = panel("table", title, "short", description, [(expr, "") for expr in queries], width, height,
                 options={"cellHeight": "sm", "showHeader": True, "footer": {"show": False, "reducer": ["sum"]}})
    made["fieldConfig"]["defaults"]["custom"] = {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True}
    made["fieldConfig"]["overrides"] = list(overrides)
    joined = [{"id": "joinByField", "options": {"byField": by, "mode": "outer"}}] if len(queries) > 1 else []
    made["transformations"] = joined + [
        {"id": "filterFieldsByName", "options": {"include": {"names": list(columns)}}},
        {"id": "organize", "options": {"excludeByName": {}, "renameByName": dict(columns),
                                       "indexByName": {field: i for i, field in enumerate(columns)}}}]
    return made


def row(title):
    return {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"w": 24, "h": 1}}


def place(panels):
    """From left to right and down; gives ids."""
    x = y = height = 0
    for number, one in enumerate(panels, 1):
        grid = one["gridPos"]
        if x + grid["w"] > 24:
            x, y, height = 0, y + height, 0
        one["id"], grid["x"], grid["y"] = number, x, y
        x, height = x + grid["w"], max(height, grid["h"])
    return panels


def variable(name, label, metric, of, several):
    query = f"label_values({metric}, {of})"
    everything = {"allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]}} if several else {}
    return {"type": "query", "name": name, "label": label, "datasource": DATASOURCE, "definition": query,
            "query": {"query": query, "refId": f"variable-{name}", "qryType": 1}, "refresh": 2, "sort": 1, "hide": 0,
            "multi": several, "includeAll": several, "regex": "", "options": [], **everything}


def dashboard(name, title, description, variables, panels):
    datasource = {"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus",
                  "hide": 0, "includeAll": False, "multi": False, "options": [], "refresh": 1, "regex": ""}
    others = {"type": "dashboards", "title": "RDMA Warden", "tags": ["rdma-warden"], "asDropdown": True, "icon": "external link",
              "includeVars": False, "keepTime": True, "targetBlank": False, "tooltip": "", "url": ""}
    return {"uid": f"rdma-warden-{name}", "title": title, "description": description, "tags": ["rdma-warden"],
            "schemaVersion": 39, "version": 1, "editable": True, "graphTooltip": 1, "timezone": "browser", "refresh": "30s",
            "time": {"from": "now-1h", "to": "now"}, "annotations": {"list": []}, "links": [others],
            "templating": {"list": [datasource, *variables]}, "panels": place(panels)}
