"""What the documents take from the sources' tables, word for word: `./dev docs` writes it, `./dev check docs` compares.

A block stands in its page between `<!-- NAME:begin -->` and `<!-- NAME:end -->`.
"""

import re
import sys
from pathlib import Path

import limit_docs
import variables
from sources import ROOT, files, line_of, read
from table_rows import rows

README, OPERATIONS = Path("README.md"), Path("docs/operations.md")
METRICS = "src/telemetry/metric_table.h"


def documented_metrics():
    lines = ["| metric | kind | labels | what it tells |", "| --- | --- | --- | --- |"]
    for row in rows(METRICS):
        about = f" ({row['about']})" if "about" in row else ""
        lines.append(f"| `{row['name']}` | {row['kind']} | {', '.join(row.get('labels', []))} | {row['help'].rstrip('.')}{about} |")
    return lines


BLOCKS = {
    (README, "variables"): lambda: variables.documented("machine"),
    (OPERATIONS, "metrics"): documented_metrics,
    (Path("docs/how-to/limits.md"), "limits"): limit_docs.documented,
    (README, "fleet-variables"): lambda: variables.documented("fleet_needs", "fleet_chooses", "fleet", "worker", "elsewhere"),
}
# Those of the build, the tests, a function's environment and the command line are named in documents, too.
NOT_THE_PROGRAMS = {"INFRA_CA_FILE", "INFRA_COMMIT", "INFRA_HANDLER", "INFRA_PROFILE", "INFRA_URL"}
OURS = re.compile(r"\bINFRA_[A-Z][A-Z_]*[A-Z]\b")
SETTING = re.compile(r"^#?(\w+)=(.*)$", re.MULTILINE)
CREDENTIAL = re.compile(r'\(variables, "(AWS_\w+)"')


def block(name, lines):
    return "\n".join((f"<!-- {name}:begin -->", "", *lines, "", f"<!-- {name}:end -->"))


def place(name):
    return re.compile(rf"<!-- {name}:begin -->.*?<!-- {name}:end -->", re.DOTALL)


def wrong_blocks():
    for (page, name), lines in BLOCKS.items():
        found = place(name).search(read(page))
        if found is None:
            yield f"{page}: there is no block <!-- {name}:begin --> … <!-- {name}:end -->."
        elif found.group() != block(name, lines()):
            yield f"{page}: the block {name} is not what its table in the sources says; `./dev docs` writes it."


def unknown_variables():
    """Names of ours that no table has; and in the service's files, defaults that are none."""
    known = {row["name"]: row for row in variables.variables()}
    for page in files(".md", ".env", under=("docs", "packaging")) + [README, Path("CONTRIBUTING.md"), Path("SECURITY.md")]:
        text = read(page)
        for match in OURS.finditer(text):
            if match.group() not in known and match.group() not in NOT_THE_PROGRAMS:
                yield f"{page}:{line_of(text, match.start())}: {variables.TABLE} has no {match.group()}."
        for match in SETTING.finditer(text) if page.suffix == ".env" else ():
            name, value = match.groups()
            at = f"{page}:{line_of(text, match.start())}"
            fallback = known.get(name, {}).get("worker_fallback" if page.stem == "worker" else "fallback") or \
                known.get(name, {}).get("fallback", "")
            if name not in known:
                yield f"{at}: {variables.TABLE} has no {name}."
            elif match.group().startswith("#") and value != fallback:
                yield f"{at}: {name} is shown with {value or 'nothing'}, and its default is {fallback or 'nothing'}."


def credentials_beside_the_table():
    known = variables.names("elsewhere")
    for path in files(".cc", under=("src/adapters/aws",)):
        for name in CREDENTIAL.findall(read(path)):
            if name not in known and not path.stem.endswith("_test"):
                yield f"{path}: reads {name}, which {variables.TABLE} does not have."


def check():
    return [*wrong_blocks(), *unknown_variables(), *credentials_beside_the_table()]


def write():
    for (page, name), lines in BLOCKS.items():
        text = place(name).sub(lambda _: block(name, lines()), read(page))
        (ROOT / page).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    write()
