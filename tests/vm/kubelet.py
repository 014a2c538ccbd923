#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stands for the kubelet where it makes a pod of a DaemonSet: from the manifest to what it asks of a container runtime.

Contract: the Pod API (v1) and the CRI (runtime.v1), with the meaning that the kubelet gives to each field. A field that this stand-in does
not know is an error, so that nothing of a manifest is left out in silence.

    kubelet.py MANIFEST DAEMONSET FOLDER [--without-capability NAME] [--without-mount PATH]

writes into FOLDER: sandbox, and for each container in the order of their start N.NAME.container (requests in protobuf's text form, with
@SANDBOX@ for what the runtime has called the sandbox), N.NAME.probe.KIND (URLs), and volumes/ (what the kubelet makes of ConfigMaps).
"""
import argparse
import json
import os
import sys

import yaml

HOST_TYPES = {"", "Directory", "DirectoryOrCreate", "File", "Socket"}
PROPAGATION = {"None": "PROPAGATION_PRIVATE", "HostToContainer": "PROPAGATION_HOST_TO_CONTAINER", "Bidirectional": "PROPAGATION_BIDIRECTIONAL"}
# What is said of a pod to others: schedulers, eviction, whoever looks at it.
OF_OTHERS = {"affinity", "nodeSelector", "priorityClassName", "tolerations", "terminationGracePeriodSeconds", "automountServiceAccountToken", "serviceAccountName",
             "dnsPolicy", "restartPolicy", "imagePullSecrets", "enableServiceLinks"}
SECCOMP = {"RuntimeDefault": "RuntimeDefault", "Unconfined": "Unconfined"}


def die(why):
    sys.exit(f"kubelet.py: error: {why}")


def text(value):
    return json.dumps(str(value), ensure_ascii=True)


class Fields:
    """A mapping of which each key must have been asked for."""

    def __init__(self, mapping, where):
        self.left, self.where = dict(mapping or {}), where

    def take(self, key, default=None):
        return self.left.pop(key, default)

    def done(self):
        if self.left:
            die(f"{self.where}: {', '.join(self.left)}: not known to this stand-in")


def objects(path):
    with open(path, encoding="utf-8") as file:
        return [o for o in yaml.safe_load_all(file) if o]


def find(found, kind, name):
    for o in found:
        if o["kind"] == kind and o["metadata"]["name"] == name:
            return o
    die(f"there is no {kind} {name}")


# ---- volumes: the path on the node of each ----

def host_path(name, source):
    fields = Fields(source, f"volume {name}")
    path, kind = fields.take("path"), fields.take("type", "")
    fields.done()
    if kind not in HOST_TYPES:
        die(f"volume {name}: type {kind}")
    is_there = {"": os.path.lexists, "Directory": os.path.isdir, "File": os.path.isfile, "Socket": os.path.exists}
    if kind == "DirectoryOrCreate":
        os.makedirs(path, exist_ok=True)
    elif kind and not is_there[kind](path):
        die(f"volume {name}: {path} is no {kind}: the pod would wait for it")
    return path


def config_map(found, name, source, folder):
    fields = Fields(source, f"volume {name}")
    data = find(found, "ConfigMap", fields.take("name"))["data"]
    fields.take("defaultMode")
    fields.done()
    path = os.path.join(folder, "volumes", name)
    os.makedirs(path, exist_ok=True)
    for key, value in data.items():
        with open(os.path.join(path, key), "w", encoding="utf-8") as file:
            file.write(value)
    return path


def volume_path(found, volume, folder):
    fields = Fields(volume, "volume")
    name = fields.take("name")
    if "hostPath" in fields.left:
        path = host_path(name, fields.take("hostPath"))
    elif "configMap" in fields.left:
        path = config_map(found, name, fields.take("configMap"), folder)
    elif "emptyDir" in fields.left:
        fields.take("emptyDir")
        path = os.path.join(folder, "volumes", name)
        os.makedirs(path, exist_ok=True)
    else:
        die(f"volume {name}: {volume}")
    fields.done()
    return name, path


# ---- containers ----

def mounts(container, volumes, without):
    lines = []
    for mount in container.take("volumeMounts", []):
        fields = Fields(mount, "volumeMount")
        inside, read_only = fields.take("mountPath"), fields.take("readOnly", False)
        line = f"mounts {{ container_path: {text(inside)} host_path: {text(volumes[fields.take('name')])} " \
               f"readonly: {str(read_only).lower()} propagation: {PROPAGATION[fields.take('mountPropagation', 'None')]} }}"
        fields.done()
        if inside in without:
            without[inside] = True
            if inside == "/sys/fs/cgroup":  # CRI-O mounts the container's own there; containerd does, too, but a mount of /sys covers that
                lines.append('mounts { container_path: "/sys/fs/cgroup" host_path: "/sys/fs/cgroup@CGROUP@" readonly: true }')
        else:
            lines.append(line)
    return lines


def security(context, without):
    fields = Fields(context, "securityContext")
    capabilities = Fields(fields.take("capabilities"), "capabilities")
    parts, sets = ["namespace_options { network: NODE pid: NODE ipc: POD }"], []
    for key, field in (("add", "add_capabilities"), ("drop", "drop_capabilities")):
        for name in capabilities.take(key, []):
            if key == "add" and name in without:
                without[name] = True
            else:
                sets.append(f"{field}: {text(name)}")
    capabilities.done()
    parts.append(f"capabilities {{ {' '.join(sets)} }}")
    parts.append(f"privileged: {str(fields.take('privileged', False)).lower()}")
    parts.append(f"readonly_rootfs: {str(fields.take('readOnlyRootFilesystem', False)).lower()}")
    parts.append(f"no_new_privs: {str(not fields.take('allowPrivilegeEscalation', True)).lower()}")
    parts.append(f"run_as_user {{ value: {fields.take('runAsUser', 0)} }}")
    fields.take("runAsGroup")
    fields.take("runAsNonRoot")
    fields.take("appArmorProfile")  # the lab has no profiles of AppArmor,
    fields.take("seLinuxOptions")  # and no SELinux
    profile = Fields(fields.take("seccompProfile", {"type": "Unconfined"}), "seccompProfile")
    parts.append(f"seccomp {{ profile_type: {SECCOMP[profile.take('type')]} }}")
    profile.done()
    fields.done()
    return "linux { security_context { " + " ".join(parts) + " } }"


def environment(container, pod):
    values = {"spec.nodeName": pod["node"], "metadata.name": pod["name"], "metadata.namespace": pod["namespace"], "status.hostIP": "127.0.0.1"}
    lines = []
    for variable in container.take("env", []):
        value = variable.get("value")
        if value is None:
            value = values[variable["valueFrom"]["fieldRef"]["fieldPath"]]
        lines.append(f"envs {{ key: {text(variable['name'])} value: {text(value)} }}")
    return lines


def probes(container, ports):
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        probe = container.take(kind)
        if probe:
            get = probe["httpGet"]
            port = ports.get(get["port"], get["port"])
            yield kind, f"http://{get.get('host', '127.0.0.1')}:{port}{get['path']}"


def write_container(folder, number, source, context):
    container = Fields(source, "container")
    name = container.take("name")
    lines = [f"metadata {{ name: {text(name)} }} log_path: {text(f'{number}.{name}')} image {{ image: {text(container.take('image'))} }}"]
    for word in container.take("command", []):
        lines.append(f"command: {text(word)}")
    for word in container.take("args", []):
        lines.append(f"args: {text(word)}")
    lines += environment(container, context["pod"])
    lines += mounts(container, context["volumes"], context["without_mounts"])
    lines.append(security(container.take("securityContext"), context["without_capabilities"]))
    ports = {p.get("name"): p["containerPort"] for p in container.take("ports", [])}
    for kind, url in probes(container, ports):
        with open(os.path.join(folder, f"{number}.{name}.probe.{kind}"), "w", encoding="utf-8") as file:
            file.write(url + "\n")
    container.take("resources")
    container.take("imagePullPolicy")
    container.take("terminationMessagePolicy")
    container.done()
    sandbox = open(os.path.join(folder, "sandbox"), encoding="utf-8").read()
    with open(os.path.join(folder, f"{number}.{name}.container"), "w", encoding="utf-8") as file:
        file.write("pod_sandbox_id: \"@SANDBOX@\" config { " + "\n".join(lines) + " } " + sandbox.replace("config {", "sandbox_config {", 1))


def write_pod(arguments):
    found = objects(arguments.manifest)
    daemon_set = find(found, "DaemonSet", arguments.daemonset)
    spec = Fields(daemon_set["spec"]["template"]["spec"], "pod")
    for key in OF_OTHERS:
        spec.take(key)
    if not (spec.take("hostNetwork") and spec.take("hostPID")):
        die("a pod without hostNetwork and hostPID: not known to this stand-in")
    Fields(spec.take("securityContext"), "the pod's securityContext").done()
    pod = {"node": "lab", "name": arguments.daemonset + "-lab", "namespace": daemon_set["metadata"].get("namespace", "default")}
    os.makedirs(arguments.folder, exist_ok=True)
    volumes = dict(volume_path(found, v, arguments.folder) for v in spec.take("volumes", []))
    with open(os.path.join(arguments.folder, "sandbox"), "w", encoding="utf-8") as file:
        file.write(f"config {{ metadata {{ name: {text(pod['name'])} namespace: {text(pod['namespace'])} uid: \"@UID@\" }} log_directory: {text(os.path.abspath(arguments.folder) + '/logs')} "
                   "linux { cgroup_parent: \"@CGROUP@\" security_context { namespace_options { network: NODE pid: NODE ipc: POD } } } }")
    context = {"pod": pod, "volumes": volumes, "without_mounts": dict.fromkeys(arguments.without_mount, False),
               "without_capabilities": dict.fromkeys(arguments.without_capability, False)}
    for number, container in enumerate(spec.take("initContainers", []) + spec.take("containers")):
        write_container(arguments.folder, number, container, context)
    spec.done()
    for name, found_there in {**context["without_mounts"], **context["without_capabilities"]}.items():
        if not found_there:
            die(f"the manifest has no {name}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("manifest")
    parser.add_argument("daemonset")
    parser.add_argument("folder")
    parser.add_argument("--without-capability", action="append", default=[])
    parser.add_argument("--without-mount", action="append", default=[])
    write_pod(parser.parse_args())


main()
