"""Running functions: results, failures of every kind, limits, environment, the AI node, and what a client may get wrong."""

import json
import math
import os
import re
import subprocess
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from harness import UUID_V7, Case, FakeOllama, bundle, main, same_in_a_fleet, wait_for

RESULT_FIELDS = {"requestId", "functionId", "workerId", "status", "exitCode", "stdout", "stderr", "result", "durationMs", "durationUs",
                 "handlerDurationMs", "peakMemoryBytes", "allocatedMemoryMb", "cpuUsage", "coldStart", "networkRx", "networkTx",
                 "diskRead", "diskWrite", "outputFiles", "llm_token_count", "optimizationTip", "recommendedMemoryMb",
                 "estimatedSavings", "traceId"}
MIB = 1024 * 1024
LICENCE = "/usr/share/common-licenses/GPL-3"


class Runs(Case):
    def test_a_python_function(self):
        function = self.infra.deploy("def handler(event, context):\n    print('hello')\n    return {'n': event['n'] + 1}")
        answer = self.infra.run(function, {"n": 41})
        self.assertEqual(answer.status, 200, answer)
        result = answer.json()
        self.assertLessEqual(RESULT_FIELDS, set(result))
        self.assertEqual(result["requestId"], answer.headers["x-request-id"])
        self.assertEqual((result["functionId"], result["status"], result["exitCode"]), (function, "SUCCESS", 0))
        self.assertEqual(result["result"], {"n": 42})
        printed, value = result["stdout"].strip().split("\n")
        self.assertEqual((printed, json.loads(value)), ("hello", {"n": 42}))
        self.assertEqual((result["stderr"], result["allocatedMemoryMb"], result["coldStart"]), ("", 128, True))
        for whole in ("durationMs", "durationUs"):
            self.assertIsInstance(result[whole], int)
        self.assertEqual(result["durationMs"], math.ceil(result["durationUs"] / 1000))
        self.assertGreaterEqual(result["durationUs"], 1000 * result["handlerDurationMs"])
        self.assertEqual(result["handlerDurationMs"], round(result["handlerDurationMs"], 3))
        self.assertTrue(self.infra.result(function, {"n": 1}, modelId=None)["status"] == "SUCCESS")
        self.assertFalse(self.infra.result(function, {"n": 1})["coldStart"])

    def test_server_timing_says_where_the_time_went(self):
        function = self.infra.deploy("import time\ndef handler(event, context):\n  time.sleep(event)\n  assert event < 0.2")
        for seconds, fails in ((0.02, False), (0.2, True)):
            began = time.monotonic()
            answer = self.infra.run(function, seconds)
            took = (time.monotonic() - began) * 1000
            result = answer.json()
            self.assertEqual(result["status"], "FAILED" if fails else "SUCCESS")
            self.assertRegex(answer.headers["Server-Timing"], r"^total;dur=\d+\.\d{3}, worker;dur=\d+\.\d{3}, handler;dur=\d+\.\d{3}$")
            total, worker, handler = [float(part) for part in re.findall(r"dur=([\d.]+)", answer.headers["Server-Timing"])]
            self.assertTrue(seconds * 1000 <= handler <= worker <= total <= took, (answer.headers["Server-Timing"], took))
            self.assertAlmostEqual(handler, result["handlerDurationMs"], delta=0.001)
            self.assertEqual(round(worker * 1000), result["durationUs"])
        never_begun = self.infra.run(self.infra.deploy("import nothing_of_that_name\ndef handler(): pass"))
        self.assertNotIn("handler", never_begun.headers["Server-Timing"])
        for other in (self.infra.get("/functions"), self.infra.run("nobody-at-all"), self.infra.run(function, 0, {"x-async": "true"})):
            self.assertNotIn("Server-Timing", other.headers)

    def test_a_node_function(self):
        function = self.infra.deploy("exports.handler = async (event, context) => {\n  console.log('hi');\n"
                                     "  return {twice: event.n * 2, id: context.requestId};\n};", runtime="nodejs")
        result = self.infra.result(function, {"n": 4})
        self.assertEqual((result["status"], result["result"]), ("SUCCESS", {"twice": 8, "id": result["requestId"]}))
        self.assertTrue(result["stdout"].startswith("hi\n"))
        self.assertFalse(self.infra.result(function, {"n": 1})["coldStart"])
        module = self.infra.deploy({"index.mjs": "export const handler = async () => 'from a module';"}, runtime="nodejs")
        self.assertEqual(self.infra.result(module)["result"], "from a module")
        script = self.infra.deploy("console.log('plain ' + JSON.parse(process.env.PAYLOAD).n);", runtime="nodejs")
        for n in (1, 2):  # a plain script is run whole each time
            result = self.infra.result(script, {"n": n})
            self.assertEqual((result["status"], result["stdout"].strip()), ("SUCCESS", f"plain {n}"))

    @unittest.skipIf(os.environ.get("INFRA_SANDBOX") == "none", "nothing is closed to functions without a sandbox")
    @same_in_a_fleet
    def test_what_a_node_function_is_told_where_the_kernel_says_no(self):
        function = self.infra.deploy({"index.mjs": "import os, { networkInterfaces } from 'os';\nimport fs from 'fs';\n"
                                      "export const handler = () => {\n"
                                      "  try { fs.watch('/tmp'); } catch (error) { return [os.networkInterfaces(), networkInterfaces(), "
                                      "error.code, error.message]; }\n};"}, "nodejs")
        value = self.infra.result(function)["result"]
        self.assertEqual([entry["address"] for entry in value[0]["lo"]], ["127.0.0.1", "::1"])
        self.assertEqual((list(value[0]), value[1], value[2]), (["lo"], value[0], "EPERM"))
        self.assertIn("fs.watchFile()", value[3])

    def test_values_pass_unharmed(self):
        function = self.infra.deploy("def handler(event, context): return event")
        for value in (None, True, 0, -7, 3.25, "", "ünï \u2028 \U0001f600", [], {}, [1, [2, {"a": None}]], 2**53 - 1, "x" * MIB):
            with self.subTest(str(value)[:40]):
                self.assertEqual(self.infra.result(function, value)["result"], value)

    @same_in_a_fleet
    def test_word_count_agrees_with_wc(self):
        function = self.infra.deploy("def handler(event, context): return {'words': len(event['text'].split())}")
        with open(LICENCE, encoding="utf-8") as text:
            counted = self.infra.result(function, {"text": text.read()})["result"]["words"]
        expected = subprocess.run(["wc", "-w", LICENCE], capture_output=True, text=True, check=True).stdout.split()[0]
        self.assertEqual(counted, int(expected))

    @same_in_a_fleet
    def test_each_way_to_fail_has_its_own_words(self):
        cases = [
            ("raise RuntimeError('at import')\ndef handler(): pass", "FAILED", "import_error", "at import"),
            ("import no_such_module\ndef handler(): pass", "FAILED", "import_error", "no_such_module"),
            ("handler = 5", "FAILED", "handler_missing", "handler"),
            ("def handler(e, c): raise ValueError('bad input')", "FAILED", "handler_error", "bad input"),
            ("def handler(e, c): return object()", "FAILED", "result_not_json", "JSON"),
            ("def handler(e, c): return 'x' * (7 << 20)", "FAILED", "result_too_large", "6 MiB"),
            ("import sys\ndef handler(e, c): sys.exit(3)", "FAILED", "exited", "3"),
            ("import os\ndef handler(e, c): os._exit(7)", "FAILED", None, "7"),
            ("import os, signal\ndef handler(e, c): os.kill(os.getpid(), signal.SIGSEGV)", "FAILED", None, ""),
            ("def handler(e, c):\n  kept = []\n  while True: kept.append(bytearray(8 << 20))", "FAILED", "out_of_memory", "128"),
        ]
        messages = set()
        for code, status, error_code, says in cases:
            with self.subTest(code):
                result = self.infra.result(self.infra.deploy(code, timeoutMs=20000))
                self.assertEqual(result["status"], status, result)
                self.assertIn(says, result["error"])
                self.assertIsNone(result["result"])
                if error_code:
                    self.assertEqual(result["code"], error_code, result)
                messages.add(result["error"])
        self.assertEqual(len(messages), len(cases))
        thrown = self.infra.result(self.infra.deploy("exports.handler = () => { throw new Error('from node'); };", runtime="nodejs"))
        self.assertEqual((thrown["status"], thrown["code"]), ("FAILED", "handler_error"))
        self.assertIn("from node", thrown["error"])

    def test_a_function_that_failed_runs_again(self):
        function = self.infra.deploy("import os\ndef handler(e, c):\n  if e == 'die': os._exit(1)\n  return e")
        for value in ("a", "die", "b", "die", "c"):
            result = self.infra.result(function, value)
            self.assertEqual(result["status"], "FAILED" if value == "die" else "SUCCESS", result)

    @same_in_a_fleet
    def test_a_function_out_of_time_is_stopped_with_all_it_started(self):
        function = self.infra.deploy("import subprocess, time\ndef handler(e, c):\n"
                                     "  subprocess.Popen(['sleep', '987'])\n  time.sleep(60)", timeoutMs=500)
        started = time.monotonic()
        result = self.infra.result(function)
        self.assertEqual(result["status"], "TIMEOUT", result)
        self.assertIn("500", result["error"])
        self.assertLess(time.monotonic() - started, 10)
        wait_for(lambda: not self.processes_with(b"sleep\0987"), 5, "the end of the function's child")

    def processes_with(self, words):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as line:
                    if words in line.read():
                        found.append(pid)
            except OSError:
                pass
        return found

    @same_in_a_fleet
    def test_output_is_cut_at_a_mebibyte_with_a_note(self):
        function = self.infra.deploy("import sys\ndef handler(e, c):\n  sys.stdout.write('o' * (3 << 20))\n"
                                     "  sys.stderr.write('e' * (3 << 20))\n  return 'done'")
        result = self.infra.result(function)
        self.assertEqual((result["status"], result["result"]), ("SUCCESS", "done"))
        for stream in ("stdout", "stderr"):
            self.assertLess(len(result[stream]), MIB + 4096)
            self.assertGreater(len(result[stream]), MIB - 4096)
            self.assertIn("cut", result[stream][-300:].lower() + result[stream][:300].lower())

    @same_in_a_fleet
    def test_environment_and_sdk(self):
        function = self.infra.deploy(
            {"main.py": "import os, json, sdk, helper\ndef handler(event, context):\n"
                        "  names = ('JOB_ID', 'FUNCTION_ID', 'MEMORY_MB', 'LLM_MODEL', 'OUTPUT_DIR', 'MY', 'PAYLOAD')\n"
                        "  env = {n: os.environ.get(n) for n in names}\n"
                        "  assert sdk.get_input() == event\n  left = context.get_remaining_time_ms()\n"
                        "  open('/tmp/x', 'w').close()\n  open('/output/y', 'w').close()\n"
                        "  sdk.return_output({'env': env, 'left': left, 'helper': helper.WORD, 'id': context.request_id})\n",
             "helper.py": "WORD = 'beside'"},
            envVars=json.dumps({"MY": "täst=1"}), timeoutMs=10000, memoryMb=256)
        result = self.infra.result(function, {"a": 1}, modelId="tiny:1b")
        self.assertEqual(result["status"], "SUCCESS", result)
        value, env = result["result"], result["result"]["env"]
        self.assertEqual((env["JOB_ID"], value["id"]), (result["requestId"],) * 2)
        self.assertEqual((env["FUNCTION_ID"], env["MEMORY_MB"], env["LLM_MODEL"], env["OUTPUT_DIR"], env["MY"]),
                         (function, "256", "tiny:1b", "/output", "täst=1"))
        self.assertEqual(json.loads(env["PAYLOAD"]), {"a": 1})
        self.assertEqual(value["helper"], "beside")
        self.assertTrue(0 < value["left"] <= 10000)

    @same_in_a_fleet
    def test_what_a_call_does_to_its_environment_is_undone(self):
        sources = {
            "python": "import ctypes, os\nget = ctypes.CDLL(None).getenv\nget.restype = ctypes.c_char_p\n"
                      "def handler(event, context):\n"
                      "  seen = [os.environ.get(n) for n in ('JOB_ID', 'MY', 'NEW', 'LANG')]\n"
                      "  native = [(get(n.encode()) or b'').decode() or None for n in ('JOB_ID', 'MY', 'NEW', 'LANG')]\n"
                      "  if event == 'spoil':\n    os.environ['MY'] = os.environ['NEW'] = 'spoilt'\n    del os.environ['LANG']\n"
                      "  if event == 'replace': os.environ = {}\n"
                      "  return [seen, native]",
            "nodejs": "exports.handler = event => {\n"
                      "  const seen = ['JOB_ID', 'MY', 'NEW', 'LANG'].map(name => process.env[name] ?? null);\n"
                      "  if (event === 'spoil') { process.env.MY = process.env.NEW = 'spoilt'; delete process.env.LANG; }\n"
                      "  if (event === 'replace') process.env = {};\n  return [seen, seen];\n};",
        }
        for runtime, source in sources.items():
            with self.subTest(runtime):
                function = self.infra.deploy(source, runtime=runtime, envVars=json.dumps({"MY": "own"}))
                for event in ("spoil", "replace", None, None):
                    result = self.infra.result(function, event)
                    self.assertEqual(result["result"], [[result["requestId"], "own", None, "C.UTF-8"]] * 2, event)
                self.assertFalse(result["coldStart"])

    @same_in_a_fleet
    def test_what_a_nodejs_handler_puts_off_to_the_next_round_is_part_of_its_call(self):
        function = self.infra.deploy("exports.handler = (event) => {\n"
                                     "  if (event === 'reject') Promise.reject(new Error('nobody'));\n"
                                     "  if (event === 'throw') setImmediate(() => { throw new Error('later'); });\n"
                                     "  if (event === 'print') setImmediate(() => console.log('later'));\n"
                                     "  if (event === 'handled') {\n"
                                     "    const p = Promise.reject(1); process.nextTick(() => p.catch(() => {}));\n  }\n"
                                     "};", runtime="nodejs")
        for event in ("print", "handled", "print"):
            result = self.infra.result(function, event)
            self.assertEqual(result["status"], "SUCCESS", result)
            self.assertIn("later\n" if event == "print" else "", result["stdout"])
        for event, said in (("reject", "nobody"), ("throw", "later")):
            result = self.infra.result(function, event)
            self.assertEqual((result["status"], result["code"]), ("FAILED", "handler_error"), result)
            self.assertIn(said, result["error"])

    @same_in_a_fleet
    def test_a_warm_instance_takes_large_inputs_for_ever(self):
        """More of them than its memory holds: nothing of a call may stay, the variables that it set included."""
        sources = {"python": "def handler(event, context):\n  return len(event)", "nodejs": "exports.handler = event => event.length;"}
        large = "x" * 90_000
        for runtime, source in sources.items():
            with self.subTest(runtime):
                function = self.infra.deploy(source, runtime=runtime, memoryMb=128)
                connection = self.infra.connect()
                self.addCleanup(connection.close)
                colds = 0
                for number in range(1600):
                    answer = self.infra.run_on(connection, function, f"{number:06}{large}").json()
                    self.assertEqual((answer["status"], answer["result"]), ("SUCCESS", 90_006), answer)
                    colds += answer["coldStart"]
                self.assertEqual(colds, 1)

    @same_in_a_fleet
    def test_functions_are_kept_apart(self):
        function = self.infra.deploy(
            "import os, socket\ndef handler(event, context):\n"
            "  found = {'uid': os.getuid(), 'pids': len([p for p in os.listdir('/proc') if p.isdigit()])}\n"
            "  for name, path in (('root', '/x'), ('etc', '/etc/x'), ('usr', '/usr/x')):\n"
            "    try: open(path, 'w'); found[name] = 'written'\n    except OSError: found[name] = 'refused'\n"
            "  try: socket.create_connection(('1.1.1.1', 80), 1); found['net'] = 'open'\n  except OSError: found['net'] = 'closed'\n"
            "  try: socket.create_connection(('127.0.0.1', event), 1); found['host'] = 'open'\n  except OSError: found['host'] = 'closed'\n"
            "  ports = []\n  for fd in os.listdir('/proc/self/fd'):\n"
            "    try: ports.append(socket.socket(fileno=os.dup(int(fd))).getsockname()[1])\n    except (OSError, IndexError): pass\n"
            "  found['inherited'] = event in ports\n  return found")
        found = self.infra.result(function, self.infra.port)["result"]
        self.assertFalse(found.pop("inherited"), "the function has a socket of the program's clients or its listener")
        self.assertNotEqual(found.pop("uid"), 0)
        self.assertLess(found.pop("pids"), 6)
        self.assertEqual(found, {"root": "refused", "etc": "refused", "usr": "refused", "net": "closed", "host": "closed"})

    def test_async_is_accepted_then_pending_then_there(self):
        function = self.infra.deploy("import time\ndef handler(e, c):\n  time.sleep(1)\n  return e")
        answer = self.infra.run(function, "later", {"x-async": "true"})
        self.assertEqual(answer.status, 202, answer)
        accepted = answer.json()
        self.assertEqual(accepted["status"], "ACCEPTED")
        self.assertTrue(accepted["message"])
        self.assertRegex(accepted["jobId"], UUID_V7)
        self.assertEqual(accepted["jobId"], answer.headers["x-request-id"])
        self.assertEqual(self.infra.get(f"/api/status/{accepted['jobId']}").json(), {"status": "pending"})
        result = self.infra.await_result(accepted["jobId"])
        self.assertEqual((result["status"], result["result"], result["requestId"]), ("SUCCESS", "later", accepted["jobId"]))
        row, = self.infra.log_rows(function, 1)
        self.assertEqual(row["requestId"], accepted["jobId"])

    def test_twenty_at_once(self):
        function = self.infra.deploy("import time\ndef handler(e, c):\n  time.sleep(0.05)\n  return e * e")
        with ThreadPoolExecutor(20) as pool:
            results = list(pool.map(lambda n: self.infra.result(function, n), range(20)))
        self.assertEqual([r["result"] for r in results], [n * n for n in range(20)])
        self.assertEqual(len({r["requestId"] for r in results}), 20)
        self.assertEqual(len(self.infra.log_rows(function, 20)), 20)

    def test_put_during_runs_gives_old_or_new_never_a_mix(self):
        def version(n):
            return bundle({"main.py": f"import part\ndef handler(e, c): return ({n}, part.N)", "part.py": f"N = {n}"})
        function = self.infra.upload(version(0)).json()["functionId"]
        with ThreadPoolExecutor(4) as pool:
            runs = [pool.submit(self.infra.result, function) for _ in range(60)]
            for n in range(1, 6):
                self.assertEqual(self.infra.upload(version(n), path=f"/functions/{function}", method="PUT").status, 200)
            for run in runs:
                result = run.result()
                self.assertEqual(result["status"], "SUCCESS", result)
                self.assertEqual(*result["result"])
        self.assertEqual(self.infra.result(function)["result"], [5, 5])


