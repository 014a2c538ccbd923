#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: chart.py CASE [FILE]

Holds the Helm chart, what it renders, and the samples against what they have to fit: the schemas of Kubernetes and of others' objects, the
daemon's own parser and code, and each other. Prints what is wrong with CASE, one of those below, and ends with 1; without CASE it lists
them. CASE crd:KIND has the schema in FILE, values:spiderpool the chart's values. In the environment: HELM, CHART (the archive), CHECK (build/config-check).
"""
import functools
import itertools
import json
import os
import pathlib
import re
import subprocess
import sys

import jsonschema
import kubernetes_validate
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm/rdma-warden"
OLDEST, USUAL, NEWEST = VERSIONS = ("1.25.0", "1.31.0", "1.37.0")

# Keys of the daemon's that are no values: the chart sets them, or they would move what the DaemonSet mounts.
OWN = {"": {"mode", "metrics", "run_dir", "state_dir", "bpffs", "modprobe_dir", "operator_dir"}, "kubernetes": {"node", "token", "ca"}}
# These can only be switched off; where they are, kubeletDir says.
ONLY_OFF = {"podresources", "checkpoint", "devinfo"}

SEEN = {"metrics": {"address": "0.0.0.0", "service": {"enabled": True}, "serviceMonitor": {"enabled": True, "labels": {"release": "p"}},
                    "prometheusRule": {"enabled": True, "labels": {"release": "p"}, "runbookURL": "https://wiki/x/"},
                    "dashboards": {"enabled": True}}}
FULL = {"mode": "enforce", "createNamespace": True, "debug": True, "cni": {"binDir": "/usr/libexec/cni", "allowDowngrade": True},
        "rdmaCNI": {"install": True}, "sriovCNI": {"install": True}, "kubeletDir": "/var/lib/k0s/kubelet",
        "image": {"repository": "r.example:5000/a/rdma-warden", "tag": "9", "pullSecrets": ["s"]},
        "serviceAccount": {"name": "n", "annotations": {"a": "b"}}, "podLabels": {"a": "b"}, "podAnnotations": {"a": "b"},
        "affinity": {"nodeAffinity": {}}, "resources": {"limits": {"memory": "1Gi"}},
        "config": {"set_exclusive": True, "umad": "host", "packets": True, "ipam_timeout": 30, "discover": "kubelet",
                   "host_cgroups": ["kubepods.slice/x"], "pod_cgroups": ["kubepods.slice"], "reactions": {"exclusive.open": "kill"},
                   "qos": {"profile": {"base": "nvidia", "mtu": 4096}, "owners": {"ml/*": "spiderpool"}, "on_violation": "deny"},
                   "node_policy": [{"resourceName": "r", "nicSelector": {"pfNames": ["ens1f0#0-3"]}, "numVfs": 8, "mtu": 9000}],
                   "notify": {"alertmanager": ["http://a.b:9093"]}, "kubernetes": {"devinfo": ""}}, **SEEN}
SETS = {"defaults": {}, "what Prometheus needs": SEEN, "everything": FULL, "uninstall": {"uninstall": True},
        "no plugin, no API": {"cni": {"install": False}, "config": {"kubernetes": {"api": "off"}}, "serviceAccount": {"create": False}},
        "no Events": {"config": {"notify": {"kubernetes_events": False}}}, "IPv6": {"metrics": {"address": "::"}},
        "bare": {"tolerations": [], "nodeSelector": {}, "priorityClassName": "", "resources": {}, "updateStrategy": {"type": "OnDelete"}}}


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def documents(string):
    return [one for one in yaml.safe_load_all(string) if one]


@functools.cache
def rendered(values, kube, release):
    command = [os.environ["HELM"], "template", release, os.environ["CHART"], "--namespace", "ns", "--kube-version", kube, "--values", "-"]
    return subprocess.run(command, input=values, capture_output=True, check=True, text=True).stdout


def render(values=None, kube=USUAL, release="rdma-warden"):
    return documents(rendered(json.dumps(values or {}), kube, release))


def of_kind(objects, kind):
    return [one for one in objects if one["kind"] == kind]


def daemonset(values=None, kube=USUAL):
    return of_kind(render(values, kube), "DaemonSet")[0]


def pod(values=None, kube=USUAL):
    return daemonset(values, kube)["spec"]["template"]["spec"]


def container(values=None, name="wardend", kube=USUAL):
    spec = pod(values, kube)
    return next((one for one in spec.get("initContainers", []) + spec["containers"] if one["name"] == name), None)


def configuration(objects):
    return json.loads(next(one for one in of_kind(objects, "ConfigMap") if "config.json" in one["data"])["data"]["config.json"])


def judged(lines, *arguments):
    """What the daemon's parser says of each: "ok", or what is wrong."""
    lines = [json.dumps(one) for one in lines]
    said = subprocess.run([os.environ["CHECK"], *arguments], input="".join(one + "\n" for one in lines), capture_output=True, check=True, text=True)
    answers = said.stdout.splitlines()
    assert len(answers) == len(lines)
    return answers


