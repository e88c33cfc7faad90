"""Every example in the command line's help, as a shell runs it, one after the other in one folder."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from cli_case import CliCase
from harness import API_KEY, PATIENCE, PROGRAM, bundle, main, wait_for

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import cli_docs  # noqa: E402

# Those that go on until Ctrl-C, and by which words they work.
GOING_ON = {"infra logs hello -f": "SUCCESS", "infra watch hello": "watching", "infra dev": "Infra is ready",
            "infra serve": '"msg":"listening"'}
ELSEWHERE = ("setup",)  # test_setup.py, which has services to set up
IS_A_PLATFORM = ("infra dev", "infra serve")


class Examples(CliCase):
    def setUp(self):
        self.write("key-file", API_KEY + "\n")
        with open(os.path.join(self.folder, "hello.zip"), "wb") as file:
            file.write(bundle({"main.py": "def handler(event, context):\n    return event\n"}))
        os.mkdir(os.path.join(self.folder, "bin"))
        os.symlink(PROGRAM, os.path.join(self.folder, "bin", "infra"))
        self.job = self.key = ""

    def shell(self, line, **more):
        env = {"PATH": f"{self.folder}/bin:{os.environ['PATH']}", "HOME": self.folder, "URL": self.url, "JOB": self.job, "KEY": self.key,
               "INFRA_URL": self.url, "INFRA_API_KEY": API_KEY, "PORT": "0", "INFRA_DATA_DIR": f"{self.folder}/data"}
        if line in IS_A_PLATFORM:  # as the one that runs for the other examples is
            env.update({k: v for k, v in os.environ.items() if k == "INFRA_SANDBOX"})
        return subprocess.Popen(["bash", "-c", line], cwd=self.folder, env=env, stdin=subprocess.DEVNULL, text=True, start_new_session=True,
                                stdout=subprocess.PIPE, **more)

    def test_every_one(self):
        examples = cli_docs.examples()
        self.assertGreater(len(examples), 25)
        self.assertEqual({command["name"] for command in cli_docs.commands()} - {command for command, _ in examples}, {"worker"},
                         "commands without an example")
        for command, line in examples:
            if command in ELSEWHERE:
                continue
            with self.subTest(line=line):
                if line in GOING_ON:
                    self.run_until(line, GOING_ON[line])
                    continue
                process = self.shell(line + (f'; echo "${line[:3]}"' if line.startswith(("JOB=", "KEY=")) else ""), stderr=subprocess.PIPE)
                out, err = process.communicate(timeout=PATIENCE)
                self.assertEqual(process.returncode, 0, f"{out}\n{err}")
                if line.startswith("KEY="):
                    self.key = out.strip()
                if line.startswith("JOB="):
                    self.job = out.strip()
                    wait = self.shell(f"infra status {self.job} --wait", stderr=subprocess.STDOUT)
                    self.assertIn("SUCCESS", wait.communicate(timeout=PATIENCE)[0])
                    wait_for(lambda: self.cli("logs", "hello", "--request", self.job).status == 0, what="its log row")

    def run_until(self, line, words):
        process = self.shell(line, stderr=subprocess.STDOUT)
        self.addCleanup(process.stdout.close)
        try:
            said = ""
            for text in iter(process.stdout.readline, ""):
                said += text
                if words in said:
                    return
            self.fail(said)
        finally:
            os.killpg(process.pid, signal.SIGTERM if line in IS_A_PLATFORM else signal.SIGINT)
            process.wait(PATIENCE)


if __name__ == "__main__":
    main()
