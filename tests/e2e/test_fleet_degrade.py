"""Engines that die, freeze, slow down, throttle or come back empty: health says so within two seconds, nobody waits past a
deadline, what can't be accepted is refused with Retry-After, and after recovery everything works without a restart. The classes, each
with a fleet of its own, run at once."""

import contextlib
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from fleet_harness import FleetClients, sum_of
from fleet_load import INSTANT, Crowd
from harness import ECHO, SANITIZED, Infra, bundle, main, wait_for

FACTOR = 4 if SANITIZED else 1
NOTICED = 2.0 * FACTOR  # seconds to health's 503, and from recovery to work
PATIENT = 6.0 * FACTOR  # the longest that a refused request may take
POLL = 5.5  # seconds; the workers' longest poll is 5
SERVICES = {"s3": "code", "sqs": "queue", "dynamodb": "functions", "redis": "redis"}  # and their names in health
AWAY = (("cut",), ("reset",), ("freeze",), ("half_open",))
GONE = (("cut",), ("freeze",))  # where the client is the tables' own, which meets them all


class Degrading:
    """On a fleet whose engines are behind proxies."""

    @classmethod
    def setUpClass(cls):
        cls.fleet = FleetClients(Infra, faulty=tuple(SERVICES)).start()
        cls.addClassCleanup(cls.fleet.close)
        cls.client = cls.fleet.clients[0]
        cls.function = cls.client.deploy(ECHO)
        cls.sleeper = cls.client.deploy("import time\ndef handler(seconds, context):\n  time.sleep(seconds)\n  return 'slept'")
        for function in (cls.function, cls.sleeper):
            cls.client.result(function, 0)
            wait_for(lambda: cls.client.get(f"/functions/{function}").json()["invocations"] == 1, what="its count")  # noqa: B023

    def unhealthy(self, check):
        """Health turns 503, names the check, and does it in time; on every controller, and on the workers that use the engine."""
        programs = self.fleet.clients if check == "functions" else (*self.fleet.clients, *self.fleet.worker_clients)

        def says():
            answers = [program.get("/health") for program in programs]
            return all(a.status == 503 and a.json()["checks"][check]["status"] == "ERROR" for a in answers)
        wait_for(says, NOTICED, f"health's word about {check}")

    def works_again(self):
        """Within the bound: healthy, runs, accepts; on every controller."""
        def works():
            return all(client.get("/health").status == 200 and client.run(self.function, "again").status == 200
                       for client in self.fleet.clients)
        wait_for(works, NOTICED, "recovery")
        for client in self.fleet.clients:
            job = client.run_async(self.function, "again")
            self.assertEqual(client.await_result(job)["status"], "SUCCESS")

    def in_time(self, ask):
        started = time.monotonic()
        answer = ask()
        self.assertLess(time.monotonic() - started, PATIENT, answer)
        return answer

    def assert_refused(self, *asks):
        """A 503 with Retry-After, in time, to each of those that ask at once."""
        with ThreadPoolExecutor(len(asks)) as clients:
            for answer in list(clients.map(self.in_time, asks)):
                self.assertEqual(answer.status, 503, answer)
                self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)

    def assert_runs(self, data):
        answer = self.in_time(lambda: self.client.run(self.function, data))
        self.assertEqual((answer.status, answer.json().get("result")), (200, {"echo": data}), answer)
        return answer

    def assert_runs_are_refused(self):
        self.assert_refused(*(lambda client=client, headers=headers: client.run(self.function, 1, headers)
                              for client in self.fleet.clients for headers in (None, {"x-async": "true"})))

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

    @contextlib.contextmanager
    def noticed(self, engine, fault, *arguments):
        """A case of its own: the fault, health's word about it, what the caller asserts, and the recovery."""
        with self.subTest(f"{engine}: {fault} {arguments[:1]}"), self.faulty(engine, fault, *arguments):
            self.unhealthy(SERVICES[engine])
            yield


