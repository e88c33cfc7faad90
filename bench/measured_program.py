"""Makes the end-to-end harness drive the program that a benchmark measures."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def drive(program):
    """Before the harness is imported: it looks for its program, and at the arguments, when it is."""
    os.environ["INFRA_BIN"] = str(Path(program).resolve())
    sys.path.insert(0, str(ROOT / "tests" / "e2e"))
    sys.argv = sys.argv[:1]
