"""What every file owes its reader: a bounded length, words at the top; and that scripts at least parse."""

import re
import subprocess
from pathlib import Path

from sources import INCLUDE, ROOT, files, read

MAX_LINES = 500
SCRIPTS = (Path("dev"), Path(".ci/run"))
FOLDERS = ("src", "tests", "tools", "bench", "runtimes")  # an example opens as its reader would write it
OPENING = {".h": "//", ".hpp": "//", ".go": "//", ".cc": "//", ".js": "//", ".mjs": "//", ".py": ('"""', "#", "r\"\"\"")}


def opens_with_its_header(path, first_line):
    """A .cc file whose first line includes its own header has been introduced there; so has its test."""
    include = INCLUDE.match(first_line)
    own = re.sub(r"_test$", "", path.stem)
    return path.suffix == ".cc" and include and include.group(1) and Path(include.group(1)).stem == own


def check_shape():
    complaints = []
    for path in files(*OPENING, under=FOLDERS) + list(SCRIPTS):
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
    for path in (*SCRIPTS, *files(".sh")):
        complaints += complaint_of(path, ["bash", "-n", str(path)])
    return complaints
