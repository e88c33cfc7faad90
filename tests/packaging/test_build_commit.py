"""What `infra version` says the program was built from: src/main/build_commit.cmake on trees of all kinds."""

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "src/main/build_commit.cmake"


class BuildCommit(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="infra-commit-")
        self.addCleanup(folder.cleanup)
        self.tree = Path(folder.name) / "tree"
        self.tree.mkdir()
        self.output = Path(folder.name) / "build_commit.cc"

    def git(self, *words, tree=None):
        settings = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org",
                    "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org"}
        done = subprocess.run(["git", *words], cwd=tree or self.tree, env={**os.environ, **settings}, stdout=subprocess.PIPE, check=True,
                              text=True)
        return done.stdout.strip()

    def commit(self, tree=None):
        self.git("init", "--quiet", tree=tree)
        ((tree or self.tree) / "file").write_text("one")
        self.git("add", "file", tree=tree)
        self.git("commit", "--quiet", "--message", "one", tree=tree)
        self.git("tag", "--annotate", "--message", "v9", "v9", tree=tree)

    def found(self, given=""):
        """What the generated source says."""
        subprocess.run(["cmake", f"-DSOURCE={self.tree}", f"-DOUTPUT={self.output}", "-P", str(SCRIPT)],
                       env={**os.environ, "INFRA_COMMIT": given}, check=True, capture_output=True)
        return re.search(r'return "(.*)";', self.output.read_text())[1]

    def test_a_commit_is_named_and_what_was_changed_since_too(self):
        self.commit()
        name = self.git("rev-parse", "--short=7", "HEAD")
        self.assertEqual(self.found(), name)
        (self.tree / "new").write_text("git does not know this one")
        self.assertEqual(self.found(), name)
        (self.tree / "file").write_text("two")
        self.assertEqual(self.found(), name + "-dirty")

    def test_without_git_it_is_unknown_even_inside_another_tree(self):
        self.assertEqual(self.found(), "unknown")
        self.commit(self.tree.parent)
        self.assertEqual(self.found(), "unknown")

    def test_a_given_one_is_taken(self):
        self.commit()
        self.assertEqual(self.found("0a1b2c3"), "0a1b2c3")
        with self.assertRaises(subprocess.CalledProcessError):
            self.found('"; system("')

    def test_an_unchanged_one_is_not_written_again(self):
        self.commit()
        self.found()
        os.utime(self.output, (1, 1))
        self.found()
        self.assertEqual(self.output.stat().st_mtime, 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
