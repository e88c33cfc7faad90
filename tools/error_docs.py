"""docs/errors.md out of the tables of error codes: `./dev docs` writes it, `./dev check docs` holds it against them."""

import re

from sources import ROOT, files, line_of, read

PAGE = "docs/errors.md"
TABLE, OPERATORS = "src/core/error_codes.h", "src/core/operator_error_codes.h"
STATUSES = "src/http/error_response.cc"
TEXT = r'(?:"(?:[^"\\]|\\.)*"\s*)+'
ROW = re.compile(rf"inline constexpr ErrorEntry (\w+)\{{\s*({TEXT}),\s*ErrorKind::(\w+),\s*((?:k\w+[\s|]*)*),?\s*({TEXT})(?:,\s*({TEXT}))?\}};"
                 r"|^// (.*)\.$", re.MULTILINE)
RESULTS = {"kFailed": "result FAILED", "kTimedOut": "result TIMEOUT", "kError": "result ERROR"}
COMPARED_AS_TEXT = re.compile(r'(?:\.|->|error_)code\s*[!=]=\s*"')

OPENING = """# Error codes

Written by `./dev docs` from `core/error_codes.h`; change that table, not this page.

An answer that is an error is `{"error": "…", "code": "…", "requestId": "…"}`: `error` is a sentence for people, which may change, and `code`
is for programs and stays. A run that was no success has the same two members in its result, whose status then is FAILED (the function's
own fault) or TIMEOUT, with HTTP 200, or ERROR (the platform's fault), with HTTP 500. 429 and most of 503 carry `Retry-After`.
"""

FOR_OPERATORS = """
## In the log alone

No client meets these: they stand in the log, in the last words of a program that can't start, or between two of its parts. Beside them, AWS'
own names can be a code there, such as `ResourceNotFoundException`.
"""


def text_of(literals):
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literals)).replace('\\"', '"')


def rows(path):
    """(section, name, code, kind, places, when, remedy) of each row, in order."""
    section = None
    for name, code, kind, places, when, remedy, heading in ROW.findall(read(path).partition("namespace infra::errors {")[2]):
        if heading:
            section = heading
        else:
            yield section, name, text_of(code), kind, re.findall(r"k\w+", places), text_of(when), text_of(remedy)


def statuses():
    return dict(re.findall(r"case ErrorKind::(\w+):\s*return (\d+);", read(STATUSES)))


def met_as(places, status):
    met = [status] if "kAnswer" in places else []
    return ", ".join(met + [words for place, words in RESULTS.items() if place in places])


def page():
    status = statuses()
    text, current = OPENING, None
    for section, _, code, kind, places, when, remedy in rows(TABLE):
        if section != current:
            text += f"\n## {section}\n\n| code | met as | when | what to do |\n| --- | --- | --- | --- |\n"
            current = section
        text += f"| `{code}` | {met_as(places, status[kind])} | {when} | {remedy} |\n"
    text += FOR_OPERATORS + "\n| code | what it is |\n| --- | --- |\n"
    for _, _, code, _, _, when, _ in rows(OPERATORS):
        text += f"| `{code}` | {when} |\n"
    return text


def check():
    complaints, known, sources = [], {}, files(".h", ".cc", under=("src",))
    used = "\n".join(read(path) for path in sources if str(path) not in (TABLE, OPERATORS) and not path.name.endswith("_test.cc"))
    for table in (TABLE, OPERATORS):
        declared = read(table).count("inline constexpr ErrorEntry")
        found = list(rows(table))
        if declared != len(found):
            complaints.append(f"{table}: {declared} rows, of which tools/error_docs.py can read {len(found)}.")
        for _, name, code, _, places, _, remedy in found:
            if name != code or known.setdefault(code, table) != table:
                complaints.append(f"{table}: {name} must be the row's code, and in one table.")
            if (table == TABLE) != bool(places and remedy):
                complaints.append(f"{table}: {name} must say where clients meet it and what to do, in {TABLE} alone.")
            if not re.search(rf"\berrors::{name}\b", used):
                complaints.append(f"{table}: nothing raises {name}; remove its row.")
    for path in sources:
        if path.name.endswith("_test.cc") or path.name.startswith("test_"):
            continue
        text = read(path)
        for match in COMPARED_AS_TEXT.finditer(text):
            complaints.append(f"{path}:{line_of(text, match.start())}: compare an error's code with a row (errors::…), not with a text.")
    if not (ROOT / PAGE).exists() or read(PAGE) != page():
        complaints.append(f"{PAGE} is not what {TABLE} says; `./dev docs` writes it anew.")
    return complaints


if __name__ == "__main__":
    (ROOT / PAGE).write_text(page(), encoding="utf-8")
