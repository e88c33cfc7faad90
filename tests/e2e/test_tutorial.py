"""docs/tutorial.md as a reader types it: each shell block in one shell, and behind it the words that the page shows."""

import os
import re
import subprocess
from pathlib import Path

from cli_case import CliCase
from harness import API_KEY, PATIENCE, PROGRAM, main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
END = "--- the end of a block ---"


class Tutorial(CliCase):
    def test_it_goes_as_it_is_written(self):
        blocks = BLOCK.findall(PAGE.read_text())
        commands = [text for kind, text in blocks if kind == "sh"]
        self.assertGreater(len(commands), 8)
        os.mkdir(os.path.join(self.folder, "bin"))
        os.symlink(PROGRAM, os.path.join(self.folder, "bin", "infra"))
        env = {"PATH": f"{self.folder}/bin:{os.environ['PATH']}", "HOME": self.folder, "INFRA_URL": self.url, "INFRA_API_KEY": API_KEY}
        script = "".join(f"{text}\necho '{END}'\n" for text in commands)
        done = subprocess.run(["bash", "-e", "-o", "pipefail"], input=script, cwd=self.folder, env=env, text=True, timeout=4 * PATIENCE,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout)
        said = iter(done.stdout.split(END + "\n"))
        last = ""
        for kind, text in blocks:
            if kind == "sh":
                last = next(said)
                continue
            for line in text.splitlines():
                self.assertIn(line.strip(), last.replace(" ", "") if line.startswith('"') else last)


if __name__ == "__main__":
    main()
