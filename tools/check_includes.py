"""Who may include whom: holds src/ against the table in docs/architecture.md."""

import re
from pathlib import Path

from sources import INCLUDE, files, line_of, read, resolve

TABLE = re.compile(r"<!-- include-table:begin -->(.*?)<!-- include-table:end -->", re.DOTALL)
ROW = re.compile(r"^\|\s*`(\w+)`\s*\|\s*(.*?)\s*\|", re.MULTILINE)

# A room that may only be included where the table's row names it, never through a chain.
NOT_THROUGH_OTHERS = {"net"}

# Libraries that stay behind our own interfaces: prefix of the include -> where it may stand (a room, or one file).
FENCED = {
    "boost/beast": {"net", "src/pch.cc"},
    "boost/asio": {"net", "adapters", "src/core/task.h", "src/pch.h", "src/pch.cc"},
    "curl/": {"net"},
    "hiredis": {"net"},
    "sqlite3.h": {"adapters"},
    "zip.h": {"adapters"},
    "prometheus/": {"telemetry"},
    "spdlog/": {"telemetry"},
    "CLI/": {"main", "cli"},
    "seccomp.h": {"worker"},
}


def read_table():
    """{room: rooms named in its row}; the row of a room that may include everything says `everything`."""
    found = TABLE.search(read("docs/architecture.md"))
    if not found:
        raise SystemExit("docs/architecture.md has no include table between its two markers.")
    return {room: set(re.findall(r"`(\w+)`", cell)) or ({"everything"} if cell == "everything" else set())
            for room, cell in ROW.findall(found.group(1))}


def reachable(table):
    """{room: every room it may include}, itself among them."""
    def walk(room, seen):
        for other in table[room] - seen:
            if other not in table:
                raise SystemExit(f"docs/architecture.md: the row of `{room}` names `{other}`, which has no row.")
            seen.add(other)
            walk(other, seen)
        return seen

    allowed = {}
    for room, named in table.items():
        if named == {"everything"}:
            allowed[room] = set(table)
        else:
            seen = walk(room, set())
            allowed[room] = {r for r in seen if r not in NOT_THROUGH_OTHERS or r in named} | {room}
    return allowed


def is_test(path):
    """Tests may drive the code with whatever it takes; the rooms hold for them as for others."""
    return path.name.endswith("_test.cc") or path.name.startswith("test_")


def own_room(path):
    return path.parts[1] if len(path.parts) > 2 else None  # src/pch.h is nobody's


def complaints_of(path, table, allowed):
    text, room = read(path), own_room(path)
    if room is not None and room not in table:
        yield f"{path}: the folder {room} has no row in the include table."
        return
    for match in INCLUDE.finditer(text):
        quoted, library = match.groups()
        where = f"{path}:{line_of(text, match.start())}"
        if quoted is not None:
            target = resolve(quoted)
            if target is None:
                yield f'{where}: "{quoted}" is no file; an include names its path below src/.'
            elif target.parts[0] == "tests":
                if not is_test(path):
                    yield f'{where}: only tests may include "{quoted}".'
            elif room is not None and own_room(target) is not None and own_room(target) not in allowed[room]:
                yield f'{where}: {room} may not include "{quoted}" (see the table in docs/architecture.md).'
        elif not is_test(path):
            for prefix, places in FENCED.items():
                if library.startswith(prefix) and room not in places and str(path) not in places:
                    yield f"{where}: <{library}> may only be included in {', '.join(sorted(places))}."


def check():
    table = read_table()
    allowed = reachable(table)
    unused = [f"docs/architecture.md: `{room}` is in the include table, but src/{room} is no folder."
              for room in table if room != "cli" and not Path("src", room).is_dir()]
    return unused + [c for path in files(".h", ".cc", under=("src",)) for c in complaints_of(path, table, allowed)]
