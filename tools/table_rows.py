"""Rows of the sources' tables. A table is an array of aggregates whose members are named: `{.name = "PORT", .fallback = "8080"}`.
Strings, lists of strings and enumerators are read; what only the compiler understands is passed over."""

import re

from sources import read

ROW = re.compile(r"\{\.name = ")
STRING = r'"(?:[^"\\]|\\.)*"'
MEMBER = re.compile(rf"\.(\w+) = (?:((?:{STRING}\s*)+)|\{{((?:{STRING},?\s*)+)\}}|\w+::(\w+)[,}}])")


def text_of(literals):
    """Adjacent literals are one string."""
    return "".join(re.sub(r"\\(.)", r"\1", part[1:-1]) for part in re.findall(STRING, literals))


def rows(path):
    """Each row as a dict, in the table's order."""
    source = read(path)
    starts = [match.start() for match in ROW.finditer(source)]
    ends = [*starts[1:], source.find("\n});", starts[-1])] if starts else []
    return [row(source[start:end]) for start, end in zip(starts, ends)]


def row(source):
    found = {}
    for name, text, texts, enumerator in MEMBER.findall(source):
        found[name] = text_of(text) if text else re.findall(r'"([^"]*)"', texts) if texts else enumerator
    return found
