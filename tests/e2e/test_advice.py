"""What runs used, wherever it is told; and advice on a function's memory from its runs, asked for and followed."""

from harness import Case, bundle, main, same_in_a_fleet, wait_for

MIB = 1024 * 1024
ADVICE_FIELDS = {"functionId", "since", "allocatedMemoryMb", "runs", "coldStarts", "outOfMemoryRuns", "peakMemoryBytes", "cpu",
                 "verdict", "confidence", "recommendedMemoryMb", "estimatedSavings", "optimizationTip", "apply"}
HOLDING = "def handler(megabytes, context):\n    return len(bytearray(megabytes << 20))\n"


class Advice(Case):
    def path(self, function):
        return f"/functions/{function}/advice"

    def advice(self, function, runs):
        """Once that many runs are in the log, which they may be a moment after their answer."""
        def read():
            answer = self.infra.get(self.path(function))
            self.assertEqual(answer.status, 200, answer)
            found = answer.json()
            self.assertEqual(set(found), ADVICE_FIELDS)
            return found["runs"] >= runs and found
        return wait_for(read, 2, f"advice from {runs} runs")

    def run_times(self, function, count, megabytes):
        for _ in range(count):
            result = self.infra.result(function, megabytes)
            self.assertEqual(result["result"], megabytes * MIB, result)

    def test_lowers_what_is_too_large_and_is_applied(self):
        function = self.infra.deploy(HOLDING, memoryMb=1024)
        self.run_times(function, 9, 10)
        few = self.advice(function, 9)
        self.assertEqual((few["verdict"], few["recommendedMemoryMb"], few["apply"]), ("unknown", None, None))
        self.assertIn("a recommendation needs 10", few["optimizationTip"])
        self.assert_error(self.infra.request("PUT", self.path(function)), 409, "nothing_to_apply", "a recommendation needs 10")

        self.run_times(function, 4, 100)
        told = self.infra.result(function, 100)  # results carry the same advice
        found = self.advice(function, 14)
        peaks = found["peakMemoryBytes"]
        self.assertEqual((found["functionId"], found["allocatedMemoryMb"], found["runs"]), (function, 1024, 14))
        self.assertEqual((found["coldStarts"], found["outOfMemoryRuns"]), (1, 0))
        self.assertTrue(100 * MIB < peaks["max"] < 180 * MIB, peaks)
        self.assertLess(peaks["p50"], 100 * MIB)
        self.assertTrue(peaks["p50"] <= peaks["p95"] <= peaks["max"] == max(peaks["coldMax"], peaks["warmMax"]), peaks)
        self.assertEqual((found["verdict"], found["confidence"]), ("lower", "low"))
        wanted = found["recommendedMemoryMb"]
        self.assertTrue(peaks["max"] < wanted * MIB and wanted <= 256, found)
        self.assertEqual(found["estimatedSavings"], f"{100 - 100 * wanted / 1024:.0f}%")
        self.assertIn(f"{wanted} MB are enough", found["optimizationTip"])
        self.assertEqual(found["apply"], {"memoryMb": wanted})
        for field in ("recommendedMemoryMb", "estimatedSavings", "optimizationTip"):
            self.assertEqual(told[field], found[field])
        self.assertAlmostEqual(found["cpu"]["share"], 1024 / 1769, 2)
        self.assertGreater(found["cpu"]["used"], 0)
        self.assertFalse(found["cpu"]["bound"])

        answer = self.infra.request("PUT", "/api" + self.path(function))
        self.assertEqual((answer.status, answer.json()), (200, {"success": True, "functionId": function, "memoryMb": wanted}))
        self.assertEqual(self.infra.get(f"/functions/{function}").json()["memoryMb"], wanted)
        self.run_times(function, 9, 100)  # and it still holds what it held
        tenth = self.infra.result(function, 100)
        self.assertEqual((tenth["recommendedMemoryMb"], tenth["optimizationTip"]), (wanted, None), tenth)
        after = self.advice(function, 10)
        self.assertEqual((after["allocatedMemoryMb"], after["runs"], after["verdict"]), (wanted, 10, "keep"), after)
        self.assertEqual((after["recommendedMemoryMb"], after["apply"]), (wanted, None), after)
        self.assert_error(self.infra.request("PUT", self.path(function)), 409, "nothing_to_apply")

    @same_in_a_fleet
    def test_every_result_from_the_tenth_on_says_what_memory_is_right(self):
        function = self.infra.deploy(HOLDING)
        said = [self.infra.result(function, 1)["recommendedMemoryMb"] for _ in range(12)]
        self.assertEqual(said, [None] * 9 + [128] * 3)

    @same_in_a_fleet
    def test_the_body_it_names_can_be_put_as_it_is(self):
        function = self.infra.deploy(HOLDING, memoryMb=512)
        self.run_times(function, 10, 1)
        body = self.advice(function, 10)["apply"]
        self.assertEqual(self.infra.request("PUT", f"/functions/{function}", body).status, 200)
        self.assertEqual(self.infra.get(f"/functions/{function}").json()["memoryMb"], body["memoryMb"])

    @same_in_a_fleet
    def test_one_run_out_of_memory_is_enough_to_raise(self):
        function = self.infra.deploy(HOLDING)
        self.assertEqual(self.infra.result(function, 1)["status"], "SUCCESS")
        self.assertEqual(self.infra.result(function, 180)["code"], "out_of_memory")
        found = self.advice(function, 2)
        self.assertEqual((found["verdict"], found["recommendedMemoryMb"], found["outOfMemoryRuns"]), ("raise", 256, 1), found)
        self.assertIsNone(found["estimatedSavings"])
        self.assertEqual(self.infra.request("PUT", self.path(function), b"{}").json()["memoryMb"], 256)
        self.assertEqual(self.infra.result(function, 180)["status"], "SUCCESS")

    def test_new_code_is_judged_by_its_own_runs(self):
        function = self.infra.deploy(HOLDING, memoryMb=256)
        self.run_times(function, 10, 100)
        self.advice(function, 10)
        answer = self.infra.upload(bundle({"main.py": "def handler(e, c): return 1"}), path=f"/functions/{function}", method="PUT")
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.infra.get(self.path(function)).json()["runs"], 0)


