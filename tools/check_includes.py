"""Who may include whom: holds src/ against the table in docs/architecture.md."""

import re
from pathlib import Path

from sources import INCLUDE, files, line_of, read, resolve

TABLE = re.compile(r"<!-- include-table:begin -->(.*?)<!-- include-table:end -->", re.DOTALL)
ROW = re.compile(r"^\|\s*(`.*?`)\s*\|\s*(.*?)\s*\|\s*(.*?)\s*\|", re.MULTILINE)
NAME = re.compile(r"`([\w/]+)`")
IN_TESTS = "in tests also "

# Libraries that stay behind our own interfaces: prefix of the include -> where it may stand (a room with those in it, or one file).
FENCED = {
    "boost/beast": {"net", "src/pch.cc"},
    "boost/asio": {"net", "adapters", "src/core/task.h", "src/pch.h", "src/pch.cc"},
    "curl/": {"net"},
    "hiredis": {"net"},
    "sqlite3.h": {"adapters"},
    "zip.h": {"adapters"},
    "prometheus/": {"telemetry"},
    "toml++/": {"cli"},
    "seccomp.h": {"sandbox/inside", "sandbox/system", "sandbox/confinement"},
}


def read_table():
    """{room: (rooms named in its row, rooms that its tests may include beside)}; None for a room that may include everything."""
    found = TABLE.search(read("docs/architecture.md"))
    if not found:
        raise SystemExit("docs/architecture.md has no include table between its two markers.")
    table = {}
    for rooms, cell, note in ROW.findall(found.group(1)):
        in_tests = note.partition(IN_TESTS)[2]
        for room in NAME.findall(rooms):
            table[room] = None if cell == "everything" else (set(NAME.findall(cell)), set(NAME.findall(in_tests)))
    return table


def beneath(table, room):
    """Every room that this one stands on, directly or not."""
    seen, left = set(), [room]
    while left:
        named = table[left[-1]][0] if table[left[-1]] else set()
        for other in sorted(named):
            if other not in table:
                raise SystemExit(f"docs/architecture.md: the row of `{left[-1]}` names `{other}`, which has no row.")
        left = left[:-1] + sorted(named - seen)
        seen |= named
    return seen


def reachable(table):
    """{room: every room it may include}, itself among them. Through other rooms only whole ones are reached: one in a folder of
    rooms (`net/http`) is included where a row names it."""
    def allowed(room):
        if table[room] is None:
            return set(table)
        return {other for other in beneath(table, room) if "/" not in other or other in table[room][0]} | {room}

    return {room: allowed(room) for room in table}


def dependants(table, rooms):
    """`rooms`, and those that stand on one of them, with what their tests may include beside."""
    def stands_on(room):
        if table[room] is None:
            return set(table)
        direct = table[room][0] | table[room][1]
        return {room, *direct}.union(*(beneath(table, other) for other in direct))

    return {room for room in table if stands_on(room) & set(rooms)}


def is_test(path):
    """Tests may drive the code with whatever library it takes; the rooms hold for them, with what their row adds."""
    return path.name.endswith("_test.cc") or path.name.startswith("test_")


def room_of(path, table):
    """The innermost folder that has a row; else the folder below src that lacks one. src/pch.h is nobody's."""
    folders = path.parts[1:-1]
    names = ["/".join(folders[:depth]) for depth in range(len(folders), 0, -1)]
    return next((name for name in names if name in table), names[-1] if names else None)


def is_within(room, place):
    return room == place or (room is not None and room.startswith(place + "/"))


def complaints_of(path, table, allowed):
    text, room = read(path), room_of(path, table)
    if room is not None and room not in table:
        yield f"{path}: its folder has no row in the include table."
        return
    may_include = allowed.get(room, set())
    if is_test(path) and table.get(room):
        may_include = may_include | table[room][1]
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
            elif room is not None and (other := room_of(target, table)) is not None and other not in may_include:
                yield f'{where}: {room} may not include "{quoted}" (see the table in docs/architecture.md).'
        elif not is_test(path):
            for prefix, places in FENCED.items():
                if library.startswith(prefix) and str(path) not in places and not any(is_within(room, place) for place in places):
                    yield f"{where}: <{library}> may only be included in {', '.join(sorted(places))}."


LINKED_ROOM = re.compile(r"(?:infra|sandbox)_room\((\w+)(.*?)\)", re.DOTALL)


def link_complaints(table, allowed):
    """A room's target may link those of the rooms that it may include."""
    rooms = {"infra_" + room.replace("/", "_"): room for room in table}
    for path in sorted(Path("src").rglob("CMakeLists.txt")):
        for name, body in LINKED_ROOM.findall(read(path)):
            room = rooms.get(f"infra_{name}")
            if room is None:
                yield f"{path}: {name} is named after no room of the include table."
                continue
            linked = re.findall(r"\binfra_\w+", body.partition(" TEST_LINK ")[0].partition(" LINK ")[2])
            for target in linked:
                if target in rooms and rooms[target] not in allowed[room]:
                    yield f"{path}: {name} may not link {target} (see the table in docs/architecture.md)."


def check():
    table = read_table()
    allowed = reachable(table)
    unused = [f"docs/architecture.md: `{room}` is in the include table, but src/{room} is no folder."
              for room in table if not Path("src", room).is_dir()]
    return unused + list(link_complaints(table, allowed)) + [c for path in files(".h", ".cc", under=("src",)) for c in complaints_of(path, table, allowed)]
