"""What a crash costs in a fleet, from where leases have run out: raw hands on Redis stand for workers that were killed."""

import uuid

from fleet_case import FleetCase
from harness import ECHO, bundle, main, wait_for

TIMED = ("import time\ndef handler(seconds, context):\n  begun = time.time()\n  time.sleep(seconds)\n"
         "  return [begun, time.time()]")
LOOK = 5 + 5  # seconds: every program looks for quarantines every five, and may be busy
LOST = 30


class Strikes(FleetCase):
    def send_lost(self, function, data, starts):
        """A job that was started so often, each time by a worker that is gone."""
        job = str(uuid.uuid4())
        self.redis("HSET", f"infra:lease:{job}", "holder", "gone/1", "until", "0", "starts", str(starts))
        sha = self.row_of(function)["codeSha256"]["S"]
        self.send(self.message_of(function, job, data, codeSha256=sha, **{"async": True}))
        return job

    def await_job(self, job):
        wait_for(lambda: self.two.get(f"/status/{job}").status == 200, what="the result")
        return self.two.get(f"/status/{job}").json()

    def test_three_lost_jobs_of_a_version_are_a_quarantine(self):
        function, other = self.one.deploy(TIMED), self.one.deploy(ECHO)
        for job in [self.send_lost(function, 0, 3) for _ in range(3)]:
            result = self.await_job(job)
            self.assertEqual((result["status"], result["code"]), ("ERROR", "worker_lost"), result)
        for client in (self.one, self.two):
            wait_for(lambda: client.run(function, 0).status == 503, LOOK, "the quarantine")  # noqa: B023
            self.assertEqual(client.run(function, 0).json()["code"], "function_quarantined")
            self.assertIn("quarantinedUntil", client.get(f"/functions/{function}").json())
        self.assertEqual(self.one.result(other, 1)["result"], {"echo": 1})
        self.one.upload(bundle({"main.py": TIMED + " # mended"}), method="PUT", path=f"/functions/{function}")
        wait_for(lambda: self.two.run(function, 0).status == 200, what="the new version")

    def test_a_killed_workers_jobs_run_one_at_a_time_at_each_worker_and_are_soon_through(self):
        function = self.one.deploy(TIMED)
        self.one.result(function, 0)
        jobs = [self.send_lost(function, 0.02, 1) for _ in range(LOST)]
        results = [self.await_job(job) for job in jobs]
        self.assertEqual({result["status"] for result in results}, {"SUCCESS"}, results)
        of_workers = {}
        for result in results:
            of_workers.setdefault(result["workerId"], []).append(result["result"])
        for spans in of_workers.values():
            spans.sort()
            for (_, end), (begin, _) in zip(spans, spans[1:], strict=False):
                self.assertGreaterEqual(begin, end, "two ran at once at a worker")
        spans = sorted(span for spans in of_workers.values() for span in spans)
        pauses = [begin - end for (_, end), (begin, _) in zip(spans, spans[1:], strict=False)]
        self.assertLess(sum(pause > 0.9 for pause in pauses), LOST / 5, "they wait for a second each")


if __name__ == "__main__":
    main()
