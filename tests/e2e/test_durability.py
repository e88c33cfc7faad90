"""A 202 is answered only once the job is on disk: the system calls in their order prove it, which no kill -9 can."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from harness import ECHO, SANITIZED, Infra, main, wait_for

CALL = re.compile(r"^(\d+) +(\w+)\((.*)$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")


@unittest.skipIf(SANITIZED, "the leak checker does not work under a tracer")
@unittest.skipUnless(shutil.which("strace"), "needs strace")
class Durability(unittest.TestCase):
    def setUp(self):
        self.infra = Infra().start()
        self.addCleanup(self.infra.close)
        self.function = self.infra.deploy(ECHO)

    def trace(self, action):
        """What the program's own threads called while `action` ran, one line a call, in order."""
        with tempfile.NamedTemporaryFile("r", prefix="infra-strace-") as output:
            tracer = subprocess.Popen(
                ["strace", "-f", "-qq", "-y", "-s", "64", "-o", output.name, "-p", str(self.infra.process.pid), "-e",
                 "trace=fdatasync,fsync,read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg"], stderr=subprocess.PIPE)
            try:
                pid = self.infra.process.pid
                threads = os.listdir(f"/proc/{pid}/task")
                wait_for(lambda: all(self.tracer_of(pid, thread) == tracer.pid for thread in threads), what="the tracer")
                action()
            finally:
                tracer.send_signal(signal.SIGINT)
                tracer.wait()
                tracer.stderr.close()
            return output.read().splitlines()

    @staticmethod
    def tracer_of(pid, thread):
        with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii") as status:
            return int(re.search(r"TracerPid:\s+(\d+)", status.read()).group(1))

    def test_the_journal_is_synced_between_request_and_answer(self):
        for attempt in range(3):
            lines = self.trace(lambda: self.infra.run_async(self.function, {"a": 1}))
            begun, synced, request, answer = {}, None, None, None
            for at, line in enumerate(lines):
                call, resumed = CALL.match(line), RESUMED.match(line)
                if request is None and "POST /run" in line:
                    request = at
                elif request is not None and answer is None and "HTTP/1.1 202" in line:
                    answer = at
                if call and call.group(2) in ("fdatasync", "fsync") and "-wal>" in line:
                    if line.endswith("= 0"):
                        synced = at if request is not None and answer is None else synced
                    else:
                        begun[call.group(1)] = at
                elif resumed and resumed.group(2) in ("fdatasync", "fsync") and line.endswith("= 0"):
                    started = begun.pop(resumed.group(1), -1)
                    if request is not None and started > request and answer is None:
                        synced = at
            said = "\n".join(lines)
            self.assertIsNotNone(request, said)
            self.assertIsNotNone(answer, said)
            self.assertIsNotNone(synced, f"attempt {attempt}: no successful sync of the journal before the 202\n{said}")
        self.assertEqual(self.infra.stop(), 0)


if __name__ == "__main__":
    main()
