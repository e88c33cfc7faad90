"""Which tests `./dev test ROOM…` and `./dev test --changed` run, out of build/<preset>/tests.txt, which CMake writes.

Prints three lines: the tests' names as ctest's -R takes them, the targets to build, what the tests need.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from check_includes import dependants, is_within, read_table, room_of
from sources import ROOT, closure

ALL_ROOMS = ("CMakeLists.txt", "CMakePresets.json", "src/CMakeLists.txt", "src/pch.h", "src/pch.cc", "tests/CMakeLists.txt")
RUNTIMES_TESTED_IN = ("runtimes", "sandbox", "worker")


class Test(NamedTuple):
    name: str
    labels: set
    sources: set
    targets: set
    needs: set


def read_tests(text):
    tests = []
    for line in text.splitlines():
        name, *fields = line.split(" ")
        tests.append(Test(name, **{key: set(filter(None, value.split(",")))
                                   for key, _, value in (field.partition("=") for field in fields)}))
    return tests


def labelled(tests, word):
    """A folder's name covers what lies in it."""
    return [test for test in tests if any(is_within(label, word) for label in test.labels)]


def of_rooms(tests, words, table):
    known = sorted(set(table).union(*(test.labels for test in tests)))
    unknown = [word for word in words if not any(is_within(name, word) for name in known)]
    if unknown:
        raise SystemExit(f"no such room: {', '.join(unknown)} (there are {', '.join(known)}; a folder of rooms covers all in it).")
    without = [word for word in words if not labelled(tests, word)]
    if without:
        raise SystemExit(f"no tests of their own have: {', '.join(without)}.")
    return [test for word in words for test in labelled(tests, word)]


def of_changes(tests, paths, table):
    """What stands on a changed room, and what a changed file of the tests belongs to. What tests the whole program is chosen by its
    own files alone: it stands on everything."""
    rooms, chosen = set(), []
    for path in paths:
        if str(path) in ALL_ROOMS:
            rooms |= set(table)
        elif path.parts[0] == "src":
            rooms |= {room_of(path, table)} & set(table)
        elif path.parts[0] == "tests":
            chosen += of_test_file(tests, path)
        elif path.parts[0] in ("runtimes", "tools", "packaging"):
            words = RUNTIMES_TESTED_IN if path.parts[0] == "runtimes" else path.parts[:1]
            chosen += [test for word in words for test in labelled(tests, word)]
    touched = dependants(table, rooms)
    return chosen + [test for test in tests if test.labels & touched]


def of_test_file(tests, path):
    """A program of tests has its sources, with all that they include; a helper of others belongs to all that lie beside it."""
    twin = path.with_suffix(".h")  # of a .cc file that several programs are linked with
    using = [test for test in tests if any({path, twin} & includes(Path(source)) for source in test.sources)]
    return using or [test for test in tests if any(Path(source).parent == path.parent for source in test.sources)]


def includes(source):
    if not (ROOT / source).is_file():
        return {source}
    return closure(source) if source.suffix == ".cc" else {source}


def git(*words):
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


def changed_files():
    """Against what the branch was made from: where its upstream is known from there on, else from the last commit on."""
    base = git("merge-base", "HEAD", "@{upstream}") or "HEAD"
    changed, untracked = git("diff", "--name-only", "--no-renames", "-z", base.strip()), git("ls-files", "--others", "--exclude-standard", "-z")
    if changed is None or untracked is None:
        raise SystemExit("--changed asks git, which knows of no commit here.")
    return sorted(map(Path, filter(None, (changed + untracked).split("\0"))))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", type=Path, required=True, help="build/<preset>/tests.txt")
    parser.add_argument("--changed", action="store_true")
    parser.add_argument("rooms", nargs="*")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    tests, table = read_tests(arguments.tests.read_text()), read_table()
    chosen = of_rooms(tests, arguments.rooms, table)
    if arguments.changed:
        chosen += of_changes(tests, changed_files(), table)
    names = sorted({re.escape(test.name) for test in chosen})
    print(f"^({'|'.join(names)})$" if names else "")
    for what in ("targets", "needs"):
        print(*sorted(set().union(*(getattr(test, what) for test in chosen))))


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
