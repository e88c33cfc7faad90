"""What every file owes its reader: a bounded length, words at the top, locks that say what they guard; that scripts parse, and what their
linters say."""

import re
import subprocess
from pathlib import Path

from sources import INCLUDE, ROOT, files, line_of, read

MAX_LINES = 500
NO_SUFFIX = tuple(map(Path, ("dev", ".ci/run", "packaging/container-entry", "packaging/debian/postinst", "packaging/debian/prerm",
                             "packaging/debian/postrm")))
FOLDERS = ("src", "tests", "tools", "bench", "runtimes", "packaging")  # an example opens as its reader would write it
OPENING = {".h": "//", ".hpp": "//", ".go": "//", ".cc": "//", ".js": "//", ".mjs": "//", ".ts": "//",
           ".tsx": "//", ".css": "/*", ".py": ('"""', "#", "r\"\"\""), ".sh": "#", ".cmake": "#"}


MUTEX, PRECOMPILED = Path("src/core/mutex.h"), Path("src/pch.h")
STANDARD_LOCK = re.compile(r"std::\w*(?:mutex|_lock|lock_guard|condition_variable\w*|once_flag|call_once)\b"
                           r"|^#include <(?:mutex|shared_mutex|condition_variable)>", re.MULTILINE)
OUR_LOCK = re.compile(r"^\s*(?:mutable |static )*Mutex (\w+);(\s*//.*)?$", re.MULTILINE)


def opens_with_its_header(path, first_line):
    """A .cc file whose first line includes its own header has been introduced there; so has its test."""
    include = INCLUDE.match(first_line)
    own = re.sub(r"_test$", "", path.stem)
    return path.suffix == ".cc" and include and include.group(1) and Path(include.group(1)).stem == own


def wrong_locks(path, text):
    """Locks are those of core/mutex.h, and say what they guard: by INFRA_GUARDED_BY, or in words where that is no member."""
    if path == MUTEX:
        return
    for match in STANDARD_LOCK.finditer(text):
        if path != PRECOMPILED or not match.group().startswith("#"):
            yield f"{path}:{line_of(text, match.start())}: {match.group().strip()}: locks are those of core/mutex.h."
    for match in OUR_LOCK.finditer(text):
        if not match[2] and f"INFRA_GUARDED_BY({match[1]})" not in text:
            yield f"{path}:{line_of(text, match.start())}: nothing is INFRA_GUARDED_BY({match[1]}), and no comment says what it is for."


def check_locks():
    return [complaint for path in files(".h", ".cc", ".hpp", under=("src", "tests", "bench", "runtimes"))
            for complaint in wrong_locks(path, read(path))]


def check_shape():
    complaints = []
    for path in files(*OPENING, under=FOLDERS) + list(NO_SUFFIX):
        lines = read(path).splitlines()
        if len(lines) >= MAX_LINES:
            complaints.append(f"{path}: {len(lines)} lines; split it before it reaches {MAX_LINES}.")
        body = [line for line in lines if not line.startswith("#!") and line != '"use strict";' and line != "'use strict';"]
        first = body[0] if body else ""
        if not first.startswith(OPENING.get(path.suffix, "#")) and not opens_with_its_header(path, first):
            complaints.append(f"{path}: opens without a comment that says why the file exists.")
    return complaints


def complaint_of(path, command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return [f"{path}: {done.stderr.strip()}"] if done.returncode else []


def check_syntax():
    complaints = []
    for path in files(".py"):
        try:
            compile(read(path), str(path), "exec")
        except SyntaxError as error:
            complaints.append(f"{path}:{error.lineno}: {error.msg}")
    for path in files(".js", ".mjs"):
        complaints += complaint_of(path, ["node", "--check", str(path)])
    for path in shell_scripts():
        complaints += complaint_of(path, ["bash", "-n", str(path)])
    return complaints


def shell_scripts():
    return [*NO_SUFFIX, *files(".sh")]


def complaints_of(command):
    """A linter's lines; where it says nothing and yet fails, its error."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    return lines if lines or not done.returncode else [done.stderr.strip()]


def check_python():
    """setup.cfg has pycodestyle's settings; pyflakes has none, so that what is meant to be is marked `# noqa` here, too."""
    sources = list(map(str, files(".py")))
    flaws = [line for line in complaints_of(["pyflakes3", *sources]) if not is_meant(line)]
    return flaws + complaints_of(["pycodestyle", *sources])


def is_meant(complaint):
    found = re.match(r"(\S+?):(\d+):", complaint)
    return bool(found) and "# noqa: " in read(found[1]).splitlines()[int(found[2]) - 1]


def check_shell():
    return complaints_of(["shellcheck", "--format=gcc", *map(str, shell_scripts())])
