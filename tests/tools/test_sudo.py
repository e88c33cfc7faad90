"""What a user sets for the program is still set when `./dev` starts it through sudo, and nothing else of his environment is."""

import os
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import fleet  # noqa: E402  (it lives beside the tool that is tested)
import variables  # noqa: E402

# As sudo does: of the environment only what --preserve-env names goes on, to a command that is said here and not run.
SUDO = """#!/bin/bash
[[ $1 == -* ]] || exec "$@"
names=${1#--preserve-env=}
shift
printf 'command %s\\n' "$*"
for name in ${names//,/ }; do
  [[ -z ${!name+set} ]] || printf 'variable %s=%s\\n' "$name" "${!name}"
done
"""
ID = """#!/bin/bash
[[ $1 == -un ]] && echo ada || echo 1000
"""


class Sudo(unittest.TestCase):
    def start(self, verb, *arguments, **environment):
        """The command that sudo is given, and the variables that it lets through."""
        with tempfile.TemporaryDirectory(prefix="infra-tools-") as folder:
            for name, script in (("sudo", SUDO), ("id", ID)):
                path = Path(folder, name)
                path.write_text(script, encoding="ascii")
                path.chmod(path.stat().st_mode | stat.S_IXUSR)
            # Of the verb all is as it is but that nothing is installed and built.
            script = "source ./dev; ensure_packages() { :; }; ensure_peers() { :; }; compile() { :; }; need_sudo() { :; }; \"$@\""
            done = subprocess.run(["bash", "-c", script, "dev", f"verb_{verb}", *arguments], cwd=ROOT, capture_output=True, text=True,
                                  env={"PATH": f"{folder}:{os.environ['PATH']}", **environment}, timeout=30)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        words = [line.partition(" ")[::2] for line in done.stdout.splitlines()]
        passed = dict(rest.split("=", 1) for word, rest in words if word == "variable")
        return next(rest for word, rest in words if word == "command"), passed

    def test_all_that_configures_it_is_let_through(self):
        given = {name: f"value {index}" for index, name in enumerate(variables.names("machine"))}
        self.assertLessEqual({"INFRA_MAX_WAITING", "INFRA_IDLE_TIMEOUT_SECONDS", "RATE_LIMIT"}, given.keys())
        for arguments, command in (((), "build/release/infra dev --user ada"),
                                   (("fleet",), "/usr/bin/python3 -B tools/fleet.py --program build/release/infra --user ada")):
            with self.subTest(arguments=arguments):
                said, passed = self.start("run", *arguments, **given, AWS_SECRET_ACCESS_KEY="secret", LD_PRELOAD="")
                self.assertEqual(said, command)
                self.assertEqual(passed, given)

    def test_the_fleet_gives_each_program_what_it_is_given_but_for_what_is_its_own(self):
        own = {"INFRA_API_KEY", "PORT", "INFRA_DATA_DIR"}
        self.assertEqual(set(variables.names("machine")) - own, {name for name in fleet.PASSED_ON if name in variables.names()})


if __name__ == "__main__":
    unittest.main()
