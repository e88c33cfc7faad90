"""The Debian package: what is in it, and that it lives and dies on a machine with systemd as a package has to.

INFRA_BUILD is the build tree that it is made from; INFRA_PACKAGE, if it is set, a package to take in place of that. It is installed
over this machine's own files, which stay as they are, or over those of the Debian in INFRA_ROOT; by dpkg, or by INFRA_INSTALL.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from machine import HERE, Machine

SOURCES = HERE.parents[1]
SYSTEMD = Path(os.environ.get("INFRA_ROOT", "/")) / "lib/systemd/systemd"


def output(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True).stdout


FOR_SHELLS = ("./usr/share/man/man1/infra.1.gz", "./usr/share/bash-completion/completions/infra",
              "./usr/share/zsh/vendor-completions/_infra", "./usr/share/fish/vendor_completions.d/infra.fish")
FOR_MONITORING = ("./usr/share/infra/prometheus/infra.rules.yml", "./usr/share/infra/grafana/infra.json")


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        ready = os.environ.get("INFRA_PACKAGE")
        if ready:
            cls.package = Path(ready)
            return
        folder = tempfile.mkdtemp(prefix="infra-package-")
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        subprocess.run(["cpack", "--config", os.environ["INFRA_BUILD"] + "/CPackConfig.cmake", "-B", folder],
                       stdout=subprocess.DEVNULL, check=True)
        cls.package = next(Path(folder).glob("*.deb"))

    def test_it_says_what_it_is_and_needs(self):
        name, version, architecture = self.package.stem.split("_")
        fields = json.loads(output("dpkg-deb", "--show", "--showformat",
                                   '["${Package}", "${Version}", "${Architecture}", "${Depends}", "${Recommends}"]', str(self.package)))
        self.assertEqual(fields[:3], [name, version, architecture])
        for needed in ("libc6", "libcurl4", "libssl3", "libsqlite3-0", "adduser"):
            self.assertIn(needed, fields[3])
        for useful in ("python3", "nodejs", "g++", "golang-go", "nftables"):
            self.assertIn(useful, fields[4])
        self.assertEqual(output("dpkg-deb", "--info", str(self.package), "conffiles").split(),
                         ["/etc/infra/infra.env", "/etc/infra/worker.env"])

    def test_its_files_are_roots_and_nothing_else_is_in_it(self):
        listed = [line.split(maxsplit=5) for line in output("dpkg-deb", "--contents", str(self.package)).splitlines()]
        files = {words[5]: words[0] for words in listed if not words[0].startswith("d")}
        self.assertEqual({words[1] for words in listed}, {"root/root"})
        self.assertEqual({mode for words in listed if (mode := words[0]).startswith("d")}, {"drwxr-xr-x"})
        places = ("./etc/infra/", "./lib/systemd/system/infra", "./usr/bin/infra", "./usr/lib/infra/", "./usr/libexec/infra/",
                  "./usr/share/infra/", "./usr/share/doc/infra/", "./usr/share/lintian/overrides/infra", *FOR_SHELLS)
        self.assertEqual([place for place in (*FOR_SHELLS, *FOR_MONITORING) if place not in files], [])
        self.assertEqual([name for name in files if not name.startswith(places)], [])
        self.assertEqual([name for name in files if "__pycache__" in name or name.endswith((".pyc", "CMakeLists.txt"))], [])
        self.assertEqual({name for name, mode in files.items() if "x" in mode},
                         {"./usr/bin/infra", "./usr/libexec/infra/infra-spawner", "./usr/libexec/infra/native/runner"})
        for name in ("infra.env", "worker.env"):
            self.assertEqual(files[f"./etc/infra/{name}"], "-rw-------")

    def test_services_and_containers_have_the_capabilities_that_the_spawner_needs(self):
        needed = set(re.findall(r'"(CAP_\w+)"', (SOURCES / "src/sandbox/system/privileges.cc").read_text()))
        self.assertGreater(len(needed), 5)
        needed |= {"CAP_MKNOD", "CAP_SYS_RESOURCE"}  # without which it starts as well, and holds functions a little less well
        for unit in ("infra.service", "infra-worker.service"):
            text = (SOURCES / "packaging/debian" / unit).read_text()
            self.assertEqual(set(re.search(r"^CapabilityBoundingSet=(.+)$", text, re.MULTILINE)[1].split()), needed)
        container = (SOURCES / "packaging/Containerfile").read_text()
        self.assertEqual({f"CAP_{name}" for name in re.findall(r"--cap-add=(\w+)", container)}, needed)

    def test_its_programs_are_stripped(self):
        with tempfile.TemporaryDirectory(prefix="infra-unpacked-") as folder:
            subprocess.run(["dpkg-deb", "--extract", str(self.package), folder], check=True)
            for name in ("bin/infra", "lib/infra/libinfra_zygote.so", "libexec/infra/infra-spawner", "libexec/infra/native/runner"):
                self.assertNotIn(".debug_", output("readelf", "--section-headers", f"{folder}/usr/{name}"))

    @unittest.skipUnless(SYSTEMD.exists(), f"NOT TRIED: no systemd at {SYSTEMD} (Debian's package systemd)")
    def test_its_life_on_a_machine(self):
        machine = Machine(os.environ.get("INFRA_ROOT", "/"))
        self.addCleanup(machine.close)
        shutil.copy(self.package, machine.shared)
        (machine.shared / "install.json").write_text(json.dumps(os.environ.get("INFRA_INSTALL", "dpkg --install").split()))
        status = machine.run(HERE / "session.py", 300)
        print(machine.said(), file=sys.stderr if status else sys.stdout)
        self.assertEqual(status, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
