"""maxConcurrency: a function never runs more often at once than it says; more wait, and what may not wait is told so. On one machine all
of it is in tests/platform/scenes/limits_test.cc; here is what takes real functions and connections."""

import time
from concurrent.futures import ThreadPoolExecutor

from harness import ECHO, Case, main, only_in_a_fleet, wait_for

# Says when it ran, by the machine's clock.
TIMED = ("import time\ndef handler(seconds, context):\n  begun = time.time()\n  time.sleep(seconds)\n"
         "  return [begun, time.time()]")
MAX_WAITING = 4


def most_at_once(spans):
    """How many of the [begin, end] spans overlap at most."""
    edges = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    running = most = 0
    for _, step in edges:
        running += step
        most = max(most, running)
    return most


class Concurrency(Case):
    environment = {"INFRA_MAX_WAITING": str(MAX_WAITING)}

    def limited(self, limit, source=TIMED):
        return self.infra.deploy(source, maxConcurrency=limit)

    def run_all(self, function, count, seconds):
        with ThreadPoolExecutor(count) as clients:
            answers = list(clients.map(lambda _: self.infra.run(function, seconds), range(count)))
        self.assertEqual([answer.status for answer in answers], [200] * count, answers)
        results = [answer.json() for answer in answers]
        self.assertEqual([result["status"] for result in results], ["SUCCESS"] * count, results)
        return [result["result"] for result in results]

    def counter(self, name):
        lines = self.infra.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    def test_never_more_at_once_than_it_says(self):
        for limit in (1, 2):
            with self.subTest(limit):
                spans = self.run_all(self.limited(limit), 5, 0.15)
                self.assertEqual(most_at_once(spans), limit)

    @only_in_a_fleet
    def test_other_functions_go_on_meanwhile(self):
        function, other = self.limited(1), self.infra.deploy(ECHO)
        self.infra.result(other)
        jobs = [self.infra.run_async(function, 1) for _ in range(1 + MAX_WAITING)]
        took = []
        for i in range(20):
            begun = time.monotonic()
            self.assertEqual(self.infra.result(other, i)["result"], {"echo": i})
            took.append(time.monotonic() - begun)
        self.assertLess(max(took), 0.9, "it waited for a run of the other function")
        spans = [self.infra.await_result(job)["result"] for job in jobs]
        self.assertEqual(most_at_once(spans), 1)

    @only_in_a_fleet
    def test_what_may_not_wait_is_refused_and_leaves_nothing(self):
        function = self.limited(1)
        self.infra.result(function, 0)
        refused_before = self.counter("function_busy_refusals_total")
        jobs = [self.infra.run_async(function, seconds) for seconds in [3] + [0] * MAX_WAITING]
        for headers in (None, {"x-async": "true"}):
            answer = self.infra.run(function, 0, headers)
            error = self.assert_error(answer, 429, "function_busy",
                                      ["at most 1 times at once", "maxConcurrency", f"{MAX_WAITING} more"])
            self.assertEqual(answer.headers["Retry-After"], "1")
            self.assert_error(self.infra.get(f"/status/{error['requestId']}"), 404)
        self.assertEqual(self.counter("function_busy_refusals_total"), refused_before + 2)
        self.assertEqual(most_at_once([self.infra.await_result(job)["result"] for job in jobs]), 1)
        # What is done makes room for others.
        wait_for(lambda: self.infra.run(function, 0).status == 200, 2, "room for another run")
        self.assertEqual(len(self.infra.log_rows(function, 3 + MAX_WAITING)), 3 + MAX_WAITING)

    def test_who_calls_one_run_after_another_never_finds_it_busy(self):
        """A run that is answered takes nobody's place, though its row may still be on its way to the disk."""
        function = self.infra.deploy(ECHO, maxConcurrency=1)
        connection = self.infra.connect()
        answers = [self.infra.run_on(connection, function, None).status for _ in range(200)]
        self.assertEqual(answers, [200] * 200)

    def test_a_failing_run_makes_room_too(self):
        function = self.limited(1, "import os, time\ndef handler(e, c):\n  if e: os._exit(3)\n  raise ValueError('no')")
        for i in range(3 * (1 + MAX_WAITING)):
            self.assertEqual(self.infra.result(function, i % 2)["status"], "FAILED")

    @only_in_a_fleet
    def test_a_changed_limit_holds_from_the_next_run_on(self):
        function = self.limited(1)
        self.assertEqual(self.infra.request("PUT", f"/functions/{function}", {"maxConcurrency": 3}).status, 200)
        self.assertEqual(most_at_once(self.run_all(function, 6, 0.3)), 3)
        self.assertEqual(self.infra.request("PUT", f"/functions/{function}", {"maxConcurrency": 0}).status, 200)
        self.assertGreater(most_at_once(self.run_all(function, 8, 0.5)), 3)


if __name__ == "__main__":
    main()
