"""What a crash costs: a job that the program dies of ends after three, one beside it does not, and what is killed early costs nobody."""

import re
import time
import unittest

from harness import ECHO, Infra, main, wait_for

SLEEPER = "import time\ndef handler(event, context):\n    time.sleep(event['seconds'])\n    return 'done'\n"


class Strikes(unittest.TestCase):
    def setUp(self):
        self.infra = Infra().start()
        self.addCleanup(self.infra.close)

    def metric(self, name):
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.infra.get("/metrics").text, re.MULTILINE)
        return float(found.group(1)) if found else 0

    def await_in_flight(self, count):
        wait_for(lambda: self.metric('job_queue_depth{state="in_flight"}') == count, what=f"{count} jobs handed out")

    def crash(self):
        self.infra.kill()
        self.infra.start()

    def test_a_poison_pill_ends_after_three_and_a_bystander_runs(self):
        poison, bystander, other = (self.infra.deploy(code) for code in (SLEEPER, SLEEPER + "# another", ECHO))
        pill = self.infra.run_async(poison, {"seconds": 200})
        beside = self.infra.run_async(bystander, {"seconds": 2})
        self.await_in_flight(2)
        self.crash()
        self.assertEqual(self.metric("job_strikes_total"), 2)
        for _ in range(2):
            self.await_in_flight(1)  # the older one, alone
            self.assertEqual(self.infra.result(other, 1)["status"], "SUCCESS", "the others have slots of their own")
            self.crash()
            self.assertEqual(self.metric("job_strikes_total"), 1)

        result = self.infra.get(f"/status/{pill}").json()
        self.assertEqual((result["status"], result["code"]), ("ERROR", "worker_lost"), result)
        self.assertEqual(self.metric("jobs_given_up_total"), 1)
        self.assertEqual([row["code"] for row in self.infra.log_rows(poison, 1)], ["worker_lost"])
        self.assertEqual(self.infra.get(f"/functions/{poison}").json()["invocations"], 1)
        told = [event for event in self.infra.get("/logs").json() if event["functionId"] == poison]
        self.assertTrue(any("given up" in event["msg"] for event in told), told)

        self.assertEqual(self.infra.await_result(beside)["status"], "SUCCESS")
        self.assertEqual(self.infra.stop(), 0)
        self.infra.start()
        self.assertEqual(self.metric("job_strikes_total"), 0)
        self.assertEqual(self.metric('job_queue_depth{state="ready"}'), 0)
        self.assertEqual(self.infra.stop(), 0)

    def test_a_program_that_is_killed_every_second_strikes_nobody_out(self):
        function = self.infra.deploy(SLEEPER)
        job = self.infra.run_async(function, {"seconds": 1})
        self.await_in_flight(1)
        self.crash()
        for _ in range(3):
            time.sleep(0.8)  # of the 2 s after which a suspect would be begun
            self.crash()
            self.assertEqual(self.metric("job_strikes_total"), 0)
        self.assertEqual(self.infra.await_result(job)["status"], "SUCCESS")
        self.assertEqual(self.infra.stop(), 0)


if __name__ == "__main__":
    main()
