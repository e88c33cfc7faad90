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
    def run_tests(self, file):
        done = subprocess.run([node_program(), "--test", "--test-reporter=spec", "--test-timeout=90000", "--test-force-exit",
                               str(HERE / file)], env=environment(f"http://127.0.0.1:{self.infra.port}", API_KEY), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_its_parts(self):
        self.run_tests("units.mjs")

    def test_what_a_person_does(self):
        self.run_tests("flows.mjs")

    def test_what_comes_from_strangers_and_is_yet_to_come(self):
        self.run_tests("guards.mjs")

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
