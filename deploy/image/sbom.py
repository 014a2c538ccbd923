# SPDX-License-Identifier: Apache-2.0
"""The list of what is in the image, as SPDX 2.3 (JSON)."""

import hashlib
import json
import re
import subprocess
import time
import uuid

# Names that Debian's copyright files have for licences, as SPDX has them. "+" is "or later" in both kinds below.
SPDX_NAMES = {
    "apache-2.0": "Apache-2.0", "bsd-2-clause": "BSD-2-Clause", "bsd-3-clause": "BSD-3-Clause", "bsd-4-clause": "BSD-4-Clause",
    "curl": "curl", "expat": "MIT", "isc": "ISC", "mit": "MIT", "mpl-2.0": "MPL-2.0", "zlib": "Zlib",
}
GNU = re.compile(r"(A?GPL|LGPL|GFDL)-?(\d)(?:\.(\d))?(\+?)", re.I)


def spdx_name(name):
    """A licence's name as SPDX has it, or None."""
    if known := SPDX_NAMES.get(name.lower()):
        return known
    if gnu := GNU.fullmatch(name):
        kind, major, minor, later = gnu.groups()
        return f"{kind.upper()}-{major}.{minor or 0}-{'or-later' if later else 'only'}"
    return None


def licences(text):
    """The names in a copyright file of Debian's machine-readable form; none of one that is free text."""
    if not re.match(r"Format(-Specification)?:", text):
        return []
    names = set()
    for line in re.findall(r"^License:[ \t]*(\S.*)$", text, re.M):
        names.update(re.split(r",?\s+(?:or|and)\s+|,\s*", line.strip()))
    return sorted(names)


def identifier(text):
    return re.sub(r"[^0-9A-Za-z.-]", "-", text)


class Licences:
    """What packages' copyright files declare, which is that of their whole sources; names that SPDX does not know refer to the copyright file in the image."""

    def __init__(self):
        self.extracted = {}

    def declared(self, package, text):
        parts = []
        for name in licences(text):
            known = spdx_name(name)
            if not known:
                known = "LicenseRef-" + identifier(f"{package}-{name}")
                self.extracted[known] = {
                    "licenseId": known, "name": name,
                    "extractedText": f"See /usr/share/doc/{package}/copyright in the image.",
                }
            parts.append(known)
        return " AND ".join(dict.fromkeys(parts)) or "NOASSERTION"


def versions(packages):
    out = subprocess.run(["dpkg-query", "-W", "-f", "${Package}\t${Version}\t${Architecture}\n", *packages],
                         capture_output=True, text=True, check=True).stdout
    return {name: (version, arch) for name, version, arch in (line.split("\t") for line in out.splitlines())}


def document(root, packages, title, version, license_, epoch):
    found, said = versions(packages), Licences()
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-Package-" + title)]
    listed = [package_of(title, version, "NOASSERTION", license_, f"pkg:oci/{title}@{version}")]
    for name in packages:
        package_version, arch = found[name]
        text = root.entries[f"usr/share/doc/{name}/copyright"][2].decode(errors="replace")
        listed.append(package_of(name, package_version, "Organization: Debian", said.declared(name, text),
                                 f"pkg:deb/debian/{name}@{package_version.replace('+', '%2B')}?arch={arch}"))
        relations.append(("SPDXRef-Package-" + title, "CONTAINS", listed[-1]["SPDXID"]))
    files = []
    for path in sorted(root.package_of):
        data = root.entries[path][2]
        files.append({
            "SPDXID": "SPDXRef-File-" + hashlib.sha256(path.encode()).hexdigest()[:20], "fileName": "./" + path,
            "checksums": [{"algorithm": "SHA1", "checksumValue": hashlib.sha1(data).hexdigest()},
                          {"algorithm": "SHA256", "checksumValue": hashlib.sha256(data).hexdigest()}],
            "licenseConcluded": "NOASSERTION", "licenseInfoInFiles": ["NOASSERTION"], "copyrightText": "NOASSERTION",
        })
        relations.append(("SPDXRef-Package-" + identifier(root.package_of[path]), "CONTAINS", files[-1]["SPDXID"]))
    whole = {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"{title}-{version}",
        "creationInfo": {"created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch)), "creators": [f"Tool: {title}-make-image"]},
        "packages": listed, "files": files,
        "hasExtractedLicensingInfos": [said.extracted[name] for name in sorted(said.extracted)],
        "relationships": [{"spdxElementId": a, "relationshipType": kind, "relatedSpdxElement": b} for a, kind, b in relations],
    }
    # Unique as the standard wants it, and the same for the same content.
    whole["documentNamespace"] = "urn:uuid:" + str(uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(whole, sort_keys=True)))
    return json.dumps(whole, indent=1, sort_keys=True).encode() + b"\n"


def package_of(name, version, supplier, license_, locator):
    return {
        "SPDXID": "SPDXRef-Package-" + identifier(name), "name": name, "versionInfo": version, "supplier": supplier,
        "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "NOASSERTION", "licenseDeclared": license_,
        "copyrightText": "NOASSERTION",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": locator}],
    }
