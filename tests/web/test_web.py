"""The dashboard's flows in Debian's Chromium (flows.mjs), against the real program; its parts without a page (units.mjs)."""

import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
from harness import API_KEY, Case, main  # noqa: E402  (it lives beside other tests)
from node import environment, node_program  # noqa: E402


class Dashboard(Case):
    def test_its_pages_and_parts(self):
        """All at once: browsers mostly wait."""
        command = [node_program(), "--test", "--test-reporter=spec", "--test-force-exit"]
        variables = environment(f"http://127.0.0.1:{self.infra.port}", API_KEY)
        started = {file: subprocess.Popen([*command, str(HERE / file)], env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                          text=True) for file in ("flows.mjs", "guards.mjs", "units.mjs")}
        said = {file: process.communicate(timeout=400)[0] for file, process in started.items()}
        for file, process in started.items():
            with self.subTest(file):
                self.assertEqual(process.returncode, 0, said[file])

    def test_its_files_are_as_large_as_the_list_says(self):
        files = self.infra.get("/assets/manifest.json", key=None).json()
        self.assertLessEqual(files["total"]["gzip"], 100 * 1024)
        self.assertEqual(files["total"]["gzip"], sum(file["gzip"] for file in files["files"]))
        for file in files["files"]:
            if file["name"] != "index.html":
                answer = self.infra.get(f"/assets/{file['name']}", key=None)
                self.assertEqual((answer.status, len(answer.body)), (200, file["gzip"]), file["name"])


if __name__ == "__main__":
    main()