class WithNode(Case):
    @classmethod
    def setUpClass(cls):
        cls.node = FakeOllama()
        cls.environment = {"AI_NODE_URL": cls.node.url}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.node.close()

    def test_functions_ask_the_node_and_tokens_are_counted(self):
        function = self.infra.deploy("import ai_client\ndef handler(e, c):\n"
                                     "  return [ai_client.generate('one'),\n"
                                     "          ai_client.chat([{'role': 'user', 'content': 'two'}], model='m2')]")
        result = self.infra.result(function, modelId="m1")
        self.assertEqual((result["status"], result["result"]), ("SUCCESS", ["generated:one", "chat:two"]), result)
        self.assertEqual(result["llm_token_count"], 2 * (11 + 31))
        self.assertEqual([asked["model"] for path, asked in self.node.requests if asked], ["m1", "m2"])
        plain = self.infra.deploy("def handler(e, c): return 1")
        self.assertEqual(self.infra.result(plain)["llm_token_count"], 0)

    def test_nothing_else_of_the_node_is_reachable(self):
        function = self.infra.deploy(
            "import os, urllib.request, urllib.error\ndef handler(e, c):\n  found = []\n"
            "  for path in ('/api/tags', '/api/pull', '/', '/api/generate/../delete'):\n"
            "    try: found.append(urllib.request.urlopen(os.environ['AI_ENDPOINT'] + path, timeout=5).status)\n"
            "    except urllib.error.HTTPError as error: found.append(error.code)\n  return found")
        for status in self.infra.result(function)["result"]:
            self.assertIn(status, (403, 404, 405))


if __name__ == "__main__":
    main()
