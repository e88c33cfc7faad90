"""The dashboard's sources: their types hold, and nothing in them makes markup, code or an address of text, or keeps what may be secret."""

import re
import subprocess
from pathlib import Path

from sources import ROOT, files, line_of, read

COMPILER = Path("build/web/node_modules/typescript/bin/tsc")
FORBIDDEN = {
    re.compile(r"dangerouslySetInnerHTML|\.(?:inner|outer)HTML\b|insertAdjacentHTML|createContextualFragment|DOMParser|document\.write"):
        "makes markup of text",
    re.compile(r"\beval\(|new Function\(|javascript:"): "makes code of text",
    re.compile(r"\blocalStorage\b|document\.cookie|\bindexedDB\b"): "keeps things past the tab's end",
    re.compile(r"https?://(?!127\.0\.0\.1)"): "names another host",
    re.compile(r"\bstyle=\"|\bstyle='"): "is a style in markup, which the page's policy refuses: a class, or style={{…}}",
}


def node_program():
    own = sorted((ROOT / "build/web/node_modules").glob("node-linux-*/bin/node"))
    return str(own[0]) if own else "/usr/bin/node"


def check():
    complaints = []
    for path in files(".ts", ".tsx", under=("src/web",)):
        text = read(path)
        for pattern, why in FORBIDDEN.items():
            complaints += [f"{path}:{line_of(text, found.start())}: {found[0]} {why}." for found in pattern.finditer(text)]
    if not (ROOT / COMPILER).exists():
        return [*complaints, f"{COMPILER} is not there: `./dev check` installs it."]
    done = subprocess.run([node_program(), COMPILER, "-p", "src/web"], cwd=ROOT, capture_output=True, text=True)
    return complaints + (done.stdout + done.stderr).splitlines() if done.returncode else complaints
