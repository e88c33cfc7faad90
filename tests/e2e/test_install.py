"""An installed tree, away from its sources: the program finds what belongs to it, every kind of runner starts, and who started it
as a service is told when."""

import gzip
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import harness
from harness import ECHO, PATIENCE, PROGRAM, Case, Infra, bundle, main

TREE = Path(tempfile.mkdtemp(prefix="infra-installed-"))
EXAMPLES = TREE / "share/infra/examples"


class Install(Case):
    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(shutil.rmtree, TREE, ignore_errors=True)
        os.chmod(TREE, 0o755)
        subprocess.run(["cmake", "--install", Path(PROGRAM).parent, "--prefix", TREE], stdout=subprocess.DEVNULL, check=True)
        harness.Infra.program = str(TREE / "bin/infra")
        cls.addClassCleanup(setattr, harness.Infra, "program", PROGRAM)
        super().setUpClass()

    def deploy_source(self, files, runtime):
        """With patience for a compiler on a busy machine."""
        answer = self.infra.upload(bundle(files), [("runtime", None, runtime)], timeout=120)
        self.assertEqual(answer.status, 200, answer)
        return answer.json()["functionId"]

    def test_every_kind_of_runner_starts(self):
        self.assertEqual(self.infra.result(self.infra.deploy(ECHO), 1)["result"], {"echo": 1})
        node = self.infra.deploy("exports.handler = (event) => event + 1;", runtime="nodejs")
        self.assertEqual(self.infra.result(node, 1)["result"], 2)
        plain = self.deploy_source({"main.cpp": '#include <cstdio>\nint main() { std::puts("plain"); }\n'}, "cpp")
        self.assertEqual(self.infra.result(plain)["stdout"], "plain\n")
        for example, runtime in (("hello-cpp", "cpp"), ("hello-go", "go")):
            files = {file.name: file.read_bytes() for file in (EXAMPLES / example).iterdir()}
            result = self.infra.result(self.deploy_source(files, runtime), {"name": "Ada"})
            self.assertEqual(result["status"], "SUCCESS", result)
            self.assertIn("greeting", result["result"])

    def test_the_program_runs_what_was_installed_with_it(self):
        children = f"/proc/{self.infra.process.pid}/task/{self.infra.process.pid}/children"
        spawner = Path(f"/proc/{Path(children).read_text().split()[0]}")
        self.assertEqual(os.readlink(spawner / "exe"), str(TREE / "libexec/infra/infra-spawner"))
        arguments = dict(word.split("=", 1) for word in (spawner / "cmdline").read_text().split("\0")[1:] if "=" in word)
        self.assertEqual(arguments["runners"], str(TREE / "share/infra/runtimes"))
        self.assertEqual(arguments["native"], str(TREE / "libexec/infra/native"))
        self.assertIn(arguments["zygote"], ("", str(TREE / "lib/infra/libinfra_zygote.so")))  # none: a sanitized build
        said = subprocess.run([self.infra.program, "walk-through", "--key", "k"], stdout=subprocess.PIPE, text=True, check=True)
        self.assertIn(f"infra deploy {EXAMPLES}/hello-python", said.stdout)

    def test_shells_and_man_find_what_they_read(self):
        with gzip.open(TREE / "share/man/man1/infra.1.gz", "rt") as page:
            self.assertTrue(page.read().startswith(".TH INFRA 1"))
        for place in ("bash-completion/completions/infra", "zsh/vendor-completions/_infra", "fish/vendor_completions.d/infra.fish"):
            self.assertIn("deploy", (TREE / "share" / place).read_text(encoding="utf-8"))

    def test_who_started_it_is_told_when_it_listens_and_when_it_stops(self):
        for name in (str(TREE / "notify"), f"@{TREE}/notify"):
            with self.subTest(name=name), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.settimeout(PATIENCE)
                manager.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
                infra = Infra({"NOTIFY_SOCKET": name, "SHUTDOWN_TIMEOUT_SECONDS": "7"})
                self.addCleanup(infra.close)
                infra.start(wait=False)
                self.assertIn(b"READY=1\n", manager.recv(4096))
                infra.wait_until_listening()
                self.assertEqual(infra.get("/health").status, 200)
                spy = infra.deploy("import os\ndef handler(event, context):\n    return dict(os.environ)\n")
                self.assertNotIn("NOTIFY_SOCKET", infra.result(spy)["result"])
                self.assertEqual(infra.stop(), 0)
                self.assertIn(b"STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=37000000\n", manager.recv(4096))


if __name__ == "__main__":
    main()
