"""The configuration variables, out of the table that the program parses by. `./dev` asks for the names that sudo lets through before
anything is built."""

import re
import sys

from table_rows import rows

TABLE = "src/main/config_variables.h"


def variables():
    return [{"role": "machine", **row} for row in rows(TABLE)]


def names(role=None):
    return [row["name"] for row in variables() if role in (None, row["role"])]


def default_of(row):
    """A table's cell: what counts if the variable is not set."""
    if "unset" in row:
        return row["unset"]
    if row["role"] == "fleet_needs":
        return "needed"
    fallback = row.get("fallback", "none")
    cell = fallback if re.fullmatch(r"\w+", fallback) and (fallback.isdecimal() or fallback in ("true", "false", "none")) else f"`{fallback}`"
    return cell + (f", of `infra worker` {row['worker_fallback']}" if "worker_fallback" in row else "")


def documented(*roles):
    """The lines of a Markdown table. Rows that have no words of their own share those of the one above."""
    groups = []
    for row in variables():
        if row["role"] in roles:
            if "about" in row:
                groups.append([])
            groups[-1].append(row)
    lines = ["| variable | meaning | default |", "| --- | --- | --- |"]
    for group in groups:
        named = ", ".join(f"`{row['name']}`" for row in group)
        defaults = ", ".join(dict.fromkeys(default_of(row) for row in group))
        lines.append(f"| {named} | {group[0]['about']} | {defaults} |")
    return lines


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    print(",".join(names("machine")))
