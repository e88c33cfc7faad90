"""The real program as a client: a folder and a home of its own for each test class, and what it said."""

import json
import os
import shutil
import subprocess
import tempfile

from harness import API_KEY, PATIENCE, PROGRAM, Case

OK, FUNCTION_FAILED, USAGE, REFUSED, PLATFORM_FAILED, UNREACHABLE = range(6)  # src/cli/failure.h


class Said:
    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"<{self.status}\nstdout: {self.out}\nstderr: {self.err}>"


def infra(folder, *words, stdin="", env=None, timeout=PATIENCE):
    """Runs the program in `folder`, which is its home as well, with nothing else in its environment."""
    clean = {"PATH": os.environ["PATH"], "HOME": folder, **(env or {})}
    return Said(subprocess.run([PROGRAM, *words], cwd=folder, env=clean, input=stdin, capture_output=True, text=True, timeout=timeout))


class CliCase(Case):
    """Beside a running platform. `self.cli(...)` knows where it is and its key."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp(prefix="infra-cli-")
        cls.url = f"http://127.0.0.1:{cls.infra.port}"

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)
        super().tearDownClass()

    def cli(self, *words, stdin="", **env):
        return infra(self.folder, *words, stdin=stdin, env={"INFRA_URL": self.url, "INFRA_API_KEY": API_KEY, **env})

    def good(self, *words, **more):
        said = self.cli(*words, **more)
        self.assertEqual(said.status, OK, said)
        return said

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
