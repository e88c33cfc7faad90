"""SIGTERM in a fleet: a controller answers what waits with it, a worker finishes or gives back, and nothing waits for a lease. Mostly
it waits for runs and polls: the classes run at once."""

import signal
import threading
import time
import unittest

from fleet_harness import FleetClients
from harness import SANITIZED, Infra, main, wait_for

SLEEPER = "import time\ndef handler(seconds, context):\n  time.sleep(seconds)\n  return 'slept'"
POLL = 5  # seconds: a worker waits for the end of a poll, because the queue may be giving it a message
BOUND = POLL + 3 * (4 if SANITIZED else 1)
LEASE = 30


class Shutdown:
    """Each test has a fleet of its own."""

    def setUp(self):
        self.fleet = FleetClients(Infra, {"SHUTDOWN_TIMEOUT_SECONDS": "3"}).start()
        self.addCleanup(self.fleet.close)
        self.one, self.two = self.fleet.clients
        self.workers = self.fleet.fleet.workers
        self.function = self.one.deploy(SLEEPER)
        self.one.result(self.function, 0)

    def waiting(self, count, seconds, enough=lambda: True):
        """Sync runs with the first controller that have begun, and more until there are enough; their answers come to the list."""
        threads, answers = [], []
        while len(threads) < count or not enough():
            self.assertLess(len(threads), 12, "one worker takes all the runs")
            threads.append(threading.Thread(target=lambda: answers.append(self.one.run(self.function, seconds))))
            threads[-1].start()
            wait_for(lambda: sum(self.fleet.jobs_running()) >= len(threads), what="the runs' start")
        return threads, answers

    def assert_recorded(self, requests):
        """A row and a count for each of these and for setUp's run, and no more."""
        wait_for(lambda: self.two.get(f"/functions/{self.function}").json().get("invocations") == len(requests) + 1, 5, "the counts")
        rows = [row["requestId"] for row in self.two.log_rows(self.function, len(requests) + 1)]
        self.assertEqual(len(rows), len(requests) + 1)
        self.assertLessEqual(set(requests), set(rows))


class OfControllers(Shutdown, unittest.TestCase):
    def test_a_controller_answers_what_waits_with_it(self):
        threads, answers = self.waiting(3, 2)
        controller = self.fleet.fleet.controllers[0]
        controller.signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        self.assertEqual([(answer.status, answer.json()["result"]) for answer in answers], [(200, "slept")] * 3)
        self.assertEqual(controller.wait(), 0)
        self.assertEqual(self.two.result(self.function, 0)["result"], "slept")  # nobody misses it

    def test_who_still_waits_when_a_controller_ends_finds_the_result_at_the_other(self):
        threads, answers = self.waiting(2, 6)
        controller = self.fleet.fleet.controllers[0]
        self.assertEqual(controller.stop(), 0)
        for thread in threads:
            thread.join()
        for answer in answers:
            self.assertEqual(answer.status, 503, answer)
            result = self.two.await_result(answer.json()["jobId"])
            self.assertEqual((result["status"], result["result"]), ("SUCCESS", "slept"))


class OfAWorker(Shutdown, unittest.TestCase):
    def test_a_worker_gives_back_what_it_cannot_finish_and_another_runs_it_at_once(self):
        threads, answers = self.waiting(4, 6, enough=lambda: all(self.fleet.jobs_running()))
        started = time.monotonic()
        self.assertEqual(self.workers[0].stop(), 0)
        for thread in threads:
            thread.join()
        self.assertEqual([(answer.status, answer.json()["result"]) for answer in answers], [(200, "slept")] * len(threads))
        self.assertLess(time.monotonic() - started, LEASE - 5, "it waited for a lease")
        self.assert_recorded([answer.headers["x-request-id"] for answer in answers])


class OfAll(Shutdown, unittest.TestCase):
    def test_what_all_workers_gave_back_runs_after_they_have_started_again(self):
        jobs = [self.one.run_async(self.function, seconds) for seconds in [6] * 3 + [0.1] * 30]
        wait_for(self.fleet.busy_worker, what="a run's start")
        for worker in self.workers:
            worker.signal(signal.SIGTERM)
        self.assertEqual([worker.wait() for worker in self.workers], [0, 0])
        for worker in self.workers:
            worker.start()
        started = time.monotonic()
        for job in jobs:
            self.assertEqual(self.two.await_result(job, LEASE)["result"], "slept")
        self.assertLess(time.monotonic() - started, LEASE - 5, "they waited for a lease")
        self.assert_recorded(jobs)

    def test_an_idle_fleet_ends_soon(self):
        programs = (*self.fleet.fleet.controllers, *self.workers)
        started = time.monotonic()
        for program in programs:
            program.signal(signal.SIGTERM)
        self.assertEqual([program.wait() for program in programs], [0] * 4)
        self.assertLess(time.monotonic() - started, BOUND)


if __name__ == "__main__":
    main(at_once=3)