class WithoutRedisOrQueue(Degrading, unittest.TestCase):
    def test_redis_away(self):
        for fault in AWAY:
            with self.noticed("redis", *fault):
                self.assert_runs_are_refused()
                answer = self.in_time(lambda: self.client.get("/functions"))  # what needs no Redis goes on
                self.assertEqual(answer.status, 200, answer)

    def test_what_was_under_way_when_redis_froze_ends_soon_after(self):
        """Whatever the freeze falls into: a job whose lease Redis took, but told nobody of, must not wait for it to end."""
        proxy = self.fleet.fleet.proxies["redis"]
        for _ in range(6):
            answers = []
            threads = [threading.Thread(target=lambda: answers.append(self.client.run(self.function, "x"))) for _ in range(8)]
            with self.faulty("redis", "delay", 3):
                for thread in threads:
                    thread.start()
                time.sleep(0.01)  # now they are here and there
                proxy.freeze()
                time.sleep(1.5)  # a command waits for 1 s
                proxy.pass_on()
                thawed = time.monotonic()
                for thread in threads:
                    thread.join()
                self.assertLess(time.monotonic() - thawed, PATIENT)
            self.assertEqual([answer.status for answer in answers], [200] * 8)

    def test_the_queue_away_and_throttling(self):
        for fault in (*GONE, ("throttle",)):
            with self.noticed("sqs", *fault):
                self.assert_runs_are_refused()


class WithoutTablesOrBucket(Degrading, unittest.TestCase):
    def test_the_tables_away_failing_and_throttling(self):
        other = self.client.deploy(ECHO)
        for fault in (*AWAY, ("answer", 500), ("throttle",)):
            with self.noticed("dynamodb", *fault):
                self.assert_refused(lambda: self.client.get("/functions"),
                                    lambda: self.client.get(f"/functions/{self.function}/logs"),
                                    lambda: self.client.get(f"/functions/{self.function}/advice"),
                                    lambda: self.client.request("PUT", f"/functions/{self.function}/advice"),
                                    lambda: self.client.request("PUT", f"/functions/{other}", {"memoryMb": 256}),
                                    lambda: self.client.request("DELETE", f"/functions/{other}"))

    def test_what_a_controller_knows_runs_without_the_tables(self):
        """Its row is known; it is accepted, run and answered, and written down when the tables are back."""
        self.client.result(self.function, "known")
        with self.faulty("dynamodb", "cut"):
            answer = self.assert_runs("kept")
        request = answer.headers["x-request-id"]
        wait_for(lambda: self.client.get(f"/functions/{self.function}/logs/{request}").status == 200, 10, "its row")

    def test_the_bucket_away_and_throttling(self):
        slow_down = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
        code = bundle({"main.py": ECHO})
        for fault in (*GONE, ("answer", 503, slow_down, "application/xml")):
            with self.noticed("s3", *fault):
                self.assert_refused(lambda: self.client.upload(code),
                                    lambda: self.client.upload(code, method="PUT", path=f"/functions/{self.function}"))
                self.assert_runs("warm")  # workers have its code

    def test_a_job_whose_code_cannot_be_fetched_waits_for_the_bucket(self):
        fresh = self.client.deploy(ECHO)
        with self.faulty("s3", "cut"):
            job = self.client.run_async(fresh, "kept")
            self.assertEqual(self.client.get(f"/status/{job}").json(), {"status": "pending"})
        self.assertEqual(self.client.await_result(job)["result"], {"echo": "kept"})

    def test_an_engine_that_goes_away_during_a_run(self):
        """The run was accepted: its waiter gets the answer, as late as the engine comes back, and it has run once."""
        for engine, fault in (("redis", "cut"), ("redis", "freeze"), ("redis", "half_open"), ("sqs", "freeze"), ("dynamodb", "cut")):
            with self.subTest(f"{engine}: {fault}"):
                wait_for(lambda: not self.fleet.busy_worker(), what="the end of earlier runs")
                before = self.counted(self.sleeper)
                answers = []
                waiting = threading.Thread(target=lambda: answers.append(self.client.run(self.sleeper, 0.8)))  # noqa: B023
                waiting.start()
                wait_for(self.fleet.busy_worker, what="the run's start")
                with self.faulty(engine, fault):
                    time.sleep(1.3)  # it ends within this
                waiting.join()
                self.assertEqual((answers[0].status, answers[0].json().get("result")), (200, "slept"), answers)
                wait_for(lambda: self.counted(self.sleeper) > before, 5, "the count")  # noqa: B023
                self.assertEqual(self.counted(self.sleeper), before + 1)

    def counted(self, function):
        return self.client.get(f"/functions/{function}").json()["invocations"]

    def test_everything_slow_but_there(self):
        for engine in SERVICES:
            with self.subTest(engine), self.faulty(engine, "delay", 150):
                self.assert_runs("slow")
                job = self.client.run_async(self.function, "slow")
                self.assertEqual(self.client.await_result(job)["status"], "SUCCESS")