def merged(*trees):
    """One of objects in objects."""
    result = {}
    for tree in trees:
        for key, value in tree.items():
            old = result.get(key)
            result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


# ---- objects ----

def samples():
    for path in sorted((DEPLOY / "samples").glob("*.yaml")):
        if not path.name.endswith("values.yaml"):
            for one in documents(path.read_text(encoding="utf-8")):
                yield path.name, one


def all_objects():
    for (name, values), version in itertools.product(SETS.items(), VERSIONS):
        for one in render(values, version):
            yield f"{name} on {version}", version, one
    for path in sorted((DEPLOY / "manifests").glob("*.yaml")):
        for one in documents(path.read_text(encoding="utf-8")):
            for version in (USUAL, NEWEST):
                yield path.name, version, one
    for name, one in samples():
        yield name, NEWEST, one


def is_kubernetes(one):
    group = one["apiVersion"].split("/")[0]
    return "." not in group or group.endswith(".k8s.io") and group != "k8s.cni.cncf.io"


def objects():
    """Each object of Kubernetes' own has only what its schema has, of the oldest, a usual and the newest version."""
    count = 0
    for where, version, one in all_objects():
        if not is_kubernetes(one):
            continue
        count += 1
        try:
            kubernetes_validate.validate(one, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{where}: {one['kind']}: {'.'.join(map(str, error.path))}: {error.message}"
    if count < 100:
        yield f"only {count} objects were looked at"


def strict(schema):
    """Of a CRD's: what the API server would drop without a word is an error, too."""
    if not isinstance(schema, dict):
        return schema
    result = {key: strict(value) for key, value in schema.items() if key not in ("properties", "additionalProperties", "items")}
    if "properties" in schema:
        result["properties"] = {key: strict(value) for key, value in schema["properties"].items()}
        result["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields", False))
    for key in ("additionalProperties", "items"):
        if key in schema:
            result[key] = strict(schema[key])
    return result


def crd(kind, file):
    crds = [one for one in documents(pathlib.Path(file).read_text(encoding="utf-8")) if one["spec"]["names"]["kind"] == kind]
    served = {f"{crds[0]['spec']['group']}/{version['name']}": strict(version["schema"]["openAPIV3Schema"])
              for version in crds[0]["spec"]["versions"] if version["served"]}
    count = 0
    for where, _, one in all_objects():
        if one["kind"] != kind:
            continue
        count += 1
        if one["apiVersion"] not in served:
            yield f"{where}: {one['apiVersion']} is not one of {', '.join(served)}"
            continue
        schema = served[one["apiVersion"]] # where these three may be left out
        schema["properties"].update(apiVersion={}, kind={}, metadata={"type": "object"})
        for error in jsonschema.Draft202012Validator(schema).iter_errors(one):
            yield f"{where}: {'.'.join(map(str, error.path))}: {error.message}"
    if not count:
        yield f"there is no {kind}"


def values_spiderpool(file):
    """The values given for Spiderpool's chart are ones that it has."""
    def missing(ours, theirs, path):
        for key, value in ours.items():
            if key not in theirs:
                yield f"{path}{key} is none of Spiderpool's values"
            elif isinstance(value, dict):
                yield from missing(value, theirs[key], f"{path}{key}.")
    yield from missing(yaml.safe_load(text("deploy/samples/2-spiderpool-values.yaml")), yaml.safe_load(pathlib.Path(file).read_text(encoding="utf-8")), "")


# ---- the configuration ----

@functools.cache
def schema():
    return json.loads(text("deploy/helm/rdma-warden/values.schema.json"))


def properties(section):
    """Of the schema, for a table of keys of the daemon's."""
    names = schema()["definitions"]
    config = names["config"]["properties"]
    return {"": config, "qos": names["qos"]["properties"], "profile": names["profile"]["anyOf"][1]["properties"], "kubernetes": config["kubernetes"]["properties"],
            "notify": config["notify"]["properties"], "policy": names["policy"]["properties"],
            "selector": names["policy"]["properties"]["nicSelector"]["properties"]}[section]


