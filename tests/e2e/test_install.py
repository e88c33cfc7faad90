"""An installed tree, away from its sources: the program finds what belongs to it, and every kind of runner starts."""

import os
import shutil
import tempfile
from pathlib import Path

import harness
from harness import ECHO, PROGRAM, SANITIZED, Case, main

SOURCES = Path(__file__).resolve().parents[2]
TREE = Path(tempfile.mkdtemp(prefix="infra-installed-"))


class Install(Case):
    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(shutil.rmtree, TREE, ignore_errors=True)
        os.chmod(TREE, 0o755)
        for folder in ("bin", "lib/infra", "libexec/infra", "share/infra"):
            (TREE / folder).mkdir(parents=True)
        shutil.copy(PROGRAM, TREE / "bin/infra")
        if not SANITIZED:  # such builds have none: an interpreter can't load their code
            shutil.copy(Path(PROGRAM).parent / "libinfra_zygote.so", TREE / "lib/infra")
        shutil.copy(Path(PROGRAM).parent / "infra-spawner", TREE / "libexec/infra")
        shutil.copytree(Path(PROGRAM).parent / "native", TREE / "libexec/infra/native")
        shutil.copytree(SOURCES / "runtimes", TREE / "share/infra/runtimes")
        harness.Infra.program = str(TREE / "bin/infra")
        cls.addClassCleanup(setattr, harness.Infra, "program", PROGRAM)
        super().setUpClass()

    def test_every_kind_of_runner_starts(self):
        self.assertEqual(self.infra.result(self.infra.deploy(ECHO), 1)["result"], {"echo": 1})
        node = self.infra.deploy("exports.handler = (event) => event + 1;", runtime="nodejs")
        self.assertEqual(self.infra.result(node, 1)["result"], 2)
        plain = self.infra.deploy({"main.cpp": '#include <cstdio>\nint main() { std::puts("plain"); }\n'}, runtime="cpp")
        self.assertEqual(self.infra.result(plain)["stdout"], "plain\n")
        for example, runtime in (("hello-cpp", "cpp"), ("hello-go", "go")):
            files = {file.name: file.read_bytes() for file in (SOURCES / "examples" / example).iterdir()}
            result = self.infra.result(self.infra.deploy(files, runtime=runtime), {"name": "Ada"})
            self.assertEqual(result["status"], "SUCCESS", result)
            self.assertIn("greeting", result["result"])


if __name__ == "__main__":
    main()
