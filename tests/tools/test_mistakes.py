"""The simulation's mistakes (tests/platform/try_mistakes.py) fit the sources as they are, so that they can be tried at any time."""

import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "platform"))
import try_mistakes  # noqa: E402  (it lives beside the simulation)


class Mistakes(unittest.TestCase):
    def test_there_are_enough(self):
        self.assertGreaterEqual(len(try_mistakes.mistakes()), 12)

    def test_each_applies_to_the_sources(self):
        for patch in try_mistakes.mistakes():
            with self.subTest(patch.stem), tempfile.TemporaryDirectory() as folder:
                try_mistakes.apply(patch, Path(folder))
                for name in try_mistakes.files_of(patch):
                    self.assertNotEqual((Path(folder) / name).read_text(), (ROOT / name).read_text())

    def test_each_says_what_it_breaks(self):
        for patch in try_mistakes.mistakes():
            with self.subTest(patch.stem):
                words = patch.read_text().split("\n", maxsplit=1)[0]
                self.assertTrue(words.endswith((".", ".)")), words)

    def test_each_changes_sources_that_are_compiled_alone(self):
        for patch in try_mistakes.mistakes():
            with self.subTest(patch.stem):
                names = try_mistakes.files_of(patch)
                self.assertTrue(names)
                for name in names:
                    self.assertRegex(name, r"^src/.*\.cc$")


if __name__ == "__main__":
    unittest.main()
