"""The fleet that `./dev run fleet` and the end-to-end tests start, with stand-ins for its programs: what is started, told, restarted
and ended."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from fleet import Fleet  # noqa: E402
from fleet_parts import FleetError, answers  # noqa: E402

# Writes down what it was told, says that it listens, and ends by SIGTERM as the real one does.
PROGRAM = f"""#!{sys.executable}
import json, os, signal, socket, sys
if sys.argv[1] == "walk-through":
    print("a walk-through of port", sys.argv[3])
    sys.exit()
if os.environ.get("BROKEN") == sys.argv[1]:
    sys.exit("INFRA_BROKEN: nothing works")
server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
with open("told.json", "w") as file:
    json.dump({{"arguments": sys.argv[1:], **os.environ}}, file)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print(json.dumps({{"msg": "listening", "port": server.getsockname()[1]}}, separators=(",", ":")), flush=True)
while True:
    signal.pause()
"""


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.02)
    return value


class FleetTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="infra-fleet-test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.program = self.folder / "program"
        self.program.write_text(PROGRAM)
        self.program.chmod(0o755)

    def start(self, **more):
        fleet = Fleet(self.program, self.folder / "fleet", "the-key", **more)
        self.addCleanup(fleet.kill)
        return fleet.start()

    def told(self, program):
        return json.loads((program.folder / "told.json").read_text())

    def test_programs_are_told_where_their_fleet_is(self):
        fleet = self.start(environment={"RATE_LIMIT": "7"})
        for program in (*fleet.controllers, *fleet.workers):
            told = self.told(program)
            self.assertEqual((told["SQS_URL"], told["INFRA_API_KEY"], told["RATE_LIMIT"]), (fleet.queue_url, "the-key", "7"))
            self.assertEqual(told["S3_ENDPOINT"], fleet.peers.about["s3_endpoint"])
            self.assertTrue(answers(int(told["REDIS_PORT"])))
        folders = {self.told(program)["INFRA_DATA_DIR"] for program in (*fleet.controllers, *fleet.workers)}
        self.assertEqual(len(folders), 4)
        self.assertEqual(self.told(fleet.workers[1])["CONTROLLER_URL"], f"http://127.0.0.1:{fleet.controllers[1].port}")
        self.assertEqual(set(fleet.stop().values()), {0})
        self.assertFalse(answers(fleet.redis.port))

    def test_a_killed_program_comes_back_on_its_port(self):
        fleet = self.start()
        controller = fleet.controllers[0]
        port, pid = controller.port, controller.process.pid
        done = threading.Thread(target=controller.restart)  # from a thread that ends
        done.start()
        done.join()
        self.assertEqual(controller.port, port)
        self.assertNotEqual(controller.process.pid, pid)
        self.assertTrue(controller.running)
        self.assertEqual(controller.stop(), 0)

    def test_a_program_that_ends_by_itself_is_told(self):
        dead = []
        fleet = self.start(on_death=dead.append)
        os.kill(fleet.workers[0].process.pid, signal.SIGKILL)
        self.assertEqual(wait_for(lambda: dead), [fleet.workers[0]])
        fleet.controllers[0].kill()
        fleet.stop()
        self.assertEqual(len(dead), 1)

    def test_a_program_that_does_not_start_says_why(self):
        with self.assertRaisesRegex(FleetError, "worker-1 does not start.*\n.*nothing works"):
            self.start(environment={"BROKEN": "worker"})

    def test_redis_is_killed_frozen_and_restarted(self):
        fleet = self.start(workers=0)
        port = fleet.redis.port
        fleet.redis.freeze()
        self.assertFalse(answers(port))
        fleet.redis.thaw()
        self.assertTrue(wait_for(lambda: answers(port)))
        fleet.redis.kill()
        self.assertFalse(answers(port))
        fleet.redis.restart()
        self.assertTrue(answers(port))

    def test_engines_behind_fault_proxies(self):
        fleet = self.start(workers=0, faulty=("redis", "s3"))
        told = self.told(fleet.controllers[0])
        self.assertEqual(told["S3_ENDPOINT"], f"http://127.0.0.1:{fleet.proxies['s3'].port}")
        self.assertEqual(told["REDIS_PORT"], str(fleet.proxies["redis"].port))
        self.assertTrue(answers(fleet.proxies["redis"].port))
        fleet.proxies["redis"].cut()
        self.assertFalse(answers(fleet.proxies["redis"].port))

    def test_the_command(self):
        process = subprocess.Popen([sys.executable, "-B", ROOT / "tools" / "fleet.py", "--program", self.program, "--folder",
                                    self.folder / "run"], env={**os.environ, "PORT": "0", "INFRA_API_KEY": ""},
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        self.assertRegex(process.stdout.readline(), r"a walk-through of port \d+")
        key = self.folder / "run" / "api-key"
        self.assertEqual(key.stat().st_mode & 0o777, 0o600)
        told = json.loads((self.folder / "run" / "controller-2" / "told.json").read_text())
        self.assertEqual(told["INFRA_API_KEY"], key.read_text().strip())
        self.assertTrue(any("goes with Ctrl-C" in process.stdout.readline() for _ in range(4)))
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 0, complaints)
        self.assertFalse(answers(int(told["REDIS_PORT"])))

    def test_nothing_outlives_a_killed_fleet(self):
        process = subprocess.Popen([sys.executable, "-B", ROOT / "tools" / "fleet.py", "--program", self.program, "--folder",
                                    self.folder / "run"], env={**os.environ, "PORT": "0"}, stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        children = Path(f"/proc/{process.pid}/task").glob("*/children")
        pids = [pid for file in children for pid in file.read_text().split()]
        self.assertGreaterEqual(len(pids), 6)
        process.kill()
        process.wait()
        process.stdout.close()
        wait_for(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in pids))


if __name__ == "__main__":
    unittest.main()
