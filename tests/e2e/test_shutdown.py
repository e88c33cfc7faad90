"""SIGTERM and SIGINT: what is in flight is answered, what was accepted is given back, the exit status is 0, and it is bounded. What comes
of it, word by word: tests/platform/scenes/stops_test.cc."""

import http.client
import signal
import threading
import time
import unittest

from harness import Infra, main, wait_for

SLEEPER = "import time\ndef handler(seconds, context):\n  time.sleep(seconds)\n  return 'slept'"


class Shutdown(unittest.TestCase):
    def begin(self, **env):
        self.infra = Infra(env).start()
        self.addCleanup(self.infra.close)
        self.function = self.infra.deploy(SLEEPER)
        self.assertEqual(self.infra.result(self.function, 0)["result"], "slept")
        # It counts among the active ones until it is settled, which comes after its answer.
        wait_for(lambda: self.active_jobs() == 0, what="the first run's settlement")

    def active_jobs(self):
        return self.infra.get("/system/status").json()["active_jobs"]

    def in_flight(self, count, seconds):
        """Sync runs that are with the worker; their answers come to the list."""
        answers = []

        def run():
            answers.append(self.infra.run(self.function, seconds))

        threads = [threading.Thread(target=run) for _ in range(count)]
        for thread in threads:
            thread.start()
        wait_for(lambda: self.active_jobs() >= count, what="the jobs' start")
        return threads, answers

    def refuses(self):
        try:
            connection = self.infra.connect(timeout=2)
            connection.connect()
            connection.close()
            return False
        except OSError:
            return True

    def test_what_is_in_flight_is_answered(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            self.begin()
            threads, answers = self.in_flight(3, 1.5)
            self.infra.signal(number)
            wait_for(self.refuses, what="the refusal of new connections")
            self.assertFalse(answers, "the runs ended before the connections were refused")
            self.assertIsNone(self.infra.process.poll())
            for thread in threads:
                thread.join()
            self.assertEqual([(a.status, a.json()["result"]) for a in answers], [(200, "slept")] * 3)
            self.assertEqual(self.infra.wait(), 0)

    def test_past_the_deadline_what_runs_is_ended_and_the_program_too(self):
        self.begin(SHUTDOWN_TIMEOUT_SECONDS="0")
        threads, answers = self.in_flight(2, 60)
        job = self.infra.run_async(self.function, 0.01)
        started = time.monotonic()
        self.assertEqual(self.infra.stop(), 0)
        self.assertLess(time.monotonic() - started, 7)
        for thread in threads:
            thread.join()
        self.infra.start()
        for answer in answers:
            self.assertEqual(answer.status, 503, answer)
            self.assertEqual(self.infra.await_result(answer.json()["jobId"])["status"], "ERROR")
        self.assertEqual(self.infra.await_result(job)["result"], "slept")
        self.assertEqual(self.infra.stop(), 0)

    def test_signals_within_a_second_are_one_and_a_later_one_exits_at_once(self):
        self.begin()
        threads, _ = self.in_flight(1, 60)
        first = time.monotonic()
        self.infra.signal(signal.SIGTERM)
        wait_for(self.refuses, what="the first signal's effect")

        def ended():
            for number in (signal.SIGTERM, signal.SIGINT):
                self.infra.signal(number)
            return self.infra.process.poll() is not None

        wait_for(ended, what="the end")
        self.assertGreater(time.monotonic() - first, 0.9)
        self.assertLess(time.monotonic() - first, 10)
        self.assertIn(self.infra.wait(), (128 + signal.SIGTERM, 128 + signal.SIGINT))
        self.assertIn("second signal", self.infra.said())
        for thread in threads:
            thread.join()

    def test_idle_connections_do_not_hold_it_up(self):
        self.begin()
        connection = self.infra.connect()
        self.infra.get("/health", connection=connection)
        started = time.monotonic()
        self.assertEqual(self.infra.stop(), 0)
        self.assertLess(time.monotonic() - started, 5)
        connection.close()


def quiet_threads(arguments):
    """A run whose connection a killed program cut is expected here."""
    if not issubclass(arguments.exc_type, (OSError, http.client.HTTPException)):
        threading.__excepthook__(arguments)


if __name__ == "__main__":
    threading.excepthook = quiet_threads
    main()
