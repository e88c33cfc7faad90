"""A data folder that fills up: output files make room for each other, uploads stop, then asynchronous runs, and never what a client
waits for; and a start that finds much to delete listens first."""

import os
import shutil
import subprocess
import tempfile
import unittest

from harness import ECHO, Infra, bundle, main, wait_for

MIB = 1024 * 1024
SIZE = 128  # so outputs stop below 32 MiB, uploads below 16, asynchronous runs below 8 (adapters/files/disk_space.h)
SPARSE = """
import os
def handler(event, context):
    for number in range(3):
        os.truncate(os.open(f"{os.environ['OUTPUT_DIR']}/{number}", os.O_CREAT | os.O_WRONLY), 10 * 1024 * 1024)
"""
LEFT_BEHIND = 300


class FullDisk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.mkdtemp(prefix="infra-full-disk-")
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        data = os.path.join(folder, "data")
        os.mkdir(data, 0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}m,mode=0700", "infra-full-disk", data], check=True)
        cls.addClassCleanup(subprocess.run, ["umount", "-l", data], check=True)
        for number in range(LEFT_BEHIND):
            os.makedirs(f"{data}/versions/left/{number}/of/an/earlier/program")
        open(f"{data}/lock", "w", encoding="ascii").close()
        cls.infra = Infra(folder=folder)
        cls.addClassCleanup(cls.infra.close)
        cls.infra.start()
        cls.echo = cls.infra.deploy(ECHO)

    @classmethod
    def tearDownClass(cls):
        assert cls.infra.stop() == 0

    def free(self):
        disk = os.statvfs(self.infra.data)
        return disk.f_bavail * disk.f_frsize

    def leave_free(self, size):
        """Fills the disk as a neighbour would, and waits until the program has seen it."""
        self.empty()
        with open(f"{self.infra.data}/filler", "wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, self.free() - size)
        pressure = 1 - size / (SIZE * MIB / 2)
        wait_for(lambda: abs(self.overload()["pressure"]["disk"] - pressure) < 0.03, what="the program to see the disk")

    def empty(self):
        if os.path.exists(f"{self.infra.data}/filler"):
            os.remove(f"{self.infra.data}/filler")
            wait_for(lambda: not self.overload()["actions"], what="the actions to end")

    def overload(self):
        return self.infra.get("/health").json()["overload"]

    def assert_storage_full(self, answer):
        self.assertEqual((answer.status, answer.json()["code"]), (503, "storage_full"), answer)
        self.assertGreater(int(answer.headers["Retry-After"]), 0)

    def test_listens_before_it_has_deleted_what_was_left(self):
        def said():
            return [line["msg"] for line in self.infra.log() if line["msg"] in ("listening", "what an earlier program left is deleted")]
        wait_for(lambda: len(said()) == 2, what="the deletion")
        self.assertEqual(said()[0], "listening")
        self.assertEqual(os.listdir(f"{self.infra.data}/trash"), [])
        self.assertFalse(os.path.exists(f"{self.infra.data}/versions/left"))

    def test_sparse_output_files_are_counted_and_make_room_for_each_other(self):
        function = self.infra.deploy(SPARSE)
        before = self.free()
        for _ in range(8):  # 240 MiB, on a disk of 128
            result = self.infra.result(function, {})
            self.assertEqual(result["status"], "SUCCESS", result)
            self.assertGreaterEqual(result["diskWrite"], 10 * MIB)
            self.assertIn("has no room on the platform's disk", result["stderr"])
        self.assertLess(before - self.free(), SIZE * MIB / 8 + MIB, "a function's part is an eighth of the disk")
        name = result["outputFiles"][0]["name"]
        answer = self.infra.get(f"/functions/{function}/logs/{result['requestId']}/files/{name}")
        self.assertEqual((answer.status, len(answer.body)), (200, 10 * MIB), "the newest are there")

    def test_load_stops_in_order_and_settlement_never(self):
        self.addCleanup(self.empty)
        self.leave_free(24 * MIB)
        self.assertEqual(self.overload()["actions"], ["stop_outputs"])
        function = self.infra.deploy(SPARSE)
        result = self.infra.result(function, {})
        self.assertEqual((result["status"], result["outputFiles"]), ("SUCCESS", []), result)

        self.leave_free(12 * MIB)
        self.assert_storage_full(self.infra.upload(bundle({"main.py": ECHO})))
        job = self.infra.run_async(self.echo, {"n": 1})
        self.assertEqual(self.infra.await_result(job)["status"], "SUCCESS")

        self.leave_free(6 * MIB)
        self.assert_storage_full(self.infra.run(self.echo, {"n": 2}, headers={"x-async": "true"}))
        result = self.infra.result(self.echo, {"n": 3})
        self.assertEqual(result["status"], "SUCCESS", result)
        self.assertEqual(self.infra.get(f"/status/{result['requestId']}").json()["status"], "SUCCESS")
        wait_for(lambda: self.infra.get(f"/functions/{self.echo}/logs/{result['requestId']}").status == 200, what="its log row")

        self.empty()
        self.infra.deploy(ECHO)
        self.assertEqual(self.infra.run(self.echo, {"n": 4}, headers={"x-async": "true"}).status, 202)


if __name__ == "__main__":
    main()
