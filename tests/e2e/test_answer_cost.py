"""What functions say never costs the program more than one budget, however many say it at once."""

import re
import unittest
from concurrent.futures import ThreadPoolExecutor

from harness import SANITIZED, Case, main

MIB = 1 << 20
AT_ONCE = 4
BUDGET = 64 * MIB
# Answers in the runner's place: bytes that are valid JSON to their end, and no result.
HOSTILE = """
import os, stat, struct

def is_socket(descriptor):
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:
        return False

def handler(event, context):
    control = next(descriptor for descriptor in range(3, 100) if is_socket(descriptor))
    begin, unit, end = b'{"ok":true,"value":1,"requestId":[0', b",0", b"]}"
    count = (event["bytes"] - len(begin) - len(end)) // len(unit)
    os.write(control, struct.pack("<I", len(begin) + count * len(unit) + len(end)) + begin)
    block = unit * 30000
    rest = count * len(unit)
    while rest:
        rest -= os.write(control, block[:rest])
    os.write(control, end)
"""
LARGE = """
def handler(event, context):
    return [0] * event["count"]
"""


class AnswerCost(Case):
    def most_memory(self, work):
        """Bytes that the program held at the most beyond what it held before."""
        before = self.infra.rss_kib()
        with open(f"/proc/{self.infra.process.pid}/clear_refs", "w", encoding="ascii") as peak:
            peak.write("5")
        work()
        with open(f"/proc/{self.infra.process.pid}/status", encoding="ascii") as status:
            return (int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)) - before) * 1024

    def run_at_once(self, source, event):
        functions = [self.infra.deploy(f"{source}# {number}\n", memoryMb=512) for number in range(AT_ONCE)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda function: self.infra.run(function, event), functions))

    @unittest.skipIf(SANITIZED, "a sanitizer's memory is not the program's")
    def test_what_is_no_result(self):
        for size in (6 * MIB, 32 * MIB):
            with self.subTest(bytes=size):
                def work(size=size):
                    for answer in self.run_at_once(HOSTILE, {"bytes": size}):
                        self.assertEqual((answer.json()["status"], answer.json()["code"]), ("FAILED", "runner_broken"), answer)
                self.assertLess(self.most_memory(work), AT_ONCE * 16 * MIB)

    @unittest.skipIf(SANITIZED, "a sanitizer's memory is not the program's")
    def test_large_results(self):
        """Two fit into the budget; beside it are the answers to their clients."""
        def work():
            for answer in self.run_at_once(LARGE, {"count": 1_500_000}):
                self.assertEqual((answer.status, len(answer.json()["result"])), (200, 1_500_000))
                self.bodies += len(answer.body)
        self.bodies = 0
        self.assertLess(self.most_memory(work), BUDGET + self.bodies)


if __name__ == "__main__":
    main()
