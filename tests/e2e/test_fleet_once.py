"""Once means once, however often the queue delivers and whichever worker dies. The classes, each with a fleet of its own, run at once."""

import threading
import time
import uuid

from fleet_case import FleetCase
from harness import main, wait_for

SLEEPER = "import time\ndef handler(seconds, context):\n  time.sleep(seconds)\n  return 'slept'"


class Copies(FleetCase):
    def test_a_message_that_is_there_three_times_runs_once(self):
        function = self.one.deploy(SLEEPER)
        before = self.runs_of_workers()
        self.one.result(function, 0)
        job = str(uuid7())
        for _ in range(3):
            self.send(self.message_of(function, job, 1.5, **{"async": True}))
        wait_for(lambda: self.one.get(f"/status/{job}").status == 200, what="the result")
        self.assertEqual(self.one.get(f"/status/{job}").json()["result"], "slept")
        wait_for(lambda: self.invocations(function) == 2, 5, "the count")
        # The copies come back when the lease may have ended; what they find is a settled job.
        self.await_past_leases(self.fleet.queue_is_empty, "the end of the copies")
        self.assertEqual(self.runs_of_workers() - before, 2)
        self.assertEqual(self.invocations(function), 2)
        self.assertEqual(len(self.two.log_rows(function, 2)), 2)


class OneDeath(FleetCase):
    def test_a_killed_workers_job_runs_on_another(self):
        function = self.one.deploy(SLEEPER)
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(
            self.one.request("POST", "/run", {"functionId": function, "inputData": 4}, timeout=120)))
        waiting.start()
        busy = wait_for(self.fleet.busy_worker, what="the job's start")
        [(job, holder)] = self.leases().items()
        busy.kill()
        busy.start()
        self.await_past_leases(lambda: not waiting.is_alive(), "the answer", lambda held: held == holder)
        waiting.join()
        self.assertEqual((answers[0].status, answers[0].json().get("result")), (200, "slept"), answers)
        self.assertEqual(answers[0].headers["x-request-id"], job)
        self.assertEqual(self.redis("HGET", f"infra:lease:{job}", "starts"), "2")
        self.assertEqual(wait_for(lambda: self.invocations(function), 5, "the count"), 1)


class ThreeDeaths(FleetCase):
    def test_a_job_that_takes_its_worker_down_three_times_is_given_up(self):
        function = self.one.deploy(SLEEPER)
        job = self.one.run_async(function, 50)
        gone = set()
        for _ in range(3):
            self.await_past_leases(self.fleet.busy_worker, "a start", gone.__contains__)
            gone.add(self.leases()[job])
            busy = self.fleet.busy_worker()
            busy.kill()
            busy.start()
        self.assertEqual(len(gone), 3)
        self.await_past_leases(lambda: self.two.get(f"/status/{job}").json()["status"] != "pending", "the result", gone.__contains__)
        result = self.two.await_result(job)
        self.assertEqual((result["status"], result["code"]), ("ERROR", "worker_lost"), result)
        rows = self.two.log_rows(function, 1)
        self.assertEqual([row["status"] for row in rows], ["ERROR"])


def uuid7():
    ms = int(time.time() * 1000)
    value = (ms << 80) | (0x7 << 76) | (uuid.uuid4().int & ((1 << 76) - 1))
    return uuid.UUID(int=(value & ~(0x3 << 62)) | (0x2 << 62))


if __name__ == "__main__":
    main(at_once=3)
