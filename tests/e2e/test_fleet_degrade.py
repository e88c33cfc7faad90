"""Engines that die, freeze, slow down, throttle or come back empty: health says so within two seconds, nobody waits past a
deadline, what can't be accepted is refused with Retry-After, and after recovery everything works without a restart."""

import contextlib
import threading
import time
import unittest

from fleet_harness import FleetClients
from harness import ECHO, SANITIZED, Infra, main, wait_for

FACTOR = 4 if SANITIZED else 1
NOTICED = 2.0 * FACTOR  # seconds to health's 503, and from recovery to work
PATIENT = 6.0 * FACTOR  # the longest that a refused request may take
POLL = 5.5  # seconds; the workers' longest poll is 5
SERVICES = {"s3": "code", "sqs": "queue", "dynamodb": "functions", "redis": "redis"}


class Degrading(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fleet = FleetClients(Infra, faulty=tuple(SERVICES)).start()
        cls.addClassCleanup(cls.fleet.close)
        cls.client = cls.fleet.clients[0]
        cls.function = cls.client.deploy(ECHO)
        cls.client.result(cls.function, 1)

    def unhealthy(self, check, client=None):
        """Health turns 503, names the check, and does it in time."""
        def says():
            answer = (client or self.client).get("/health")
            return answer.status == 503 and answer.json()["checks"][check]["status"] == "ERROR"
        wait_for(says, NOTICED, f"health's word about {check}")

    def works_again(self):
        """Within the bound: healthy, runs, accepts; on every controller."""
        def works():
            for client in self.fleet.clients:
                if client.get("/health").status != 200 or client.run(self.function, "again").status != 200:
                    return False
            return True
        wait_for(works, NOTICED, "recovery")
        for client in self.fleet.clients:
            job = client.run_async(self.function, "again")
            self.assertEqual(client.await_result(job)["status"], "SUCCESS")

    def assert_refused(self, ask):
        """A 503 with Retry-After, in time."""
        started = time.monotonic()
        answer = ask()
        took = time.monotonic() - started
        self.assertEqual(answer.status, 503, answer)
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        self.assertLess(took, PATIENT, answer)

    def assert_runs_are_refused(self):
        for client in self.fleet.clients:
            self.assert_refused(lambda: client.run(self.function, 1, {"x-async": "true"}))  # noqa: B023
            self.assert_refused(lambda: client.run(self.function, 1))  # noqa: B023

    @contextlib.contextmanager
    def faulty(self, engine, fault, *arguments):
        proxy = self.fleet.fleet.proxies[engine]
        getattr(proxy, fault)(*arguments)
        try:
            yield
        finally:
            proxy.pass_on()
        if engine == "sqs" and fault in ("cut", "reset"):
            time.sleep(POLL)  # a poll whose connection broke still takes a message at the queue until it ends
        self.works_again()

    def test_redis_away(self):
        for fault in ("cut", "freeze", "half_open"):
            with self.subTest(fault), self.faulty("redis", fault):
                self.unhealthy("redis")
                self.assert_runs_are_refused()
                answer = self.client.get("/functions")  # what needs no Redis goes on
                self.assertEqual(answer.status, 200, answer)

    def test_the_queue_away(self):
        for fault in ("cut", "reset", "freeze", "half_open"):
            with self.subTest(fault), self.faulty("sqs", fault):
                self.unhealthy("queue")
                self.assert_runs_are_refused()

    def test_the_queue_failing_and_throttling(self):
        with self.subTest("500"), self.faulty("sqs", "answer", 500):
            self.unhealthy("queue")
            self.assert_runs_are_refused()
        with self.subTest("throttled"), self.faulty("sqs", "throttle"):
            self.unhealthy("queue")
            self.assert_runs_are_refused()

    def test_the_tables_away(self):
        other = self.client.deploy(ECHO)
        for fault in ("cut", "half_open"):
            with self.subTest(fault), self.faulty("dynamodb", fault):
                self.unhealthy("functions")
                self.assert_refused(lambda: self.client.get("/functions"))
                self.assert_refused(lambda: self.client.request("PUT", f"/functions/{other}", {"memoryMb": 256}))
                # A function that is known is accepted, and settled when the tables are back.
                job = self.client.run_async(self.function, "kept")
            self.assertEqual(self.client.await_result(job)["result"], {"echo": "kept"})

    def test_the_bucket_away(self):
        for fault in ("cut", "freeze"):
            with self.subTest(fault), self.faulty("s3", fault):
                self.unhealthy("code")
                started = time.monotonic()
                answer = self.client.upload(b"PK\x05\x06" + bytes(18))
                self.assertIn(answer.status, (400, 503), answer)  # an empty ZIP is refused before S3 is asked
                self.assertLess(time.monotonic() - started, PATIENT)
                job = self.client.run_async(self.function, "kept")
            self.assertEqual(self.client.await_result(job)["result"], {"echo": "kept"})

    def test_everything_slow_but_there(self):
        for engine in SERVICES:
            with self.subTest(engine), self.faulty(engine, "delay", 150):
                answer = self.client.run(self.function, "slow")
                self.assertEqual(answer.status, 200, answer)
                job = self.client.run_async(self.function, "slow")
                self.assertEqual(self.client.await_result(job)["status"], "SUCCESS")


class RateWithoutRedis(unittest.TestCase):
    def test_each_controllers_own_window_holds(self):
        fleet = FleetClients(Infra, {"RATE_LIMIT": "10", "RATE_LIMIT_WINDOW_SECONDS": "600"}, faulty=("redis",)).start()
        self.addCleanup(fleet.close)
        unknown = {"functionId": "01890000-0000-7000-8000-000000000000"}
        one, two = fleet.clients

        def let_through(client, count):
            return sum(client.request("POST", "/run", unknown).status != 429 for _ in range(count))

        self.assertEqual(let_through(one, 4) + let_through(two, 3), 7)
        fleet.fleet.proxies["redis"].cut()
        wait_for(lambda: one.get("/health").status == 503 and two.get("/health").status == 503, NOTICED, "the loss")
        self.assertEqual(let_through(one, 15), 6)   # its own four count
        self.assertEqual(let_through(two, 15), 7)
        self.assertRegex(one.get("/metrics").text, r"(?m)^rate_limiter_local_total [1-9]")


class RedisRestarts(unittest.TestCase):
    """The real server, killed, frozen and started again empty, under load."""

    def setUp(self):
        self.fleet = FleetClients(Infra)
        self.addCleanup(self.fleet.close)

    def load(self, seconds):
        """Async jobs as fast as they are accepted, sync ones between; every 202 is remembered."""
        accepted, statuses, end = [], [], time.monotonic() + seconds

        def ask(client):
            while time.monotonic() < end:
                started = time.monotonic()
                answer = client.run(self.function, "x", {"x-async": "true"})
                statuses.append((answer.status, time.monotonic() - started))
                if answer.status == 202:
                    accepted.append(answer.json()["jobId"])
                else:
                    time.sleep(0.02)

        threads = [threading.Thread(target=ask, args=(client,)) for client in self.fleet.clients for _ in range(3)]
        for thread in threads:
            thread.start()
        return threads, accepted, statuses

    def check(self, threads, accepted, statuses):
        for thread in threads:
            thread.join()
        self.assertLessEqual({status for status, _ in statuses}, {202, 503})
        self.assertGreater(len(accepted), 20)
        self.assertLess(max(took for _, took in statuses), PATIENT)
        client = self.fleet.clients[1]
        for job in accepted:
            self.assertEqual(client.await_result(job, 60)["status"], "SUCCESS")
        wait_for(lambda: client.get(f"/functions/{self.function}").json()["invocations"] == len(accepted), 10, "the counts")
        rows = [row["requestId"] for row in client.pages(f"/functions/{self.function}/logs?limit=1000")]
        self.assertEqual(sorted(rows), sorted(accepted))

    def test_restarted_empty_and_frozen_under_load(self):
        self.fleet.start()
        self.function = self.fleet.clients[0].deploy(ECHO)
        load = self.load(16)
        redis = self.fleet.fleet.redis
        time.sleep(1)
        redis.kill()
        time.sleep(1.5)
        redis.restart()  # empty
        time.sleep(1.5)
        redis.freeze()
        time.sleep(6)
        redis.thaw()
        self.check(*load)

    def test_not_there_at_the_start(self):
        fleet = self.fleet.fleet
        fleet.folder.mkdir(parents=True)
        fleet.start_engines()
        fleet.redis.kill()
        fleet.start_programs()
        self.fleet.clients = [self.fleet.client_to(controller) for controller in fleet.controllers]
        client = self.fleet.clients[0]
        self.assertEqual(client.get("/health").status, 503)
        self.function = client.deploy(ECHO)
        self.assertEqual(client.run(self.function, 1).status, 503)
        fleet.redis.restart()
        wait_for(lambda: client.get("/health").status == 200 and client.run(self.function, 1).status == 200, NOTICED,
                 "the work's begin")


if __name__ == "__main__":
    main()
