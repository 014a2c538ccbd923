#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges a container image: image.py CHECK LAYOUT ROOT, where ROOT is its layer unpacked. Says what is wrong, and fails."""

import gzip
import hashlib
import json
import pathlib
import re
import stat
import subprocess
import sys
import tarfile

PROGRAMS = ["usr/sbin/wardend", "usr/bin/wardenctl", "usr/bin/rdmatop", "usr/lib/rdma-warden/cni/rdma-warden"]
LOADED = ["libcurl.so.4"]  # by wardend, when it is needed
wrong = []


def expect(true, *why):
    if not true:
        wrong.append(" ".join(map(str, why)))


def blob(layout, descriptor):
    algorithm, digest = descriptor["digest"].split(":")
    data = (layout / "blobs" / algorithm / digest).read_bytes()
    expect(len(data) == descriptor["size"], digest, "has another size")
    expect(hashlib.new(algorithm, data).hexdigest() == digest, digest, "has another digest")
    return data


def read(layout):
    index = json.loads((layout / "index.json").read_bytes())
    manifest = json.loads(blob(layout, index["manifests"][0]))
    return index, manifest, json.loads(blob(layout, manifest["config"]))


def check_layout(layout, _root):
    """By the image specification: each blob is what its descriptor says, and there are no others."""
    expect(json.loads((layout / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}, "oci-layout")
    index, manifest, config = read(layout)
    expect(len(index["manifests"]) == len(manifest["layers"]) == 1, "not one image of one layer")
    expect(index["schemaVersion"] == manifest["schemaVersion"] == 2, "schemaVersion")
    for what, kind in ((manifest, "manifest.v1+json"), (manifest["config"], "config.v1+json"),
                       (manifest["layers"][0], "layer.v1.tar+gzip"), (index, "index.v1+json")):
        expect(what["mediaType"] == "application/vnd.oci.image." + kind, what["mediaType"], "is not", kind)
    layer = gzip.decompress(blob(layout, manifest["layers"][0]))
    expect(config["rootfs"] == {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}, "diff_ids")
    named = {d["digest"].split(":")[1] for d in (index["manifests"][0], manifest["config"], manifest["layers"][0])}
    expect(named == {path.name for path in (layout / "blobs/sha256").iterdir()}, "a blob that nobody names")


def check_config(layout, _root):
    index, _, config = read(layout)
    version = index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"]
    expect((config["architecture"], config["os"]) == ("amd64", "linux"), "platform")
    expect(config["config"]["Entrypoint"] == ["/usr/sbin/wardend"], "Entrypoint")
    expect(config["config"]["Cmd"] == ["--config", "/etc/rdma-warden/config.json"], "Cmd")
    expect("LANG=C.UTF-8" in config["config"]["Env"], "Env")
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["config"]["Labels"].items()}
    expect(labels.keys() == {"title", "description", "version", "revision", "licenses", "created"}, "labels", labels)
    expect(labels["version"] == version and labels["licenses"] == "Apache-2.0" and labels["created"] == config["created"], labels)
    expect(index["manifests"][0]["annotations"]["io.containerd.image.name"].endswith("/rdma-warden:" + version), "name")


def members(layout):
    _, manifest, _ = read(layout)
    digest = manifest["layers"][0]["digest"].split(":")[1]
    with tarfile.open(layout / "blobs/sha256" / digest) as layer:
        return layer.getmembers()


def check_modes(layout, _root):
    found = members(layout)
    names = [member.name for member in found]
    expect(len(names) == len(set(names)) and names == sorted(names), "names")
    for m in found:
        expect(m.uid == m.gid == 0, m.name, "is not root's")
        expect(m.isreg() or m.isdir() or m.issym(), m.name, "is neither a file, a folder nor a link")
        expect(not m.mode & (stat.S_ISUID | stat.S_ISGID), m.name, "is setuid")
        expect(m.issym() or not m.mode & 0o022 or (m.name, m.mode) == ("tmp", 0o1777), m.name, "may be written to by others")
        expect(m.isdir() or m.issym() or m.mode in (0o644, 0o755), m.name, oct(m.mode))


