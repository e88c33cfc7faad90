"""maxConcurrency and keepWarm over a fleet: two controllers and two workers keep one limit, a dead worker's place comes back,
and instances that are kept go with their function."""

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from fleet_case import FleetCase
from fleet_harness import sum_of
from harness import ECHO, main, wait_for

TIMED = ("import time\ndef handler(seconds, context):\n  begun = time.time()\n  time.sleep(seconds)\n"
         "  return [begun, time.time()]")
IDLE = 1  # seconds


class Apart:
    def assert_apart(self, spans):
        for (_, end), (begin, _) in itertools.pairwise(sorted(spans)):
            self.assertGreaterEqual(begin, end, "two ran at once")


class Death(Apart, FleetCase):
    def test_a_killed_workers_place_comes_back(self):
        function = self.one.deploy(TIMED, maxConcurrency=1)
        answers = []

        def run():
            answers.append(self.one.request("POST", "/run", {"functionId": function, "inputData": 2}, timeout=150))

        first = threading.Thread(target=run)
        first.start()
        busy = wait_for(self.fleet.busy_worker, what="the run's start")
        [gone] = {holder.partition("/")[0] for holder in self.leases().values()}
        second = threading.Thread(target=run)
        second.start()
        busy.kill()
        busy.start()
        self.await_past_leases(lambda: not first.is_alive() and not second.is_alive(), "both answers", lambda holder: holder.startswith(gone))
        first.join()
        second.join()
        self.assertEqual([answer.json()["status"] for answer in answers], ["SUCCESS"] * 2, answers)
        self.assert_apart([answer.json()["result"] for answer in answers])


class Limits(Apart, FleetCase):
    environment = {"INFRA_MAX_WAITING": "30", "INFRA_IDLE_TIMEOUT_SECONDS": str(IDLE)}

    def test_the_limit_holds_across_workers_and_controllers(self):
        function = self.one.deploy(TIMED, maxConcurrency=1)
        other = self.one.deploy(ECHO)
        with ThreadPoolExecutor(24) as clients:
            answers = [clients.submit((self.one, self.two)[i % 2].run, function, 0.05) for i in range(24)]
            for i in range(5):
                self.assertEqual(self.two.result(other, i)["result"], {"echo": i})
        results = [answer.result().json() for answer in answers]
        self.assertEqual({result["status"] for result in results}, {"SUCCESS"}, results)
        self.assertEqual(len({result["workerId"] for result in results}), 2, "one worker had all the runs")
        self.assert_apart([result["result"] for result in results])

    def test_the_bound_counts_for_all_controllers(self):
        function = self.one.deploy(TIMED, maxConcurrency=1)
        self.one.result(function, 0)
        jobs = [self.one.run_async(function, 4)]
        wait_for(self.fleet.busy_worker, what="the run's start")
        jobs += [(self.one, self.two)[i % 2].run_async(function, 0.02) for i in range(30)]
        for client in (self.one, self.two):
            answer = client.run(function, 0)
            self.assertEqual((answer.status, answer.json()["code"]), (429, "function_busy"), answer)
        self.assert_apart([self.two.await_result(job, 60)["result"] for job in jobs])

    def instances(self):
        return sum(sum_of(worker.get("/metrics").text, "worker_pool_instances") for worker in self.fleet.worker_clients)

    def await_instances(self, count):
        wait_for(lambda: self.instances() == count, what=f"{count} idle instances")

    def test_each_worker_keeps_its_own_until_the_function_changes(self):
        self.await_instances(0)  # other tests' have ended
        function = self.one.deploy(ECHO, keepWarm=1)
        other = self.one.deploy(ECHO)
        self.await_instances(2)
        self.assertFalse(self.two.result(function)["coldStart"])
        self.assertTrue(self.one.result(other)["coldStart"])
        time.sleep(2 * IDLE + 1)
        self.assertEqual(self.instances(), 2)
        self.assertEqual(self.two.request("PUT", f"/functions/{function}", {"keepWarm": 0}).status, 200)
        self.await_instances(0)
        self.assertEqual(self.two.request("PUT", f"/functions/{function}", {"keepWarm": 1, "memoryMb": 192}).status, 200)
        self.await_instances(2)
        result = self.one.result(function)
        self.assertEqual((result["coldStart"], result["allocatedMemoryMb"]), (False, 192))
        self.assertEqual(self.two.request("DELETE", f"/functions/{function}").status, 200)
        wait_for(lambda: self.instances() == 0, 1, "its end")


if __name__ == "__main__":
    main(at_once=2)