@same_in_a_fleet
class Profile(Case):
    """Every run that ran tells what it used: in its answer, at /status and in its log row, however it ended."""

    PYTHON = ("import os, time\nheld = bytearray(20 << 20)\ndef spin():\n"
              "  end = time.process_time() + 0.05\n  while time.process_time() < end: pass\ndef handler(event, context):\n  spin()\n")
    NODE = ("const held = Buffer.alloc(20 << 20, 1);\n"
            "const used = () => { const {user, system} = process.cpuUsage(); return user + system; };\n"
            "const spin = () => { const end = used() + 50000 + 0 * held.length; while (used() < end); };\n"
            "exports.handler = async () => { spin();\n")
    # How it ends, and the result's status and code.
    ENDINGS = [
        ("python", "  return 1", "SUCCESS", None),
        ("python", "  raise ValueError('x')", "FAILED", "handler_error"),
        ("python", "  time.sleep(60)", "TIMEOUT", "timeout"),
        ("python", "  os.abort()", "FAILED", "crashed"),
        ("python", "  return len(b'x' * (400 << 20))", "FAILED", "out_of_memory"),
        ("nodejs", "return held.length; };", "SUCCESS", None),
        ("nodejs", "throw new Error('x'); };", "FAILED", "handler_error"),
        ("nodejs", "await new Promise(r => setTimeout(r, 60000)); };", "TIMEOUT", "timeout"),
        ("nodejs", "process.abort(); };", "FAILED", "crashed"),
        ("nodejs", "return Buffer.alloc(400 << 20, 1).length; };", "FAILED", "out_of_memory"),
    ]
    TIMEOUT_MS = 5000  # what is spun before has its share of a busy machine

    def test_disk_bytes_are_what_the_folders_grew_by(self):
        function = self.infra.deploy(
            "import os\ndef handler(event, context):\n  for name, mib in event.items():\n"
            "    if mib: open(name, 'wb').write(bytes(mib << 20))\n"
            "    else: os.unlink(name)\n")
        for cold, written, grown in ((True, {"/tmp/a": 3, "/output/b": 1, "/workspace/c": 2}, 6), (False, {}, 0), (False, {"/tmp/d": 1}, 1),
                                     (False, {"/tmp/a": 0, "/output/b": 2}, 2), (False, {"/tmp/d": 2}, 1)):
            result = self.infra.result(function, written)
            self.assertEqual((result["status"], result["coldStart"]), ("SUCCESS", cold), result)
            self.assertLess(abs(result["diskWrite"] - grown * MIB), 0.1 * MIB, (written, result))
            self.assertGreaterEqual(result["diskRead"], 0)

    def assert_measured(self, result, is_cold):
        self.assertTrue(20 * MIB < result["peakMemoryBytes"] <= 128 * MIB, result)
        self.assertTrue(50_000 <= result["cpuUsage"] < 20_000_000, result)
        self.assertEqual((result["coldStart"], result["allocatedMemoryMb"]), (is_cold, 128))
        self.assertGreater(result["durationMs"], 30)  # the time that is spent above counts on all threads
        code = result.get("code")
        if code == "timeout":
            self.assertEqual(result["handlerDurationMs"], self.TIMEOUT_MS)
        elif code in (None, "handler_error"):
            self.assertTrue(30 <= result["handlerDurationMs"] <= result["durationMs"], result)
        else:  # nobody was left to say it
            self.assertIsNone(result["handlerDurationMs"])

    def test_in_result_status_and_log_row(self):
        for runtime, end, status, code in self.ENDINGS:
            with self.subTest(f"{runtime}: {end}"):
                begin = self.PYTHON if runtime == "python" else self.NODE
                settings = {"timeoutMs": self.TIMEOUT_MS} if code == "timeout" else {}
                function = self.infra.deploy(begin + end, runtime, **settings)
                goes_on = code in (None, "handler_error")
                for rows, is_cold in enumerate((True, False) if goes_on else (True,), 1):
                    job = self.infra.run_async(function)
                    result = self.infra.await_result(job)
                    self.assertEqual((result["status"], result.get("code")), (status, code), result)
                    self.assert_measured(result, is_cold)
                    self.infra.log_rows(function, rows)
                    row = self.infra.get(f"/functions/{function}/logs/{job}").json()
                    self.assertEqual((row["status"], row["code"], row["allocatedMemoryMb"]), (status, code, 128))
                    self.assertEqual(row["memory"], (row["peakMemoryBytes"] + MIB // 2) // MIB)
                    for in_row, in_result in [("duration", "durationMs"), ("handlerDurationMs",) * 2, ("peakMemoryBytes",) * 2,
                                              ("cpuUsage",) * 2, ("coldStart",) * 2]:
                        self.assertEqual(row[in_row], result[in_result], (in_row, row, result))
                listed = self.infra.get(f"/functions/{function}/logs").json()[0]
                self.assertEqual({**listed, "message": None}, {**row, "message": None})
                self.assert_measured(self.infra.result(function), not goes_on)


if __name__ == "__main__":
    main()
