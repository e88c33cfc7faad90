"""A program that is killed finds at its next start what ran, and that it may have died of it. What comes of that over minutes:
tests/platform/scenes/strikes_test.cc."""

import re
import unittest

from harness import Infra, main, wait_for

SLEEPER = "import time\ndef handler(event, context):\n    time.sleep(200)\n"


class Strikes(unittest.TestCase):
    def metric(self, name):
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.infra.get("/metrics").text, re.MULTILINE)
        return float(found.group(1)) if found else 0

    def test_a_kill_costs_what_runs_a_strike(self):
        self.infra = Infra({"SHUTDOWN_TIMEOUT_SECONDS": "0"}).start()
        self.addCleanup(self.infra.close)
        job = self.infra.run_async(self.infra.deploy(SLEEPER))
        wait_for(lambda: self.metric('job_queue_depth{state="in_flight"}') == 1, what="its start")
        for strikes in (1, 0):  # not begun again by the second kill, it has no other
            self.infra.kill()
            self.infra.start()
            self.assertEqual(self.metric("job_strikes_total"), strikes)
        self.assertEqual(self.infra.get(f"/status/{job}").json(), {"status": "pending"})
        self.assertEqual(self.infra.stop(), 0)


if __name__ == "__main__":
    main()
