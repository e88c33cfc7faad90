"""keepWarm: instances with their code loaded wait for calls that nobody has made yet, and stay when others go. What comes of it over
minutes: tests/platform/scenes/kept_instances_test.cc."""

import os
import time

from harness import Case, bundle, main, only_in_a_fleet, wait_for

# When the code was loaded, and in which process.
SOURCE = "import os, time\nloaded = time.time()\ndef handler(e, c):\n  if e == 'end': os._exit(1)\n  return [loaded, os.getpid()]"
NODE = "const loaded = Date.now() / 1000; exports.handler = (e) => [loaded, process.pid];"
IDLE = 1  # seconds


class KeepWarm(Case):
    environment = {"INFRA_IDLE_TIMEOUT_SECONDS": str(IDLE)}

    def instances(self, runtime="python"):
        name = f'worker_pool_instances{{runtime="{runtime}"}}'
        lines = self.infra.worker_metrics().splitlines()
        return sum(int(float(line.split()[-1])) for line in lines if line.startswith(name))

    def await_instances(self, count, runtime="python"):
        wait_for(lambda: self.instances(runtime) == count, what=f"{count} idle instances")

    def remove(self, function, runtime="python"):
        self.assertEqual(self.infra.request("DELETE", f"/functions/{function}").status, 200)
        self.await_instances(0, runtime)

    def test_the_first_call_is_no_cold_start(self):
        for runtime, files in (("python", SOURCE), ("nodejs", NODE)):
            with self.subTest(runtime):
                function = self.infra.deploy(files, runtime, keepWarm=1)
                self.await_instances(1, runtime)
                called = time.time()
                result = self.infra.result(function)
                self.assertFalse(result["coldStart"])
                self.assertLess(result["result"][0], called, "the code was not loaded yet")
                self.remove(function, runtime)

    @only_in_a_fleet
    def test_kept_instances_stay_while_others_go(self):
        function = self.infra.deploy(SOURCE, keepWarm=1)
        other = self.infra.deploy(SOURCE)
        self.infra.result(other)
        time.sleep(IDLE + 0.5)
        self.await_instances(1)
        self.assertFalse(self.infra.result(function)["coldStart"])
        self.assertTrue(self.infra.result(other)["coldStart"])
        self.remove(function)

    def test_one_that_ends_is_started_again(self):
        function = self.infra.deploy(SOURCE, keepWarm=2)
        self.await_instances(2)
        self.assertEqual(self.infra.result(function, "end")["code"], "exited")
        self.await_instances(2)
        self.assertFalse(self.infra.result(function)["coldStart"])
        self.remove(function)

    @only_in_a_fleet
    def test_a_change_takes_effect_at_once(self):
        function = self.infra.deploy(SOURCE, keepWarm=1)
        self.await_instances(1)
        old = self.infra.result(function)["result"]
        answer = self.infra.upload(bundle({"main.py": SOURCE + "  # new"}), path=f"/functions/{function}", method="PUT")
        self.assertEqual(answer.status, 200, answer)
        self.await_instances(1)
        result = self.infra.result(function)
        self.assertFalse(result["coldStart"])
        self.assertGreater(result["result"][0], old[0])
        self.assertEqual(self.infra.request("PUT", f"/functions/{function}", {"keepWarm": 0}).status, 200)
        self.await_instances(0)
        self.remove(function)

    @only_in_a_fleet
    def test_they_are_there_again_after_a_restart(self):
        function = self.infra.deploy(SOURCE, keepWarm=1)
        self.await_instances(1)
        self.assertEqual(self.infra.stop(), 0)
        self.infra.start()
        self.await_instances(1)
        self.assertFalse(self.infra.result(function)["coldStart"])
        self.remove(function)

    def test_the_idle_instances_of_a_function_that_is_gone_end_at_once(self):
        function = self.infra.deploy(SOURCE)
        pid = self.infra.result(function)["result"][1]
        self.assertEqual(self.infra.request("DELETE", f"/functions/{function}").status, 200)
        wait_for(lambda: self.instances() == 0, IDLE / 2, "its end")
        if os.environ.get("INFRA_SANDBOX") == "none":
            wait_for(lambda: not os.path.exists(f"/proc/{pid}"), 2, "the end of its process")


if __name__ == "__main__":
    main()
