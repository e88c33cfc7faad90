"""A reader of the log who stalls stops nobody: requests are answered, SIGTERM ends the program, and what is lost is told of."""

import fcntl
import json
import os
import signal
import threading
import time
import unittest

from harness import SANITIZED, Infra, main, wait_for

SMALL_PIPE = 4096  # as little as a pipe can hold
LINES = 4500       # of these more than the pipe and the ring take together


class StallingReader(Infra):
    """Reads until the program listens, and then not until it is told to."""

    def start(self, wait=True):
        self.reads_on = threading.Event()
        super().start(wait=False)
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            fcntl.fcntl(self.process.stdout, fcntl.F_SETPIPE_SZ, SMALL_PIPE)
        self.wait_until_listening()
        return self

    def _read(self, stream, listening):
        def lines():
            text = b""
            while piece := os.read(stream.fileno(), 4096):
                text += piece
                *whole, text = text.split(b"\n")
                yield from whole
                if self.port is not None:
                    self.reads_on.wait()

        super()._read(_Lines(lines(), stream), listening)


class _Lines:
    def __init__(self, lines, stream):
        self.lines, self.close = lines, stream.close

    def __iter__(self):
        return (line + b"\n" for line in self.lines)


class Log(unittest.TestCase):
    def setUp(self):
        self.infra = StallingReader().start()
        self.addCleanup(self.infra.close)
        self.addCleanup(self.infra.reads_on.set)

    def ask(self, count):
        """As many requests, each of which has a line, and each is answered."""
        connection = self.infra.connect()
        for _ in range(count):
            answer = self.infra.get("/functions", headers={"x-request-id": "i" * 128}, connection=connection)
            self.assertEqual(answer.status, 200)
        connection.close()

    def test_requests_are_answered_and_sigterm_ends_the_program(self):
        self.ask(200)
        self.assertEqual(self.infra.get("/health", key=None).status, 200)
        begun = time.monotonic()
        self.infra.signal(signal.SIGTERM)
        self.assertEqual(self.infra.process.wait(60), 0)
        if not SANITIZED:
            self.assertLess(time.monotonic() - begun, 10)

    def test_a_second_signal_ends_it_at_once(self):
        function = self.infra.deploy("import time\ndef handler(seconds, context):\n    time.sleep(seconds)")
        self.infra.run_async(function, 60)
        self.ask(100)
        self.infra.signal(signal.SIGTERM)
        time.sleep(1.1)  # sooner it is the same wish twice
        self.infra.signal(signal.SIGTERM)
        self.assertEqual(self.infra.process.wait(60), 128 + signal.SIGTERM)

    def test_what_is_lost_is_counted_and_told_of_when_lines_flow_again(self):
        self.ask(LINES)
        counted = wait_for(lambda: self.dropped(), what="a dropped line in the metrics")
        self.infra.reads_on.set()
        told = wait_for(lambda: [entry for entry in self.infra.log() if "dropped" in entry["msg"]], what="the line that says so")
        self.assertGreaterEqual(told[0]["lines"], 1)
        self.assertEqual(told[0]["level"], "warn")
        self.assertGreaterEqual(sum(entry["lines"] for entry in told), counted)
        answer = self.infra.get("/functions")
        self.assertEqual(self.infra.log_line_of(answer)["status"], 200)

    def dropped(self):
        for line in self.infra.worker_metrics().splitlines():
            if line.startswith("log_lines_dropped_total "):
                return int(float(line.split()[1]))
        return 0

    def test_what_a_client_sends_is_cut(self):
        self.infra.reads_on.set()
        answer = self.infra.raw(b"M" * 4000 + b" /functions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.assertIn(b"HTTP/1.1 ", answer)
        raw = b"GET /functions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nx-forwarded-for: " + b"9" * 8000 + b"\r\n\r\n"
        self.infra.raw(raw)
        answer = self.infra.get("/functions")
        self.infra.log_line_of(answer)
        for line in self.infra.lines:
            self.assertLess(len(line), 4096)
            if "MMM" in line:
                self.assertLessEqual(len(json.loads(line).get("method", "")), 32)


if __name__ == "__main__":
    main(at_once=2)
