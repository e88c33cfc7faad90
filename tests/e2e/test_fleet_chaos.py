"""A crowd on a fleet that is well, and on one whose programs are killed every two seconds: nothing is lost, nothing twice.
`./dev bench fleet` does the same at full size."""

from fleet_case import FleetCase
from fleet_load import INSTANT, PATIENT, Crowd, Killer
from harness import SANITIZED, main, wait_for

RUNS = 300 if SANITIZED else 1500


class Chaos(FleetCase):
    def setUp(self):
        self.client = self.two
        self.function = self.client.deploy(INSTANT)
        self.client.result(self.function, 0)

    def assert_recorded(self, requests, extra):
        """A row for each of these, at most `extra` more, no row twice, and the counters equal to the rows (a kill between a row
        and its count may cost that count)."""
        rows = [row["requestId"] for row in self.client.pages(f"/functions/{self.function}/logs?limit=1000")]
        self.assertEqual(len(rows), len(set(rows)), "a run has two rows")
        self.assertLessEqual(set(requests), set(rows))
        self.assertLessEqual(len(rows) - len(set(requests)), extra)
        return len(rows)

    def two_workers(self):
        listed = {worker["workerId"] for worker in self.client.get("/workers").json()["workers"]}
        return len(listed) == 2 and listed

    def counted(self):
        return self.client.get(f"/functions/{self.function}").json()["invocations"]

    def test_a_crowd_is_answered(self):
        crowd = Crowd(self.fleet.clients, self.function, RUNS).start().join()
        self.assertEqual((crowd.wrong, crowd.refused, crowd.broken), ([], [], []))
        self.assertEqual(len(crowd.answered), RUNS)
        wait_for(lambda: self.counted() == RUNS + 1, 10, "the counters")
        wait_for(lambda: len(self.client.pages(f"/functions/{self.function}/logs?limit=1000")) == RUNS + 1, 10, "the rows")
        self.assert_recorded([request for request, _ in crowd.answered], 1)

    def test_kills_every_two_seconds_lose_nothing(self):
        fleet = self.fleet.fleet
        with Killer([fleet.controllers[0], fleet.workers[0]]) as killer:
            crowd = Crowd(self.fleet.clients, self.function, RUNS, is_async=lambda turn, _: turn % 3 == 0,
                          more=lambda: killer.kills < 2).start().begun()
        live = wait_for(self.two_workers, what="those that died to be forgotten")

        def is_gone(holder):
            return holder.partition("/")[0] not in live

        self.await_past_leases(lambda: not crowd.goes_on, "all answers", is_gone, PATIENT)
        crowd.join()
        self.assertGreaterEqual(killer.kills, 2)
        self.assertEqual(crowd.wrong, [])
        self.assertEqual({index for index, _ in crowd.broken} - {0}, set(), "a connection to the other controller broke")
        self.assertEqual([r for r in crowd.refused if r[0] != 0], [], "the other controller refused")
        self.await_past_leases(self.fleet.queue_is_empty, "the end of the queue", is_gone, PATIENT)
        for job in crowd.accepted:
            self.assertEqual(self.client.await_result(job)["status"], "SUCCESS")
        done = [request for request, _ in crowd.answered] + crowd.accepted
        rows = self.assert_recorded(done, len(crowd.broken) + len(crowd.refused) + 1)
        self.assertLessEqual(self.counted(), rows)
        self.assertGreaterEqual(self.counted(), rows - killer.kills * 16, "more counts are lost than jobs ran when it was killed")


if __name__ == "__main__":
    main()
