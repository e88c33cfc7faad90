"""The project's files as the checks see them: lists, includes of each other, and a memory of what passed before."""

import hashlib
import json
import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SKIPPED_FOLDERS = {".git", "build", ".infra", ".infra-fleet", "node_modules", "__pycache__"}
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


def files(*suffixes, under=("",)):
    """Every file with one of the suffixes, sorted, as paths relative to the project's root."""
    found = []
    for folder in under:
        for base, folders, names in os.walk(ROOT / folder):
            folders[:] = [f for f in folders if f not in SKIPPED_FOLDERS]
            found += [Path(base, n).relative_to(ROOT) for n in names if n.endswith(suffixes)]
    return sorted(set(found))


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def resolve(include):
    """The project's file that an include in quotes names, or None."""
    for folder in ("src", "tests"):
        if (ROOT / folder / include).is_file():
            return Path(folder, include)
    return None


def closure(path, seen=None):
    """The file and every project file that it includes, directly or not."""
    seen = set() if seen is None else seen
    if path not in seen:
        seen.add(path)
        for quoted, _ in INCLUDE.findall(read(path)):
            target = resolve(quoted)
            if target is not None:
                closure(target, seen)
    return seen


def fingerprint(path, *more):
    """Changes whenever the file, something it includes, or one of `more` (text) does."""
    digest = hashlib.sha256()
    for part in sorted(closure(path)):
        digest.update(f"{part}\0{read(part)}\0".encode())
    for text in more:
        digest.update(f"{text}\0".encode())
    return digest.hexdigest()


class Memory:
    """Which files passed a check in the state they are in now; kept in build/, so that only changed ones are checked again."""

    def __init__(self, name):
        self.path = ROOT / "build" / "checked" / f"{name}.json"
        try:
            self.passed = json.loads(self.path.read_text())
        except (OSError, ValueError):
            self.passed = {}

    def knows(self, path, print_of_file):
        return self.passed.get(str(path)) == print_of_file

    def add(self, path, print_of_file):
        self.passed[str(path)] = print_of_file

    def save(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        written = self.path.with_suffix(".new")
        written.write_text(json.dumps(self.passed, indent=0, sort_keys=True))
        written.replace(self.path)
