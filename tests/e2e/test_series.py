"""A function's runs over time: on one machine at once, in a fleet once its programs have written them."""

import unittest
import urllib.parse

from fleet_harness import FleetClients
from harness import Case, Infra, main

CODE = "held = b'x' * (8 << 20)\ndef handler(event, context):\n  if event: raise ValueError(event)\n  return 'done'"


class Series:
    def points(self, infra, function, query=""):
        answer = infra.get(f"/functions/{function}/series{query}")
        self.assertEqual(answer.status, 200, answer)
        return answer.json()["points"]

    def assert_adds_up(self, points, runs, errors):
        self.assertEqual([sum(point[name] for point in points) for name in ("runs", "errors")], [runs, errors], points)
        self.assertGreaterEqual(sum(point["coldStarts"] for point in points), 1)
        for point in points:
            self.assertTrue(0 < point["p50Ms"] <= point["p99Ms"] <= point["maxMs"], point)
            self.assertLessEqual(point["averageMs"], point["maxMs"], point)
            self.assertGreater(point["peakMemoryMb"], 0, point)


class OnOneMachine(Series, Case):
    def test_runs_are_there_with_their_rows_and_outlive_a_restart(self):
        function = self.infra.deploy(CODE)
        for event in (0, 0, "x"):
            self.infra.result(function, event)
        rows = self.infra.log_rows(function, 3)
        self.assert_adds_up(self.points(self.infra, function), 3, 1)
        first = urllib.parse.quote(min(row["timestamp"] for row in rows))
        self.assert_adds_up(self.points(self.infra, function, f"?from={first}&step=86400"), 3, 1)
        self.infra.stop()
        self.infra.start()
        self.assert_adds_up(self.points(self.infra, function), 3, 1)

    def test_nothing_ran(self):
        function = self.infra.deploy(CODE)
        self.assertEqual(self.points(self.infra, function), [])
        self.assert_error(self.infra.get("/functions/none/series"), 404, "function_not_found")
        self.assert_error(self.infra.get(f"/functions/{function}/series?step=1"), 400, "invalid_series_range", "step")


class InAFleet(Series, unittest.TestCase):
    def test_what_workers_ran_is_there_when_they_have_stopped(self):
        fleet = FleetClients(Infra, {}).start()
        self.addCleanup(fleet.close)
        one, two = fleet.clients
        function = one.deploy(CODE)
        for event in (0, 0, "x", 0):
            one.result(function, event)
        one.log_rows(function, 4)
        for worker in fleet.fleet.workers:
            self.assertEqual(worker.stop(), 0)
        self.assert_adds_up(self.points(two, function), 4, 1)


if __name__ == "__main__":
    main()