def tables():
    """The daemon's tables of keys, as its source has them."""
    for path in sorted((ROOT / "user/config").glob("*.c")):
        for name, body in re.findall(r"^static const struct key (?:(\w+)_)?keys\[\] = \{\n(.*?)^\};", path.read_text(encoding="utf-8"), re.M | re.S):
            yield name, set(re.findall(r'^\t\{ "(\w+)", \w+ \},$', body, re.M)), body.count("{")


def keys():
    """The values schema's keys of `config` are the daemon's."""
    seen = set()
    for name, found, lines in tables():
        seen.add(name)
        if len(found) != lines:
            yield f"{name}_keys: {lines} lines, and {len(found)} keys read of them"
        ours = set(properties(name)) | OWN.get(name, set())
        yield from (f"{name}_keys: \"{key}\" is the daemon's, and not in the schema" for key in sorted(found - ours))
        yield from (f"{name}_keys: \"{key}\" is in the schema (or chart.py's OWN), and not the daemon's" for key in sorted(ours - found))
    if seen != {"", "qos", "profile", "kubernetes", "notify", "policy", "selector"}:
        yield f"other tables than expected: {seen}"
    rules = set(re.findall(r'X\(\w+, "([a-z.-]+)"\)', text("bpf/warden.h")))
    can = {rule for rule, said in zip(sorted(rules), judged({"reactions": {rule: "deny"}} for rule in sorted(rules))) if said == "ok"}
    ours = set(properties("")["reactions"]["properties"])
    yield from (f"reactions.{rule}: the schema and the daemon differ" for rule in sorted(can ^ ours))


PROBES = [True, False, 0, 1, 2, 7, 8, 47, 48, 63, 64, 67, 68, 99, 100, 3600, 3601, 65535, 65536, -1, 1.5, 5.0, 1e20, "", "x", "nobody", "host", "observe",
          "deny", "kill", "remark", "drop", "off", "kubelet", "all", "auto", "https://a:1", "https://a:1/x y", "http://a:1", "ftp://a", "http://u@a", "http://[::1]:9093/x",
          "http://a:0", "http://a?x", "spiderpool", "nvidia", "dscp", "pcp", "v1", "v2", "eth", "ETH", "ib", "netdevice", "vfio-pci", "15b3", "15B3", "15b", "15b3 ",
          "ens1f0", "ens1f0#0-3", "ens1f0#0", "ens1f0#-1-3", ".x", "a b", "a:b", "0000:3b:00.0", "3b:00.0", "0000:3b:00.8", "0000:3B:00.0", "rdma_sriov", "rdma-sriov",
          "/abs", "../x", "a/../b", "a" * 15, "a" * 16, "a" * 63, "a" * 64, "a" * 255, "a" * 256, "a" * 319, "a" * 320, {}, {"x": 1}, {"40": 5}, {"64": 1}, {"0x1": 1},
          {"040": 5}, {" 1": 1}, {"40": 8}, {"x": "nvidia"}, {"": "nvidia"}, {"a" * 319: "nvidia"}, {"a" * 320: "nvidia"}, {"x": "none"}, {"base": "nvidia"}, {"base": "x"},
          {"vendor": "15b3"}, {"x": {"base": "nvidia", "ecn": False}}, {f"x{i}": "nvidia" for i in range(32)}, {f"x{i}": "nvidia" for i in range(33)}]
# What only the daemon sees: a whole that contradicts itself.
WHOLE = re.compile(r"is (also|mapped|off|on) |the class would|names .* (a second time|twice)|goes to VF|allows no DSCP|\"qos\" lacks")
PROFILE = {"dscp": 40, "priority": 5, "cnp_dscp": 48, "cnp_priority": 6}
POLICY = {"resourceName": "r", "nicSelector": {"vendor": "15b3"}, "numVfs": 8}