def check_shell(_layout, root):
    """Nothing that runs other programs: the programs, and what the loader is."""
    may = {*PROGRAMS, "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "usr/lib/x86_64-linux-gnu/libc.so.6"}
    for path in root.rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        name = str(path.relative_to(root))
        expect(not path.stat().st_mode & 0o111 or name in may, name, "can be executed")
        expect(path.read_bytes()[:2] != b"#!", name, "is a script")


def needed(path):
    out = subprocess.run(["readelf", "-dlW", path], capture_output=True, text=True, check=True).stdout
    loader = re.findall(r"Requesting program interpreter: /(\S+)\]", out)
    return re.findall(r"\(NEEDED\).*\[(\S+)\]", out), loader, re.findall(r"\((?:RPATH|RUNPATH)\).*", out)


def check_libraries(_layout, root):
    """All that the programs need is there, and nothing else. Paths of libraries stand in no program."""
    folder = root / "usr/lib/x86_64-linux-gnu"
    todo, reached = [root / path for path in PROGRAMS] + [folder / name for name in LOADED], set()
    while todo:
        path = todo.pop()
        if not path.exists():
            expect(False, path.relative_to(root), "is missing")
        elif path.resolve() not in reached:
            expect(path.resolve().is_relative_to(root.resolve()), path, "leads out of the image")
            reached.add(path.resolve())
            names, loader, paths = needed(path)
            expect(not paths, path, paths)
            todo += [folder / name for name in names] + [root / name for name in loader]
    for path in folder.iterdir():
        expect(path.resolve() in reached, path.name, "is needed by nothing")
    expect(not any(needed(root / PROGRAMS[3])), "the CNI plugin is not linked statically")


def check_data(_layout, root):
    for name in ("linux", "screen", "screen-256color", "tmux", "tmux-256color", "vt100", "xterm", "xterm-256color"):
        expect((root / "lib/terminfo" / name[0] / name).is_file(), "no terminfo of", name)
    expect((root / "etc/ssl/certs/ca-certificates.crt").read_text().count("BEGIN CERTIFICATE") > 50, "certificates")
    expect((root / "usr/lib/locale/C.utf8/LC_CTYPE").is_file(), "no C.UTF-8")
    expect(str((root / "var/run").readlink()) == "../run", "/var/run")
    for name in ("bin", "sbin", "lib", "lib64"):
        expect(str((root / name).readlink()) == "usr/" + name, name)


def check_paths(_layout, root):
    """Where it was built stands in no file; neither do symbols and debug information."""
    built = re.compile(rb"/(?:ho" rb"me|ro" rb"ot|tmp|wo" rb"rk|build)/[^\0\n]{0,80}")
    for name in PROGRAMS:
        data = (root / name).read_bytes()
        found = [m[0] for m in built.finditer(data)]
        expect(not found, name, "names", found[:3])
        sections = subprocess.run(["readelf", "-SW", root / name], capture_output=True, text=True, check=True).stdout
        expect(not re.search(r"\.(debug_info|symtab)\b", sections), name, "is not stripped")


def check_sbom(layout, root):
    """The rules of SPDX 2.3 for what it uses, and that it and the image have the same files and packages."""
    data = (root / "usr/share/rdma-warden/sbom.spdx.json").read_bytes()
    expect(data == (layout.parent / "sbom.spdx.json").read_bytes(), "another one beside the archive")
    sbom = json.loads(data)
    expect((sbom["spdxVersion"], sbom["dataLicense"], sbom["SPDXID"]) == ("SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT"), "head")
    expect(re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", sbom["documentNamespace"]), "documentNamespace")
    expect(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", sbom["creationInfo"]["created"]), "created")
    expect(all(re.match(r"(Tool|Person|Organization): ", c) for c in sbom["creationInfo"]["creators"]), "creators")
    elements = [sbom["SPDXID"]] + [e["SPDXID"] for e in sbom["packages"] + sbom["files"]]
    expect(len(elements) == len(set(elements)), "one identifier twice")
    expect(all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", e) for e in elements), "an identifier")
    contained = check_relations(sbom, elements)
    check_packages(sbom, root)
    files = {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and not p.is_symlink()}
    listed = {f["fileName"].removeprefix("./"): f for f in sbom["files"]}
    expect(files - listed.keys() == {"usr/share/rdma-warden/sbom.spdx.json"}, "not listed:", sorted(files - listed.keys()))
    expect(not listed.keys() - files, "listed, and not there:", sorted(listed.keys() - files))
    for name, file in listed.items():
        sums = {c["algorithm"]: c["checksumValue"] for c in file["checksums"]}
        content = (root / name).read_bytes() if name in files else b""
        expect(sums == {"SHA1": hashlib.sha1(content).hexdigest(), "SHA256": hashlib.sha256(content).hexdigest()}, name)
        expect(file["SPDXID"] in contained, name, "is of no package")


def check_relations(sbom, elements):
    contained = set()
    for relation in sbom["relationships"]:
        expect(relation["relationshipType"] in ("DESCRIBES", "CONTAINS"), relation)
        expect(relation["spdxElementId"] in elements and relation["relatedSpdxElement"] in elements, "leads nowhere:", relation)
        contained.add(relation["relatedSpdxElement"])
    expect({e for e in elements if e.startswith("SPDXRef-Package-")} <= contained, "a package that nothing contains")
    return contained


def check_packages(sbom, root):
    known = {e["licenseId"] for e in sbom["hasExtractedLicensingInfos"]}
    for package in sbom["packages"]:
        name, licence = package["name"], package["licenseDeclared"]
        expect(package["versionInfo"] and package["downloadLocation"] == "NOASSERTION" and package["filesAnalyzed"] is False, name)
        expect((root / "usr/share/doc" / name / "copyright").is_file(), "no copyright of", name)
        expect(re.fullmatch(r"[A-Za-z0-9.-]+( AND [A-Za-z0-9.-]+)*", licence), name, licence)
        expect(set(re.findall(r"LicenseRef-\S+", licence)) <= known, name, "has a licence that is not explained")
    expect("Apache-2.0" == sbom["packages"][0]["licenseDeclared"], "our own licence")
    expect({"libc6", "libcurl4", "libbpf1", "ca-certificates"} <= {p["name"] for p in sbom["packages"]}, "packages")


check, layout_path, root_path = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
globals()["check_" + check](layout_path, root_path)
print("\n".join(wrong))
sys.exit(bool(wrong))
