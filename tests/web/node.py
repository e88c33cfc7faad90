"""Where the dashboard's tests and their Node.js are, as `./dev` installs them in build/web."""

import glob
import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent.parent / "build" / "web"


def node_program():
    """The pinned Node.js where it was installed because the machine's own is too old."""
    own = glob.glob(str(FOLDER / "node_modules" / "node-linux-*" / "bin" / "node"))
    return own[0] if own else "/usr/bin/node"


def environment(url, key):
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "INFRA_WEB_TESTS": str(FOLDER), "INFRA_URL": url,
            "INFRA_API_KEY": key}