def probes():
    """Configurations, each with one value that may be wrong, and the key it is at."""
    def put(section, key, value):
        return {"": {key: value}, "qos": {"qos": {"profile": "spiderpool", key: value}}, "profile": {"qos": {"profile": {"base": "spiderpool", key: value}}},
                "kubernetes": {"kubernetes": {key: value}}, "notify": {"notify": {key: value}}, "policy": {"node_policy": [{**POLICY, key: value}]},
                "selector": {"node_policy": [{**POLICY, "nicSelector": {key: value}}]}, "reactions": {"reactions": {key: value}}}[section]
    lists = [[one] for one in PROBES if isinstance(one, (int, float, str))] + [[]] + [[f"x{i}" for i in range(n)] for n in (4, 5, 7, 8, 16, 17, 64, 65)]
    lists += [[f"http://x{i}" for i in range(n)] for n in (4, 5)] + [["a", "a"], [3, 5], [POLICY], [{**POLICY, "x": 1}], [POLICY] * 32, [POLICY] * 33]
    for section in ("", "qos", "profile", "kubernetes", "notify", "policy", "selector", "reactions"):
        names = properties("")["reactions"]["properties"] if section == "reactions" else properties(section)
        for key, value in itertools.product([*names, "unknown"], PROBES + lists):
            yield section, key, put(section, key, value)
    for without in PROFILE:
        yield "profile", without, {"qos": {"profile": {key: value for key, value in PROFILE.items() if key != without}}}
    for without in POLICY:
        yield "policy", without, {"node_policy": [{key: value for key, value in POLICY.items() if key != without}]}
    yield "policy", "isRdma", {"node_policy": [{**POLICY, "deviceType": "vfio-pci", "isRdma": True}]}
    for whole in ({"qos": {}}, {"qos": {"owners": {}}}, {"qos": {"resources": {"x": "nvidia"}}}, {"qos": {"profile": PROFILE}}, {"qos": {"on_packet": "drop"}}, {"x": 1}):
        yield "", "qos", whole


def differential():
    """The values schema and the daemon's parser agree on each of some thousands of configurations."""
    validator = jsonschema.Draft7Validator({"$ref": "#/definitions/config", "definitions": schema()["definitions"]})
    cases = list(probes())
    both = 0
    for (section, key, config), said in zip(cases, judged(one for _, _, one in cases)):
        taken = validator.is_valid(config)
        both += taken and said == "ok"
        if taken and said != "ok" and not WHOLE.search(said):
            yield f"{json.dumps(config)[:200]}: the schema takes it, the daemon says {said}"
        if not taken and said == "ok" and key not in ONLY_OFF:
            yield f"{json.dumps(config)[:200]}: the daemon takes it, the schema does not"
    if both < 200 or len(cases) < 3000:
        yield f"{len(cases)} configurations, {both} of them right: too few"


def configurations():
    """config.json of each rendering is one that the daemon takes, and has what was asked for."""
    for name, values in SETS.items():
        config = configuration(render(values))
        said = judged([config])[0]
        if said != "ok":
            yield f"{name}: {said}"
        own = {"mode": values.get("mode", "audit"), "metrics": config["metrics"]}
        if config != {**values.get("config", {}), **own}:
            yield f"{name}: {config}"
    for address, wanted in (("127.0.0.1", "127.0.0.1:9779"), ("::", "[::]:9779"), ("fd00::1", "[fd00::1]:9779")):
        if configuration(render({"metrics": {"address": address}}))["metrics"] != wanted:
            yield f"{address} does not become {wanted}"


