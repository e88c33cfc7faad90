"""What `./dev fuzz` lists is what there is: a file and a corpus a target, and none beside."""

import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FUZZ = ROOT / "tests" / "fuzz"


class Targets(unittest.TestCase):
    def test_each_has_a_file_and_a_corpus(self):
        done = subprocess.run([ROOT / "dev", "fuzz"], capture_output=True, text=True, check=True)
        listed = done.stdout.split()
        self.assertEqual(listed, sorted(path.name.removesuffix("_fuzz.cc") for path in FUZZ.glob("*_fuzz.cc")))
        self.assertEqual(listed, sorted(path.name for path in (FUZZ / "corpus").iterdir()))

    def test_corpora_are_small(self):
        for corpus in (FUZZ / "corpus").iterdir():
            sizes = [path.stat().st_size for path in corpus.iterdir()]
            self.assertTrue(sizes, f"{corpus.name} has no inputs")
            self.assertLess(sum(sizes), 16 * 1024, f"{corpus.name} has grown: merge it (CONTRIBUTING.md)")

    def test_another_name_is_refused(self):
        done = subprocess.run([ROOT / "dev", "fuzz", "nothing"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no such fuzz target", done.stderr)


if __name__ == "__main__":
    unittest.main()
