"""What both languages' builds need: where they work, how a compiler is found and run, and how a build says that it failed."""

import os
import shutil
import subprocess
import tempfile

RUNTIMES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TEMPORARY = os.environ.get("TMPDIR", "/tmp")
TARGET = os.path.join(TEMPORARY, "build")
PROGRAM = os.path.join(TARGET, "main")
MAX_WORDS = 64 * 1024  # of a compiler; the worker keeps less
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": TEMPORARY, "TMPDIR": TEMPORARY}


class NotBuilt(Exception):
    """Its one argument is the answer, a dict."""


def failed(words, note=""):
    """`note` is ours: what the compiler can't know."""
    return NotBuilt({"failed": words, "note": note} if note else {"failed": words})


def find(*names):
    for name in names:
        path = shutil.which(name, path=ENVIRONMENT["PATH"])
        if path:
            return path
    raise NotBuilt({"missing": names[0]})


def run(command, env=None, cwd=None):
    """What the command said; NotBuilt with it if it failed."""
    with tempfile.TemporaryFile(dir=TARGET) as words:
        status = subprocess.run(command, env={**ENVIRONMENT, **(env or {})}, stdin=subprocess.DEVNULL, stdout=words,
                                stderr=words, cwd=cwd, check=False).returncode
        words.seek(0)
        said = words.read(MAX_WORDS).decode("utf-8", "replace")
    if status != 0:
        raise failed(said or f"{os.path.basename(command[0])} ended with status {status}.")
    return said
