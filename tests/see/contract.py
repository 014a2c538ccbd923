# SPDX-License-Identifier: Apache-2.0
"""deploy/metrics.md as a table, and the names and labels that a query of Prometheus uses."""
import re

ROW = re.compile(r"^\| `([a-z0-9_]+)` \| (counter|gauge|histogram) \|\s*([^|]*?)\s*\| ([^|]+) \|")
OF_THE_SCRAPE = {"job", "instance", "__name__", "le"}


class Family:
    def __init__(self, name, kind, labels, chapter):
        self.name, self.kind, self.labels, self.chapter = name, kind, labels, chapter
        self.spiderpools = chapter == "Spiderpool's names"

    def series(self):
        """The names of its series on the wire."""
        if self.kind == "histogram":
            return [self.name + end for end in ("_bucket", "_sum", "_count")]
        return [self.name]


def legends_of(text):
    """The shared labels by their letter. A letter that stands in another one's text means all of that one's."""
    found = {}
    for letter, words in re.findall(r"^- \*\*(\S+)\*\*: (.*?)(?=^- |^$)", text, re.M | re.S):
        labels = re.findall(r"`([a-z_]+)`", words.split(".")[0])
        for other in re.findall(r"those of (\S+?),", words):
            labels = found[other] + labels
        found[letter] = labels
    return found


def read(path):
    """Families by name; a ValueError says what is wrong with the table."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    legends, families, chapter = legends_of(text), {}, ""
    for line in text.splitlines():
        if line.startswith("## "):
            chapter = line[3:]
        row = ROW.match(line)
        if not row:
            if line.startswith("| `"):
                raise ValueError(f"not a row of a family: {line}")
            continue
        name, kind, words, _ = row.groups()
        if name in families:
            raise ValueError(f"{name} stands there twice")
        labels = []
        for word in filter(None, (w.strip() for w in words.split(","))):
            labels += legends.get(word, [word])
        families[name] = Family(name, kind, set(labels), chapter)
    return families


def series(families):
    """Each name on the wire with its family."""
    return {name: family for family in families.values() for name in family.series()}


def selectors(query):
    """(name, labels) of each metric in a query: its name, and the labels that its braces match by."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', query)
    # Labels after by, on and the like are none; a name is followed by no parenthesis, or it would be a function.
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", r"\1", bare)
    found = []
    for match in re.finditer(r"(?<![\w:$])((?:[a-z]\w*:)?[a-z_][\w:]*)\s*(\{[^}]*\})?(?!\s*\(|[\w:])", bare):
        name, braces = match.groups()
        if "_" in name or ":" in name or braces or name == "up":
            found.append((name, re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", braces or "")))
    return [(name, labels) for name, labels in found if name not in ("group_left", "group_right")]
