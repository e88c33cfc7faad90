"""kill -9 at random moments: what was accepted is run and settled once, and nothing of a dead program stays on the machine."""

import contextlib
import http.client
import os
import random
import re
import threading
import time
import unittest

from harness import SANITIZED, Infra, main, sandbox_traces, wait_for

JOBS = 200 if SANITIZED else 1000
KILLS = 10


class Crash(unittest.TestCase):
    def setUp(self):
        self.infra = Infra()
        self.before = sandbox_traces(self.infra)
        self.infra.start()
        self.addCleanup(self.infra.close)
        self.accepted, self.doubtful, self.lock = set(), 0, threading.Lock()
        self.stopping = threading.Event()

    def keep_sending(self, function):
        """Async runs, one after the other; whether one that broke off was accepted, only the program knows."""
        while not self.stopping.is_set():
            time.sleep(random.uniform(0, 0.06))  # so that the thousand arrive over all ten lives
            try:
                job = self.infra.run_async(function, {"n": random.random()})
                with self.lock:
                    self.accepted.add(job)
            except ConnectionRefusedError:
                pass
            except (OSError, http.client.HTTPException):
                with self.lock:
                    self.doubtful += 1

    def test_a_thousand_jobs_survive_ten_kills(self):
        function = self.infra.deploy("import time\ndef handler(e, c):\n  time.sleep(0.005)\n  return e['n']")
        senders = [threading.Thread(target=self.keep_sending, args=(function,)) for _ in range(6)]
        for sender in senders:
            sender.start()
        for _ in range(KILLS):
            time.sleep(random.uniform(0.1, 0.9))
            self.infra.kill()
            self.infra.start()
        last_start = time.monotonic()
        wait_for(lambda: len(self.accepted) >= JOBS, 25, f"{JOBS} accepted jobs")
        self.stopping.set()
        for sender in senders:
            sender.join()

        self.assert_no_traces_of_the_dead()
        waiting = set(self.accepted)
        while waiting and time.monotonic() < last_start + (300 if SANITIZED else 30):
            for job in list(waiting):
                answer = self.infra.get(f"/status/{job}")
                self.assertEqual(answer.status, 200, answer)
                result = answer.json()
                if result["status"] == "pending":
                    time.sleep(0.02)
                    break
                self.assertEqual(result["status"], "SUCCESS", result)
                waiting.discard(job)
        self.assertFalse(waiting, f"{len(waiting)} of {len(self.accepted)} jobs have no result after 30 s")
        wait_for(self.queue_is_empty, what="the settlement of every job")  # a result is told before its row is put

        rows = [row["requestId"] for row in self.infra.pages(f"/functions/{function}/logs?limit=1000")]
        self.assertEqual(len(rows), len(set(rows)), "a job has two log rows")
        self.assertLessEqual(self.accepted, set(rows))
        self.assertLessEqual(len(rows), len(self.accepted) + self.doubtful)
        # Row and count are one transaction (docs/decisions/0010-settlement-once.md).
        self.assertEqual(self.infra.get(f"/functions/{function}").json()["invocations"], len(rows))

        self.assertEqual(self.infra.stop(), 0)
        wait_for(lambda: self.left_behind() == (set(), set(), set()), 5, "the end of everything that sandboxes need")

    def queue_is_empty(self):
        depths = re.findall(r'^job_queue_depth\{state="(?:ready|in_flight)"\} (\S+)$', self.infra.get("/metrics").text,
                            re.MULTILINE)
        self.assertEqual(len(depths), 2)
        return not any(float(depth) for depth in depths)

    def left_behind(self):
        return tuple(now - before for now, before in zip(sandbox_traces(self.infra), self.before))

    def assert_no_traces_of_the_dead(self):
        """Whatever runs in a sandbox must have been started by the program that lives now."""
        ticks = os.sysconf("SC_CLK_TCK")
        with open("/proc/uptime", encoding="ascii") as uptime:
            boot = time.time() - float(uptime.read().split()[0])
        for pid in self.left_behind()[0]:
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
                    started = boot + int(stat.read().rpartition(")")[2].split()[19]) / ticks
                self.assertGreater(started, self.infra.started_at - 0.5, f"process {pid} is older than the program")


if __name__ == "__main__":
    main()