def checksum():
    """Another configuration is another pod; the same one is not."""
    def sum_of(values):
        return daemonset(values)["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
    if sum_of({}) != sum_of({"debug": True}):
        yield "it changes with what is no configuration"
    sums = [sum_of(one) for one in ({}, {"mode": "enforce"}, {"metrics": {"port": 1}}, {"config": {"packets": True}})]
    if len(set(sums)) != len(sums):
        yield "it does not change with the configuration"


# ---- rights ----

# What asks the API server, by where it stands in the code: requests elsewhere have to be added here, and to the ClusterRole.
ASKED = {"user/kube/api.c": ({"/api/v1/pods"}, set()), "user/report/kube_events.c": ({"/apis/events.k8s.io/v1"}, {"POST", "PATCH"})}
NEEDED = {("", "pods", "list"), ("", "pods", "watch"), ("events.k8s.io", "events", "create"), ("events.k8s.io", "events", "patch")}
NOT_KUBERNETES = {"user/report/alertmanager.c"} # POSTs to Alertmanagers


def granted(values):
    found = set()
    for role in of_kind(render(values), "ClusterRole") + of_kind(render(values), "Role"):
        for rule in role["rules"]:
            if set(rule) != {"apiGroups", "resources", "verbs"}:
                found.add(("?", str(rule), "?"))
                continue
            found |= set(itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"]))
    return found


def rights():
    """The role allows what the daemon asks the API server for, and nothing else."""
    for path in sorted((ROOT / "user").rglob("*.c")):
        name = str(path.relative_to(ROOT))
        code = path.read_text(encoding="utf-8")
        asked = set(re.findall(r'"(?:%s)?(/apis?/[a-z0-9./]+)', code)), set(re.findall(r'\.method = "([A-Z]+)"', code))
        if name not in NOT_KUBERNETES and asked != ASKED.get(name, (set(), set())):
            yield f"{name}: asks for {asked}, and chart.py's ASKED does not know it"
    if '"/namespaces/%s/events' not in text("user/report/kube_events.c").replace('API "/', '"/') or "watch=true" not in text("user/kube/api.c"):
        yield "events are not written, or pods not watched, as chart.py's NEEDED has it"
    for values, wanted in (({}, NEEDED), ({"uninstall": True}, NEEDED), (FULL, NEEDED), (SETS["no Events"], {one for one in NEEDED if one[1] == "pods"}),
                           (SETS["no plugin, no API"], set())):
        if granted(values) != wanted:
            yield f"{values}: granted {sorted(granted(values))}, wanted {sorted(wanted)}"
    for values in ({}, FULL):
        binding, account = of_kind(render(values), "ClusterRoleBinding")[0], pod(values)["serviceAccountName"]
        if binding["subjects"] != [{"kind": "ServiceAccount", "name": account, "namespace": "ns"}]:
            yield f"the binding is for {binding['subjects']}, the pod's account is {account}"
        if binding["roleRef"]["name"] != of_kind(render(values), "ClusterRole")[0]["metadata"]["name"]:
            yield "the binding is to another role"
        if of_kind(render(values), "ServiceAccount")[0]["metadata"]["name"] != account:
            yield "the pod's account is not made"
    if pod(SETS["no plugin, no API"])["automountServiceAccountToken"] or not pod()["automountServiceAccountToken"]:
        yield "the token is mounted where nobody is asked, or is not where somebody is"


# ---- the pod ----

def privileges():
    """No container is privileged; each drops all capabilities, and adds those of a list; each capability and folder has its reason."""
    least = {"NET_ADMIN", "NET_RAW", "NET_BROADCAST", "SYS_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH"}  # each is missed: tests/vm/suites-deploy/daemonset.sh
    for name, values in SETS.items():
        spec = pod(values)
        if not spec["hostNetwork"] or not spec["hostPID"] or spec.get("hostIPC"):
            yield f"{name}: hostNetwork, hostPID"
        for one in spec.get("initContainers", []) + spec["containers"]:
            context = one["securityContext"]
            wanted = least if one["name"] in ("wardend", "drain") else set()
            if context["privileged"] or context["allowPrivilegeEscalation"] or not context["readOnlyRootFilesystem"]:
                yield f"{name}: {one['name']} has more than it needs"
            if context["capabilities"]["drop"] != ["ALL"] or set(context["capabilities"].get("add", [])) != wanted:
                yield f"{name}: {one['name']} has the capabilities {context['capabilities']}"
    namespace = of_kind(render({"createNamespace": True}), "Namespace")
    if [one["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] for one in namespace] != ["privileged"] or namespace[0]["metadata"]["name"] != "ns":
        yield f"PodSecurity would refuse the pod: {namespace}"
    source = text("deploy/helm/rdma-warden/templates/_helpers.tpl")
    added = re.findall(r"^ +add:\n((?: +- .*\n)+)", source, re.M)
    if len(added) != 1:
        yield f"{len(added)} lists of capabilities"
    for line in added[0].splitlines():
        if not re.fullmatch(r" +- [A-Z_]+ # .{10,}", line):
            yield f"no reason: {line.strip()}"
    source = text("deploy/helm/rdma-warden/templates/daemonset.yaml")
    lines = source[source.index("\n      volumes:\n"):].split("\n")
    for before, line in zip(lines, lines[1:]):
        if line.startswith(8 * " " + "- name: ") and not before.startswith(8 * " " + "# "):
            yield f"no reason: {line.strip()}"


def folders():
    """Each folder is mounted once, and each mount has its folder; the node's own are written where that is meant, and made only where they are the warden's."""
    for name, values in SETS.items():
        spec = pod(values)
        volumes = {one["name"]: one for one in spec["volumes"]}
        used = [mount["name"] for one in spec["containers"] for mount in one["volumeMounts"]]
        wanted = {mount["name"] for one in spec.get("initContainers", []) for mount in one["volumeMounts"]}
        if sorted(used) != sorted(volumes) or not wanted <= set(volumes):
            yield f"{name}: {sorted(set(used) ^ set(volumes))}"
        made = {one["hostPath"]["path"] for one in volumes.values() if one.get("hostPath", {}).get("type") == "DirectoryOrCreate"}
        if made != {"/run/rdma-warden", "/var/lib/rdma-warden"}:
            yield f"{name}: {made} are made"
        written = {mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"] if not mount.get("readOnly")}
        more = {"/etc/modprobe.d"} if values.get("config", {}).get("set_exclusive") else set()
        if written != {"/sys", "/run/rdma-warden", "/var/lib/rdma-warden", "/var/lib/cni"} | more:
            yield f"{name}: {written} are written"
    paths = {one["name"]: one["hostPath"]["path"] for one in pod(FULL)["volumes"] if "hostPath" in one}
    if paths["pod-resources"] != "/var/lib/k0s/kubelet/pod-resources" or paths["cni-bin"] != "/usr/libexec/cni":
        yield f"kubeletDir or cni.binDir: {paths}"
    if not any(mount["mountPath"] == "/usr/libexec/cni" for mount in container(FULL)["volumeMounts"]):
        yield "IPAM plugins are not where the runtime says"


def plugin():
    """The init containers install the names that are wanted, and take those away that are not."""
    def named(values, which):
        one = container(values, which)
        command = one["command"] if one else []
        return command[1:4], [command[i + 1] for i, word in enumerate(command) if word == "--as"], "--downgrade" in command
    install, uninstall = ["install", "--to", "/host/opt/cni/bin"], ["uninstall", "--from", "/host/opt/cni/bin"]
    nothing = ([], [], False)
    for values, put, away in (
            ({}, (install, ["rdma-warden"], False), (uninstall, ["rdma", "sriov"], False)),
            ({"rdmaCNI": {"install": True}}, (install, ["rdma-warden", "rdma"], False), (uninstall, ["sriov"], False)),
            (FULL, (install, ["rdma-warden", "rdma", "sriov"], True), nothing),
            ({"cni": {"names": ["sriov"]}}, (install, ["sriov"], False), (uninstall, ["rdma"], False)),
            ({"cni": {"install": False}}, nothing, nothing),
            ({"uninstall": True}, nothing, (uninstall, [], False)), # all
            ({**FULL, "uninstall": True}, nothing, (uninstall, [], False))):
        if named(values, "cni") != put:
            yield f"{values}: {named(values, 'cni')}, wanted {put}"
        if named(values, "cni-away") != away:
            yield f"{values}: away {named(values, 'cni-away')}, wanted {away}"


def daemon():
    """wardend's arguments and image, how it is replaced, and what the kubelet asks it, where."""
    base = ["--config", "/etc/rdma-warden/config.json"]
    for values, wanted in (({}, base), ({"debug": True}, base + ["--debug"]), ({"uninstall": True}, base + ["--unload", "--stay"])):
        one = container(values)
        if one["command"] != ["/usr/sbin/wardend"] or one["args"] != wanted:
            yield f"{values}: {one['command']} {one['args']}"
    version = yaml.safe_load(text("deploy/helm/rdma-warden/Chart.yaml"))["appVersion"]
    for values, wanted in (({}, f"rdma-warden:{version}"), (FULL, "r.example:5000/a/rdma-warden:9")):
        if {one["image"] for one in pod(values).get("initContainers", []) + pod(values)["containers"]} != {wanted}:
            yield f"the image is not {wanted}"
    for address, host in (("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.0.0.7", "10.0.0.7")):
        one = container({"metrics": {"address": address, "port": 1234}})
        if one["ports"] != [{"name": "metrics", "containerPort": 1234, "hostPort": 1234}]:
            yield f"the port is {one['ports']}"
        for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
            if one[probe]["httpGet"] != {"host": host, "port": "metrics", "path": path}:
                yield f"{address}: {probe} asks {one[probe]['httpGet']}"
            if f'"{path}"' not in text("user/metrics/http.c"):
                yield f"the daemon has no {path}"
    for values, wanted in (({}, {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}), (SETS["bare"], {"type": "OnDelete"}),
                           ({**SETS["bare"], "uninstall": True}, {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}})):
        if daemonset(values)["spec"]["updateStrategy"] != wanted:
            yield f"{values}: updateStrategy is {daemonset(values)['spec']['updateStrategy']}"
    if any(key.endswith("Probe") for key in container({"uninstall": True})):
        yield "where nothing listens it is probed"
    # AppArmor: by the field where it is known, else by the annotation, never by both.
    for kube, field in ((OLDEST, False), ("1.29.9", False), ("1.30.0", True), (NEWEST, True)):
        annotated = any("apparmor" in key for key in daemonset(None, kube)["spec"]["template"]["metadata"]["annotations"])
        if annotated == field or ("appArmorProfile" in container(None, "wardend", kube)["securityContext"]) != field:
            yield f"AppArmor on {kube}"


# ---- what others find the pods by ----

def selectors():
    """The DaemonSet, the Service and the ServiceMonitor select what they should, whatever the release is called."""
    for values, release in ((SEEN, "rdma-warden"), ({**SEEN, "fullnameOverride": "x"}, "rdma-warden"), (SEEN, "x")):
        found = render(values, USUAL, release)
        pods = of_kind(found, "DaemonSet")[0]["spec"]
        labels, ports = pods["template"]["metadata"]["labels"], pods["template"]["spec"]["containers"][0]["ports"]
        service, monitor = of_kind(found, "Service")[0], of_kind(found, "ServiceMonitor")[0]
        for who, selector, of in (("DaemonSet", pods["selector"]["matchLabels"], labels), ("Service", service["spec"]["selector"], labels),
                                  ("ServiceMonitor", monitor["spec"]["selector"]["matchLabels"], service["metadata"]["labels"])):
            if not selector or not selector.items() <= of.items():
                yield f"{who} selects {selector}, of {of}"
        if service["spec"]["clusterIP"] != "None" or service["spec"]["ports"][0]["targetPort"] != ports[0]["name"]:
            yield f"Service: {service['spec']}"
        # deploy/metrics.md, Scraping
        if "rdma-warden" not in service["metadata"]["labels"][monitor["spec"]["jobLabel"]]:
            yield "the job's name lacks rdma-warden"
        if {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "instance"} not in monitor["spec"]["endpoints"][0]["relabelings"]:
            yield "instance is not the node's name"
        if monitor["metadata"]["labels"].get("release") != "p" or monitor["spec"]["endpoints"][0]["port"] != service["spec"]["ports"][0]["name"]:
            yield f"ServiceMonitor: {monitor}"
    kinds = [one["kind"] for one in render()]
    if sorted(kinds) != ["ClusterRole", "ClusterRoleBinding", "ConfigMap", "DaemonSet", "ServiceAccount"]:
        yield f"by default there are {kinds}"


def seen():
    """The rules and dashboards are those of deploy/prometheus and deploy/grafana."""
    rule = of_kind(render(SEEN), "PrometheusRule")[0]
    wanted = yaml.safe_load(text("deploy/prometheus/rules.yaml").replace("runbook_url: ", "runbook_url: https://wiki/x/"))
    if rule["spec"] != wanted or not wanted["groups"]:
        yield "the rules are others"
    if of_kind(render({"metrics": {"prometheusRule": {"enabled": True}}}), "PrometheusRule")[0]["spec"] != yaml.safe_load(text("deploy/prometheus/rules.yaml")):
        yield "the rules are others without runbookURL"
    found = {name: json.loads(content) for one in of_kind(render(SEEN), "ConfigMap") if one["metadata"]["labels"].get("grafana_dashboard") == "1"
             for name, content in one["data"].items()}
    if found != {f"rdma-warden-{path.name}": json.loads(path.read_text(encoding="utf-8")) for path in (DEPLOY / "grafana").glob("*.json")} or not found:
        yield f"the dashboards are others: {sorted(found)}"


def versions():
    """Chart and image have the version of the programs."""
    chart = yaml.safe_load(text("deploy/helm/rdma-warden/Chart.yaml"))
    said = re.search(r"^VERSION [:?]?= (\S+)$", text("Makefile"), re.M) or re.search(r'^#define WARDEN_VERSION "(.+)"$', text("user/lib/version.h"), re.M)
    if {chart["version"], chart["appVersion"]} != {said.group(1)}:
        yield f"the chart is {chart['version']}, its image {chart['appVersion']}, the programs are {said.group(1)}"


# ---- the values and their schema ----

def values():
    """values.yaml names each value that the schema has, and says nothing that it refuses."""
    given = yaml.safe_load(text("deploy/helm/rdma-warden/values.yaml"))

    def missing(described, there, path):
        for key, one in described.get("properties", {}).items():
            one = schema()["definitions"][one["$ref"].split("/")[-1]] if "$ref" in one else one
            if key not in there:
                yield f"values.yaml lacks {path}{key}"
            elif there[key] and isinstance(there[key], dict) and path + key not in ("config", "resources"):
                yield from missing(one, there[key], f"{path}{key}.")
    yield from missing(schema(), {**given, "global": {}}, "")
    yield from (error.message for error in jsonschema.Draft7Validator(schema()).iter_errors(given))
    jsonschema.Draft7Validator.check_schema(schema())

    def loose(one, path):
        if isinstance(one, dict):
            if one.get("type") == "object" and "properties" in one and one.get("additionalProperties") is not False:
                yield f"{path}: an unknown key would be taken"
            for key, inner in one.items():
                yield from loose(inner, f"{path}/{key}")
    yield from loose(schema(), "")


# ---- the samples ----

def sample(name):
    return next(one for path, one in samples() if path == name)


def networks():
    """The samples' networks are what the plugin takes with a device as Multus gives it, and the same in both forms."""
    spider, plain = sample("4-spidermultusconfig.yaml"), sample("4-networkattachmentdefinition.yaml")
    one, other = json.loads(spider["spec"]["customCNI"]), json.loads(plain["spec"]["config"])
    for network in (one, other):
        said = judged([{**network, "deviceID": "0000:3b:00.2", "pciBusID": "0000:3b:00.2"}], "cni")[0]
        if said != "ok":
            yield said
    if one != other or spider["metadata"] != plain["metadata"]:
        yield "the two forms differ"


def agreement():
    """Names that the samples share are the same in all of them; commands and files that the texts name are there."""
    policy, network, pool, load = (sample(name) for name in ("3-sriovnetworknodepolicy.yaml", "4-networkattachmentdefinition.yaml", "5-spiderippool.yaml", "6-workload.yaml"))
    prefix = yaml.safe_load(text("deploy/samples/2-spiderpool-values.yaml"))["sriov"]["resourcePrefix"]
    resource = f"{prefix}/{policy['spec']['resourceName']}"
    template = load["spec"]["template"]
    name = f"{network['metadata']['namespace']}/{network['metadata']['name']}"
    config = json.loads(network["spec"]["config"])
    for what, found, wanted in (
            ("the network's resource", network["metadata"]["annotations"]["k8s.v1.cni.cncf.io/resourceName"], resource),
            ("the workload's resource", [one for one in template["spec"]["containers"][0]["resources"]["limits"] if "/" in one], [resource]),
            ("the workload's network", template["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"], name),
            ("the pool's network", pool["spec"]["multusName"], [name]), ("the network's pool", config["ipam"]["default_ipv4_ippool"], [pool["metadata"]["name"]]),
            ("the network's name", config["name"], network["metadata"]["name"]), ("the MTU", config["mtu"], policy["spec"]["mtu"])):
        if found != wanted:
            yield f"{what}: {found}, wanted {wanted}"
    readme = text("deploy/samples/README.md")
    for path in set(re.findall(r"\b[0-9]-[a-z-]+\.(?:yaml|md)\b", readme)) ^ {path.name for path in (DEPLOY / "samples").glob("[0-9]*")}:
        yield f"{path} is named and not there, or there and not named"
    shown = set(re.findall(r'"([a-z]+)"', text("tools/wardenctl/wardenctl.c")))
    for path in (DEPLOY / "samples").glob("*.md"):
        for command in re.findall(r"(?:wardenctl|warden NODE) ([a-z]+)", path.read_text(encoding="utf-8")):
            if command not in shown:
                yield f"{path.name}: wardenctl has no {command}"
    dscp = int(re.search(r'"spiderpool", \.dscp = 1ull << (\d+)', text("user/qos/profile.c")).group(1))
    for given in re.findall(r"--tclass=(\d+)", readme):
        if int(given) != dscp << 2:
            yield f"the traffic class {given} is not the profile's"


def sample_values():
    """The samples' values for the warden's chart render, and the daemon takes their configuration."""
    found = render(yaml.safe_load(text("deploy/samples/2-values.yaml")))
    yield from (said for said in judged([configuration(found)]) if said != "ok")
    if not {"ServiceMonitor", "PrometheusRule"} <= {one["kind"] for one in found}:
        yield "there is no ServiceMonitor or PrometheusRule"


CASES = [objects, keys, differential, configurations, checksum, rights, privileges, folders, plugin, daemon, selectors, seen, versions, values, networks, agreement, sample_values]


def main():
    if len(sys.argv) == 1:
        for case in CASES:
            print(f"{case.__name__}\t{case.__doc__.rstrip('.')}")
        return 0
    name = sys.argv[1]
    if name.startswith("crd:"):
        problems = crd(name[4:], sys.argv[2])
    elif name == "values:spiderpool":
        problems = values_spiderpool(sys.argv[2])
    else:
        problems = next(case for case in CASES if case.__name__ == name)()
    problems = list(problems)
    print("\n".join(problems[:40]))
    return 1 if problems else 0


sys.exit(main())
