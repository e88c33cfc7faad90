"""Memory does not grow with runs: a short form of what `./dev bench` does for longer."""

import unittest
from concurrent.futures import ThreadPoolExecutor

from harness import SANITIZED, Case, main

RUNS = 1500


class Memory(Case):
    @unittest.skipIf(SANITIZED, "a sanitizer's memory is not the program's")
    def test_runs_leave_nothing_in_memory(self):
        function = self.infra.deploy("def handler(e, c): return e")

        def runs(count):
            def some(_):
                connection = self.infra.connect()
                for n in range(count // 4):
                    answer = self.infra.request("POST", "/run", {"functionId": function, "inputData": "x" * 2000},
                                                connection=connection)
                    self.assertEqual(answer.status, 200, answer)
                connection.close()
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(some, range(4)))
            return self.infra.rss_kib()

        runs(RUNS)  # caches and pools fill
        before = runs(RUNS)
        after = max(runs(RUNS), runs(RUNS))
        # 3,000 runs that kept as much as their input would add 6 MiB.
        self.assertLess(after - before, 3 * 1024, "KiB more after 3,000 runs")


if __name__ == "__main__":
    main()
