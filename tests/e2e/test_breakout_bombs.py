"""Functions of every runtime turn on the platform itself: bombs, floods, spins, forged answers, and what they leave behind.

After each the worker is healthy, its bait untouched, and a neighbour function's next answer is its own.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor

from breakout_host import BUNDLES, OTHER_VERSIONS, RUNTIMES, BreakoutCase, sandboxed, still_there
from harness import PATIENCE, SANITIZED, FakeOllama, main, wait_for

SECOND = 1000
SHORT = 600  # of what ends by its time alone
OUT_OF_MEMORY, TIMEOUT = ("FAILED", "out_of_memory"), ("TIMEOUT", "timeout")
# What each does, how long it may take, its memory, and how it must end.
ENDS = [
    ("fork_for_ever", "a fork bomb ends with its time", SHORT, 512, [TIMEOUT, OUT_OF_MEMORY]),
    ("starve_init", "a fork bomb that takes the processor from its init does as well", SHORT, 512, [TIMEOUT, OUT_OF_MEMORY]),
    ("spin", "threads that spin with every signal ignored are stopped", SHORT, 128, [TIMEOUT]),
    ("spin_in_a_signal_handler", "a spin in a signal handler is stopped", SHORT, 128, [TIMEOUT]),
    ("stop", "a process that stopped itself is ended", SHORT, 128, [TIMEOUT]),
    ("flood", "output without end is cut, and ends with its time", SHORT, 128, [TIMEOUT]),
    ("become_another_program", "another program in the runner's place is no answer", SHORT, 128,
     [TIMEOUT, ("FAILED", "runner_broken"), ("FAILED", "exited")]),  # Node.js can't become another: it leaves one and goes
    ("crash", "a crash is told as one", PATIENCE * SECOND, 128, [("FAILED", "crashed")]),
    ("kill_all", "so is a death by its own hand", PATIENCE * SECOND, 128, [("FAILED", "crashed")]),
    ("close_everything", "a runner without descriptors has ended", PATIENCE * SECOND, 128,
     [("FAILED", "exited"), ("FAILED", "runner_broken"), ("FAILED", "crashed")]),
    ("eat_memory", "a memory bomb is told as one", PATIENCE * SECOND, 128, [OUT_OF_MEMORY]),
    ("eat_memory_by_files", "files in memory count", PATIENCE * SECOND, 128, [OUT_OF_MEMORY]),
    ("eat_memory_another_way", "nameless files count (Node.js: what its heap takes)", PATIENCE * SECOND, 128, [OUT_OF_MEMORY]),
    ("eat_memory_a_third_way", "shared segments count (Node.js: WebAssembly's memory)", PATIENCE * SECOND, 128, [OUT_OF_MEMORY]),
    ("eat_memory_in_a_child", "a child's memory counts", PATIENCE * SECOND, 128, [OUT_OF_MEMORY, ("SUCCESS", None)]),
]
MOST_PROCESSES, MOST_FILES, MOST_INODES = 128, 1024, 16384
FOLDERS = {"/tmp": 64, "/output": 64, "/workspace": 64, "/dev/shm": 64}  # MiB; all but /output share theirs


class Bombs:
    """Of one runtime. Each has a program of its own, two at a time."""

    @classmethod
    def setUpClass(cls):
        cls.node = FakeOllama()
        cls.addClassCleanup(cls.node.close)
        cls.environment = {"AI_NODE_URL": cls.node.url}
        super().setUpClass()
        cls.infra.deploy(BUNDLES[cls.runtime], cls.runtime)  # compiled before any time is measured

    def bomb(self, runtime, name, proves, function=None, timeout=PATIENCE * SECOND, memory=256, **facts):
        """The result of a try in a function of its own, which is printed with what it proves."""
        function = function or self.deploy(runtime, timeoutMs=timeout, memoryMb=memory)
        started = time.monotonic()
        result = self.run_try(function, name, **facts)
        print(f"  {runtime}: {proves}: {name}: {result['status']} {result.get('code', '')} in {time.monotonic() - started:.1f} s")
        return result

    def test_ends(self):
        for name, proves, timeout, memory, ends in ENDS:
            with self.subTest(proves):
                self.assert_ends(self.runtime, name, proves, timeout, memory, ends)

    def assert_ends(self, runtime, name, proves, timeout, memory, ends):
        before = sandboxed(self.infra).items()
        started = time.monotonic()
        result = self.bomb(runtime, name, proves, timeout=timeout, memory=memory)
        self.assertIn((result["status"], result.get("code")), ends, result)
        self.assertIs(result["result"] is None, result["status"] != "SUCCESS", result)
        self.assertLess(len(result["stdout"]) + len(result["stderr"]), (2 << 20) + 8192)
        if timeout == SHORT and not SANITIZED:
            self.assertLess(time.monotonic() - started, PATIENCE, "it was not ended in its time")
        if result["status"] != "SUCCESS":
            wait_for(lambda: sandboxed(self.infra).items() <= before, what="the end of all that it started")

    def test_while_bombs_run(self):
        """Others are served while bombs go off."""
        runtime = self.runtime
        function = self.deploy(runtime, timeoutMs=1500, memoryMb=256)
        with ThreadPoolExecutor(2) as pool:
            running = [pool.submit(self.infra.result, function, {"try": name}) for name in ("fork_for_ever", "spin")]
            served = 0
            while not all(run.done() for run in running):
                self.assert_unharmed()
                served += 1
            self.assertGreater(served, 3)
            for run in running:
                self.assertIn((run.result()["status"], run.result()["code"]), [TIMEOUT, OUT_OF_MEMORY])
        print(f"  {runtime}: others are served while bombs go off: {served} times")

    def test_floods_cost_the_worker_little(self):
        """Output that is thrown away does not cost the worker as much time as the function."""
        runtime = self.runtime
        function = self.deploy(runtime, timeoutMs=SECOND)
        before = cpu_seconds(self.infra.process.pid)
        self.assertEqual(self.bomb(runtime, "flood", "flood", function)["status"], "TIMEOUT")
        if not SANITIZED:
            self.assertLess(cpu_seconds(self.infra.process.pid) - before, 0.4)

    def test_limits(self):
        """No more processes, files, disk or inodes than the limits give."""
        runtime = self.runtime
        forked = self.bomb(runtime, "fork_until_refused", "processes are bounded", memory=1024)
        self.assertEqual(forked["status"], "SUCCESS", forked)
        self.assertTrue(10 < forked["result"][0] < MOST_PROCESSES and "never" not in forked["result"][1], forked["result"])
        opened = self.bomb(runtime, "open_files", "open files are bounded")
        self.assertTrue(100 < opened["result"][0] < MOST_FILES and "never" not in opened["result"][1], opened["result"])
        filled = self.bomb(runtime, "fill_disks", "disk is bounded", memory=512)["result"]
        self.assertEqual({folder: mib for folder, (mib, _) in filled.items()}, FOLDERS)
        many = self.bomb(runtime, "fill_inodes", "inodes are bounded", memory=512)["result"]
        self.assertEqual(set(many), set(FOLDERS))
        for folder, (count, why) in many.items():
            self.assertTrue(0 < count <= MOST_INODES and "never" not in why, many)

    def test_results(self):
        """A result is at most 6 MiB and 499 levels."""
        runtime = self.runtime
        function = self.deploy(runtime)
        much = self.bomb(runtime, "return_much", "results are bounded", function, size=7 << 20)
        self.assertEqual((much["status"], much["code"]), ("FAILED", "result_too_large"), much)
        fits = self.bomb(runtime, "return_much", "results are bounded", function, size=5 << 20)
        self.assertEqual(fits["result"], "x" * (5 << 20))
        deep = self.bomb(runtime, "return_deeply", "depth is bounded", function, depth=900)
        self.assertEqual((deep["status"], deep["code"]), ("FAILED", "result_not_json"), deep)
        fits = self.bomb(runtime, "return_deeply", "depth is bounded", function, depth=400)
        self.assertEqual(fits["status"], "SUCCESS", fits["status"])

    def test_forged_answers(self):
        """What a function writes to the worker's socket is its own failure, or its own answer."""
        runtime = self.runtime
        names = self.bomb(runtime, "frames", "forged answers")["result"]
        self.assertGreater(len(names), 15)
        for name in names:
            with self.subTest(runtime=runtime, frame=name):
                function = self.deploy(runtime, timeoutMs=2 * SECOND)
                forged = self.bomb(runtime, "write_frame", f"forged: {name}", function, frame=name)
                self.assert_well_formed(forged)
                if forged["status"] == "SUCCESS":  # else the next has an instance of its own
                    # The runner's own answer may come so late that the next call finds it: it is refused as another's.
                    again = self.bomb(runtime, "frames", "and the next call", function)
                    if again["result"] != names:
                        self.assertEqual((again["status"], again["code"]), ("FAILED", "runner_broken"), again)
                if name in ("a call's that was never made", "nobody's"):
                    self.assertEqual(forged["status"], "FAILED", forged)
                if "answer" in name:  # the others are broken as they stand
                    self.assert_well_formed(self.bomb(runtime, "write_frame", f"forged, and no more: {name}", timeout=SHORT,
                                                      frame=name, then="wait"))
        for then, codes in (("return", ("exited", "crashed", "runner_broken")), ("wait", ("runner_broken",))):
            shut = self.bomb(runtime, "shut_the_socket", "a socket that was shut is the end", timeout=3 * SECOND, then=then)
            self.assertEqual(shut["status"], "FAILED", shut)
            self.assertIn(shut["code"], codes, shut)

    def assert_well_formed(self, result):
        """A forged answer may be taken for the function's, which it is; nothing else may be."""
        if result["status"] == "SUCCESS":
            self.assertIn(result["result"], ("forged", 1, 2, "the runner's own", None))
        else:
            self.assertIn((result["status"], result["code"]), [("FAILED", "runner_broken"), ("FAILED", "result_not_json"), TIMEOUT], result)
        self.assertGreaterEqual(result["handlerDurationMs"] or 0, 0)
        self.assertLess(result["handlerDurationMs"] or 0, 1e6)

    def test_descriptors_sent_along(self):
        """Descriptors that come with an answer are not kept."""
        runtime = self.runtime
        held = f"/proc/{self.infra.process.pid}/fd"
        before = len(os.listdir(held))
        for _ in range(3):
            self.assert_well_formed(self.bomb(runtime, "send_descriptors", "descriptors sent along"))
        self.assertLess(len(os.listdir(held)), before + 100)

    def test_noise(self):
        """What a function prints and returns stays within its own fields, here and in the log."""
        runtime = self.runtime
        function = self.deploy(runtime)
        result = self.bomb(runtime, "print_noise", "noise", function)
        self.assertEqual((result["status"], result["functionId"]), ("SUCCESS", function))
        self.assertEqual(result["result"]["__proto__"], {"status": "ERROR"})
        row, = self.infra.log_rows(function, 1)
        self.assertEqual(row["status"], "SUCCESS")
        self.assertFalse([entry for entry in self.infra.log() if entry.get("msg") == "forged"])
        self.assertFalse([line for line in self.infra.lines if "HTTP/1.1 500 X" in line or "</script>" in line])

    def test_what_stays_behind(self):
        """What a call leaves running speaks in no other function's call, and ends with its instance."""
        runtime = self.runtime
        for name, facts in (("leave_process", {}), ("leave_process", {"answers": True}), ("leave_thread", {}),
                            ("take_the_question", {}), ("start_sleeper", {})):
            with self.subTest(left=name, **facts):
                self.leave(runtime, name, facts)

    def leave(self, runtime, name, facts):
        before = sandboxed(self.infra).items()
        function = self.deploy(runtime, timeoutMs=5 * SECOND)
        result = self.bomb(runtime, name, "left behind", function, **facts)
        self.assertIn((result["status"], result.get("code")), [("SUCCESS", None), ("FAILED", "runner_broken")], result)
        left = dict(sandboxed(self.infra).items() - before)
        for _ in range(20):
            self.assert_unharmed()
        again = self.bomb(runtime, "frames", "the next call of the same version", function)
        self.assertEqual((again["status"], again["result"]), ("SUCCESS", self.frames(runtime)), again)
        self.assertIs(again["coldStart"], (runtime, name) != ("go", "leave_thread"), again)  # Go's threads are its scheduler's affair
        self.replace(function, runtime)
        wait_for(lambda: not still_there(left), what="the end of what was left")

    def frames(self, runtime):
        return self.infra.result(self.deploy(runtime), {"try": "frames"})["result"]

    def replace(self, function, runtime):
        """Another version of a function, and that it answers for itself."""
        answer = self.infra.upload(OTHER_VERSIONS[runtime], path=f"/functions/{function}", method="PUT")
        self.assertEqual(answer.status, 200, answer)
        result = self.infra.result(function, 1)
        self.assertEqual((result["status"], result["result"], result["stderr"]), ("SUCCESS", [[0, 0, 0], '{"a":1}', None], ""), result)
        self.assertEqual(len(result["stdout"].splitlines()), 1, result)

    def code_on_disk(self, runtime):
        """What lies where a runtime's try functions were unpacked, by file name; of compiled ones their programs, too."""
        versions = os.path.join(self.infra.data, "versions")
        for version in os.listdir(versions):
            top, found = os.path.join(versions, version), {}
            for folder, _, names in os.walk(top):
                for name in names:
                    with open(os.path.join(folder, name), "rb") as file:
                        found[os.path.relpath(file.name, top)] = file.read()
            if found.items() >= {name: text.encode() for name, text in RUNTIMES[runtime].items()}.items():
                return found
        raise AssertionError("the version of the try functions is not on the disk, or was changed there")

    def test_poison(self):
        """A process that a version spoiled serves no other version, and its files are gone with it."""
        runtime = self.runtime
        function = self.deploy(runtime)
        self.infra.result(function, {"try": "frames"})
        before = self.code_on_disk(runtime)
        self.assertEqual(self.bomb(runtime, "poison", "poisoned", function)["result"], "poisoned")
        self.assertEqual(self.code_on_disk(runtime), before, "the code on disk was changed")
        again = self.bomb(runtime, "frames", "the same version afterwards", function)
        self.assertIn(again["status"], ("SUCCESS", "FAILED"))
        other = self.deploy(runtime)  # the same code, another function
        self.assertEqual(self.bomb(runtime, "frames", "another function of the same code", other)["status"], "SUCCESS")
        self.replace(function, runtime)

    def test_ai_endpoint(self):
        """A flood of its own AI endpoint takes nobody else's."""
        runtime = self.runtime
        asks = self.infra.deploy("import ai_client\ndef handler(e, c): return ai_client.generate(e)")
        flooded = self.bomb(runtime, "flood_the_ai_endpoint", "AI endpoint flooded")
        self.assertEqual(flooded["status"], "SUCCESS", flooded)
        self.assertEqual(self.infra.result(asks, "hello")["result"], "generated:hello")
        answers = self.bomb(runtime, "ask_for_more", "more of the AI endpoint than it offers")["result"]
        self.assertGreater(len(answers), 5)
        for asked, answered in answers.items():
            with self.subTest(asked=asked):
                # Whatever host it names, a POST may at most ask the node, whose requests are looked at in the end.
                self.assertRegex(answered, "^HTTP/1.1 (4|200)|^$" if asked.startswith("POST") else "^HTTP/1.1 4|^$")
        self.assertEqual({path for path, asked in self.node.requests if asked}, {"/api/generate"})


class PythonBombs(Bombs, BreakoutCase):
    runtime = "python"


class NodeBombs(Bombs, BreakoutCase):
    runtime = "nodejs"


class CppBombs(Bombs, BreakoutCase):
    runtime = "cpp"


class GoBombs(Bombs, BreakoutCase):
    runtime = "go"


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(at_once=2)
