#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: families.py PAGE [--all] [--without FAMILY]…

Holds a page of metrics in the text format (a file, or - for standard input) against deploy/metrics.md: what the page has must stand
there, with that type and exactly those labels, and each of the warden's own families that stands there must be on the page, but for
those given as --without. A driver's counter in Spiderpool's form needs not stand there; --all: it does, and all of these must be on the
page. Prints what is wrong, and ends with 1.
"""
import argparse
import os
import re
import sys

sys.dont_write_bytecode = True
import contract  # noqa: E402

DOCUMENT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../deploy/metrics.md")
SAMPLE = re.compile(r'([a-zA-Z_:][\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? \S+')
LABEL = re.compile(r'(\w+)="(?:[^"\\]|\\.)*"')


def on_page(text):
    """Types by family, and (name, labels) of each sample."""
    types, samples = {}, []
    for line in text.splitlines():
        words = line.split()
        if line.startswith("# TYPE "):
            types[words[2]] = words[3]
        elif line and not line.startswith("#"):
            match = SAMPLE.match(line)
            if not match:
                raise SystemExit(f"not a sample: {line}")
            samples.append((match.group(1), frozenset(LABEL.findall(match.group(2) or ""))))
    return types, samples


def driver_counter(name, families):
    """One of a driver's own, that follows Spiderpool's form: as any of those that stand in the document, or None."""
    if re.fullmatch(r"rdma_(?!warden_)[a-z0-9_]+_total", name):
        return families["rdma_out_of_sequence_total"]
    return None


def wrong_samples(samples, types, families, every):
    known = contract.series(families)
    for name, labels in sorted(set(samples), key=str):
        family = known.get(name) or (None if every else driver_counter(name, families))
        if not family:
            yield f"{name} does not stand in metrics.md"
            continue
        if name in known and types.get(family.name) != family.kind:
            yield f"{family.name} is a {types.get(family.name)}, not a {family.kind}"
        wanted = family.labels | ({"le"} if name.endswith("_bucket") else set())
        if labels != wanted:
            yield f"{name} has labels {sorted(labels - wanted)} too many and {sorted(wanted - labels)} too few"


def wrong(text, every=False, without=()):
    """What is wrong with the page, a line each."""
    families = contract.read(DOCUMENT)
    types, samples = on_page(text)
    found, names = list(wrong_samples(samples, types, families, every)), {name for name, _ in samples}
    for name in without:
        if name not in families:
            found.append(f"--without {name}: there is no such family")
        elif names & set(families[name].series()):
            found.append(f"--without {name}: it is on the page")
    for family in families.values():
        if family.name not in without and not names & set(family.series()) and (every or not family.spiderpools):
            found.append(f"{family.name} is not on the page")
    return found


def main():
    parser = argparse.ArgumentParser(usage=__doc__.partition("\n")[0].removeprefix("usage: "))
    parser.add_argument("page")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--without", action="append", default=[])
    arguments = parser.parse_args()
    with sys.stdin if arguments.page == "-" else open(arguments.page, encoding="utf-8") as file:
        found = wrong(file.read(), arguments.all, arguments.without)
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
