"""One function's flood keeps nobody else waiting in a fleet, in slots and in memory. On one machine: tests/platform/scenes/limits_test.cc."""

import time
from concurrent.futures import ThreadPoolExecutor

from harness import ECHO, Case, main, only_in_a_fleet, wait_for

LONG = "import time\ndef handler(event, context):\n    time.sleep(8)\n"
NOW = "import time\ndef handler(event, context):\n    return time.time()\n"
FLOOD = 80  # of 8 s each: with thirteen slots of sixteen they last for most of a minute


@only_in_a_fleet
class Fairness(Case):
    environment = {"SHUTDOWN_TIMEOUT_SECONDS": "1"}  # what is left of the flood need not end

    def depth(self, state):
        name = f'job_queue_depth{{state="{state}"}} '
        lines = self.infra.get("/metrics").text.splitlines()
        return next((float(line[len(name):]) for line in lines if line.startswith(name)), None)

    def test_a_flood_of_one_function_keeps_no_other_waiting(self):
        other, now = self.infra.deploy(ECHO), self.infra.deploy(NOW)
        self.assertEqual(self.infra.run(other, 1).json()["status"], "SUCCESS")
        flood = self.infra.deploy(LONG)
        with ThreadPoolExecutor(8) as pool:
            jobs = list(pool.map(lambda _: self.infra.run_async(flood), range(FLOOD)))
        wait_for(lambda: (self.depth("in_flight") or 0) >= 5, what="the flood's runs")
        answers = [self.infra.run(other, n).json() for n in range(20)]
        self.assertEqual([answer["result"] for answer in answers], [{"echo": n} for n in range(20)])
        sent = time.time()
        job = self.infra.run_async(now)
        begun = wait_for(lambda: self.infra.get(f"/status/{job}").json().get("result"))
        self.assertLess(begun - sent, 5)
        pending = sum(self.infra.get(f"/status/{job}").json().get("status") == "pending" for job in jobs)
        self.assertGreater(pending, FLOOD / 2, "all of it was over before most of the flood was")


if __name__ == "__main__":
    main()
