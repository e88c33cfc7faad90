"""Which tests a word or a changed file stands for: rooms with what lies in them, dependants, and what is refused by name."""

import os
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import choose_tests  # noqa: E402
from check_includes import dependants, read_table  # noqa: E402

TESTS = choose_tests.read_tests("""\
core_test labels=core,unit sources=src/core/ids_test.cc targets=core_test needs=
net_http_test labels=net/http,unit sources=src/net/http/http_types_test.cc targets=net_http_test needs=
net_redis_test labels=net/redis,unit sources=src/net/redis/redis_wire_test.cc targets=net_redis_test needs=
redis_client_test labels=net/redis,integration sources=tests/integration/redis_client_test.cc targets=redis_client_test needs=packages
s3_test labels=adapters/aws/s3,integration sources=tests/integration/s3_test.cc targets=s3_test needs=packages,peers
app_test labels=app,unit sources=src/app/app_test.cc targets=app_test needs=
http_test labels=http,unit sources=src/http/route_test.cc targets=http_test needs=
sandbox_test labels=sandbox,sandbox/spawner,integration sources=tests/sandbox/sandbox_test.cc targets=sandbox_test needs=root,packages
main_test labels=main,unit sources=src/main/config_test.cc targets=main_test needs=
runtimes.python labels=runtimes,integration sources=tests/runtimes/test_python_runner.py targets= needs=
e2e_run labels=e2e sources=tests/e2e/test_run.py targets=infra needs=root,packages
e2e_fleet_run labels=e2e sources=tests/e2e/test_run.py targets=infra needs=root,packages,peers
e2e_json labels=e2e sources=tests/e2e/test_json.py targets=infra needs=root,packages
""")


class Choosing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.chdir(ROOT)
        cls.table = read_table()

    def of_rooms(self, *words):
        return {test.name for test in choose_tests.of_rooms(TESTS, words, self.table)}

    def of_changes(self, *paths):
        return {test.name for test in choose_tests.of_changes(TESTS, list(map(Path, paths)), self.table)}

    def test_a_room_is_itself_and_a_folder_all_that_lies_in_it(self):
        self.assertEqual(self.of_rooms("core", "http"), {"core_test", "http_test"})
        self.assertEqual(self.of_rooms("net"), {"net_http_test", "net_redis_test", "redis_client_test"})
        self.assertEqual(self.of_rooms("adapters"), {"s3_test"})
        self.assertEqual(self.of_rooms("sandbox"), {"sandbox_test"})

    def test_a_tier_is_all_of_it(self):
        self.assertEqual(self.of_rooms("unit"), {"core_test", "net_http_test", "net_redis_test", "app_test", "http_test", "main_test"})

    def test_what_is_unknown_or_has_no_tests_is_refused_by_name(self):
        for words, says in ((["cores"], "no such room: cores"), (["core", "net/", "aws"], "net/, aws"), (["ports"], "ports")):
            with self.assertRaises(SystemExit) as refused:
                self.of_rooms(*words)
            self.assertIn(says, str(refused.exception))
        with self.assertRaises(SystemExit) as refused:
            self.of_rooms("cores")
        for room in ("core", "net/http", "adapters/aws/s3", "worker", "runtimes"):
            self.assertIn(room, str(refused.exception))

    def test_what_stands_on_a_changed_room_is_tested_with_it(self):
        self.assertEqual(self.of_changes("src/http/api.cc"), {"http_test", "main_test"})
        self.assertEqual(self.of_changes("src/net/redis/redis_client.h"), {"net_redis_test", "redis_client_test", "main_test"})
        self.assertEqual(self.of_changes("src/ports/clock.h"), {"app_test", "http_test", "s3_test", "main_test"})
        everything = {test.name for test in TESTS if "e2e" not in test.labels and "runtimes" not in test.labels}
        self.assertEqual(self.of_changes("src/core/ids.h"), everything)
        self.assertEqual(self.of_changes("CMakeLists.txt"), everything)

    def test_a_test_file_is_its_own_program_and_a_helper_all_that_use_it(self):
        self.assertEqual(self.of_changes("tests/e2e/test_run.py"), {"e2e_run", "e2e_fleet_run"})
        self.assertEqual(self.of_changes("tests/e2e/harness.py"), {"e2e_run", "e2e_fleet_run", "e2e_json"})
        self.assertEqual(self.of_changes("tests/integration/s3_test.cc"), {"s3_test"})
        # By what the files really include.
        self.assertEqual(self.of_changes("tests/support/aws_peers.cc"), {"s3_test"})
        self.assertEqual(self.of_changes("runtimes/python/runner.py"), {"runtimes.python", "sandbox_test"})

    def test_what_no_test_stands_on_chooses_none(self):
        self.assertEqual(self.of_changes("README.md", "docs/fleet.md", "examples/hello-python/main.py"), set())

    def test_the_tests_of_a_rooms_own_row_count(self):
        self.assertIn("http", dependants(self.table, {"adapters/memory"}))
        self.assertNotIn("app", dependants(self.table, {"adapters/memory"}))


if __name__ == "__main__":
    unittest.main()