class RateWithoutRedis(unittest.TestCase):
    def test_each_controllers_own_window_holds(self):
        fleet = FleetClients(Infra, {"RATE_LIMIT": "10", "RATE_LIMIT_WINDOW_SECONDS": "600", "TRUSTED_PROXY_HOPS": "1"}, faulty=("redis",),
                             workers=0).start()
        self.addCleanup(fleet.close)
        proxy = fleet.fleet.proxies["redis"]
        for fault, address in (("cut", "192.0.2.1"), ("freeze", "192.0.2.2")):
            with self.subTest(fault):
                self.check(*fleet.clients, getattr(proxy, fault), address)
                proxy.pass_on()
                wait_for(lambda: all(client.get("/health").status == 200 for client in fleet.clients), NOTICED, "recovery")

    def check(self, one, two, fail, address):
        unknown = {"functionId": "01890000-0000-7000-8000-000000000000"}

        def let_through(client, count):
            answers = [client.request("POST", "/run", unknown, {"X-Forwarded-For": address}).status for _ in range(count)]
            self.assertLessEqual(set(answers), {404, 429})
            return answers.count(404)

        self.assertEqual(let_through(one, 4) + let_through(two, 3), 7)
        before = self.counted_alone(one)
        fail()
        started = time.monotonic()
        self.assertEqual(let_through(one, 15), 6)  # its own four count
        self.assertEqual(let_through(two, 15), 7)
        self.assertLess(time.monotonic() - started, PATIENT)
        self.assertGreater(self.counted_alone(one), before)

    def counted_alone(self, client):
        return sum_of(client.get("/metrics").text, "rate_limiter_local_total")


class RedisRestarts(unittest.TestCase):
    """The real server, killed, frozen and started again empty, under load."""

    def setUp(self):
        self.fleet = FleetClients(Infra)
        self.addCleanup(self.fleet.close)

    def test_restarted_empty_and_frozen_under_load(self):
        self.fleet.start()
        client = self.fleet.clients[1]
        function = client.deploy(INSTANT)
        client.result(function, 0)
        over = threading.Event()
        # Connections that wait for a result ask nothing meanwhile: six never wait.
        crowd = Crowd(self.fleet.clients, function, 0, 12, is_async=lambda _, connection: connection < 6,
                      more=lambda: not over.is_set()).start()
        redis = self.fleet.fleet.redis
        for step, pause in ((redis.kill, 1.5), (redis.restart, 1.5), (redis.freeze, 8), (redis.thaw, 1.5)):  # it restarts empty
            time.sleep(0.5)
            step()
            time.sleep(pause)
        over.set()
        crowd.join()
        self.assertEqual((crowd.wrong, crowd.broken), ([], []))
        some = [len(crowd.accepted), len(crowd.answered), len(crowd.refused)]
        self.assertGreater(min(some), 5, some)
        self.assertLess(crowd.slowest, PATIENT)
        for job in crowd.accepted:
            self.assertEqual(client.await_result(job, 60)["status"], "SUCCESS")
        done = crowd.accepted + [request for request, _ in crowd.answered]
        wait_for(lambda: client.get(f"/functions/{function}").json()["invocations"] > len(done), 10, f"the counts of {len(done) + 1}")
        rows = [row["requestId"] for row in client.log_rows(function, len(done) + 1)]
        self.assertEqual(client.get(f"/functions/{function}").json()["invocations"], len(done) + 1)
        self.assertEqual(len(rows), len(done) + 1)
        self.assertEqual(set(done) - set(rows), set())

    def test_not_there_at_the_start(self):
        fleet = self.fleet.fleet
        fleet.folder.mkdir(parents=True)
        fleet.start_engines()
        fleet.redis.kill()
        fleet.start_programs()
        self.fleet.connect()
        client = self.fleet.clients[0]
        self.assertEqual(client.get("/health").status, 503)
        self.function = client.deploy(ECHO)
        self.assertEqual(client.run(self.function, 1).status, 503)
        fleet.redis.restart()
        wait_for(lambda: client.get("/health").status == 200 and client.run(self.function, 1).status == 200, NOTICED,
                 "the work's begin")


if __name__ == "__main__":
    main(at_once=3)
