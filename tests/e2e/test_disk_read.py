"""`diskRead`: what a call had to wait for from the machine's disks, and nothing of what was in memory."""

import glob
import os
import unittest

from harness import Case, main

MIB = 1 << 20
SOURCE = ("import subprocess\ndef handler(how, context):\n"
          "  if how == 'itself': return len(open('data', 'rb').read())\n"
          "  if how == 'child': return int(subprocess.run(['cat', 'data'], capture_output=True, check=True).stdout[:1] != b'')\n")


@unittest.skipIf(os.environ.get("INFRA_SANDBOX") == "none", "nobody counts what is not isolated")
class DiskRead(Case):
    def setUp(self):
        folder = os.path.join(self.infra.data, "versions")
        if os.major(os.stat(folder).st_dev) == 0:
            self.skipTest(f"{folder} is on no disk of its own")

    def forget(self):
        """The file leaves the page cache."""
        found = glob.glob(os.path.join(self.infra.data, "versions", "*", "data"))
        self.assertEqual(len(found), 1)
        file = os.open(found[0], os.O_RDONLY)
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)

    def read(self, function, how):
        result = self.infra.result(function, how)
        self.assertEqual(result["status"], "SUCCESS", result)
        return result["diskRead"]

    def test_what_comes_from_the_disk_counts_and_what_is_in_memory_does_not(self):
        function = self.infra.deploy({"main.py": SOURCE, "data": os.urandom(4 * MIB)})
        for how in ("itself", "child"):
            with self.subTest(how):
                self.forget()
                self.assertGreaterEqual(self.read(function, how), 4 * MIB)
                self.assertLess(self.read(function, how), MIB)


if __name__ == "__main__":
    main()
