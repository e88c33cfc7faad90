"""runtimes/python against the protocol of docs/runner-protocol.md."""

import os
import threading
import unittest
from http.server import BaseHTTPRequestHandler, HTTPServer

from runner_process import RunnerProcess


def start(code, **files):
    return RunnerProcess("python", {"main.py": code, **{name.replace("__", "."): text for name, text in files.items()}})


class PythonRunner(unittest.TestCase):
    def failure(self, code, expected, event=None):
        with start(code) as runner:
            answer = runner.call(event)
            self.assertEqual((answer["ok"], answer["code"]), (False, expected), answer)
            return answer["message"], runner.new_output("err"), answer.get("reusable")

    def test_stays_warm(self):
        with start("n = 0\ndef handler(event, context):\n  global n; n += 1\n  return [n, event['x']]") as runner:
            self.assertEqual(runner.ready, {"ready": True})
            self.assertEqual(runner.call({"x": "é"})["value"], [1, "é"])
            answer = runner.call({"x": 2})
            self.assertEqual(answer["value"], [2, 2])
            self.assertGreaterEqual(answer["handlerMs"], 0)

    def test_code_is_loaded_ahead_of_its_first_call(self):
        with start("import os\nseen, n = os.environ['A'], 0\ndef handler(e, c):\n  global n; n += 1\n  return [seen, n, e]") as runner:
            answer = runner.call(env={"A": "1"}, load=True)
            self.assertEqual((answer["ok"], answer["value"]), (True, None))
            self.assertNotIn("handlerMs", answer)
            self.assertEqual(runner.call(7, env={"A": "2"})["value"], ["1", 1, 7])
        with start("raise ValueError('not today')") as runner:
            answer = runner.call(load=True)
            self.assertEqual((answer["ok"], answer["code"], answer["reusable"]), (False, "import_error", False))

    def test_arguments(self):
        for code, value in (("def handler(): return 'none'", "none"),
                            ("def handler(event): return event", 7),
                            ("def main(*all): return len(all)", 2),
                            ("import functools\ndef plain(e): return e\n@functools.wraps(plain)\n"
                             "def handler(*a, **k): return plain(*a, **k)", 7),
                            ("class H:\n  def __call__(self, event): return event\nhandler = H()", 7),
                            ("async def handler(event, context): return event", 7)):
            with start(code) as runner:
                self.assertEqual(runner.call(7).get("value"), value, code)

    def test_async_calls_share_one_loop(self):
        with start("import asyncio\nlock = asyncio.Event()\nasync def handler(event):\n"
                   "  return id(asyncio.get_running_loop())") as runner:
            self.assertEqual(runner.call()["value"], runner.call()["value"])

    def test_context(self):
        code = ("def handler(e, c):\n  left = c.get_remaining_time_ms()\n"
                "  return [c.request_id, c.function_id, c.model_id, c.memory_mb, 4000 < left <= 5000,"
                " c.get_remaining_time_in_millis() <= left]")
        with start(code) as runner:
            self.assertEqual(runner.call()["value"], ["r-1", "f-1", "m", 128, True, True])

    def test_environment_is_replaced(self):
        with start("import os\ndef handler(e, c):\n  os.environ['LEFT'] = '1'\n  return dict(os.environ)") as runner:
            first = runner.call(env={"A": "1"})["value"]
            self.assertEqual(first["A"], "1")
            self.assertEqual(first["HOME"], runner.scratch)
            self.assertEqual(first["OUTPUT_DIR"], "/output")
            second = runner.call(env={"B": "2"})["value"]
            self.assertEqual({"A", "B", "LEFT"} & set(second) - {"LEFT"}, {"B"})

    def test_environment_does_not_leak_into_the_next_call(self):
        with start("import os\ndef handler(e, c):\n  seen = os.environ.get('X'); os.environ['X'] = 'y'; return seen") as runner:
            runner.call()
            self.assertIsNone(runner.call()["value"])

    def test_exception(self):
        message, err, reusable = self.failure("def inner():\n  raise ValueError('bad thing')\ndef handler(e, c): inner()",
                                              "handler_error")
        self.assertEqual(message, "ValueError: bad thing")
        self.assertIn("in inner", err)
        self.assertNotIn("runner.py", err)
        self.assertTrue(err.endswith("ValueError: bad thing\n"))
        self.assertTrue(reusable)

    def test_exception_that_cannot_be_printed(self):
        message, _, _ = self.failure("class E(Exception):\n  def __str__(self): raise RuntimeError()\n"
                                     "def handler(e, c): raise E()", "handler_error")
        self.assertEqual(message, "E")

    def test_code_that_does_not_load(self):
        for code, said in (("def handler(:", "SyntaxError"), ("import no_such_module", "ModuleNotFoundError"),
                           ("1/0", "ZeroDivisionError"), ("import sys; sys.exit(3)", "exit(3)")):
            message, err, reusable = self.failure(code, "import_error")
            self.assertIn(said, message)
            self.assertNotIn("importlib/__init__", err)
            self.assertFalse(reusable)

    def test_missing_handler(self):
        message, _, _ = self.failure("print('a script')", "handler_missing")
        self.assertIn("handler(event, context)", message)

    def test_results_that_are_not_json(self):
        for value, said in (("{1, 2}", "set"), ("float('nan')", "float"), ("[object()]", "object"), ("{(1, 2): 3}", "dict"),
                            ("b'x'", "bytes"), ("(i for i in [])", "generator")):
            message, _, reusable = self.failure(f"def handler(e, c): return {value}", "result_not_json")
            self.assertIn(said, message)
            self.assertTrue(reusable)
        self.failure("def handler(e, c):\n  a = []; a.append(a); return a", "result_not_json")
        self.failure("def handler(e, c):\n  a = []\n  for i in range(99999): a = [a]\n  return a", "result_not_json")

    def test_result_size(self):
        with start("def handler(n): return 'x' * n") as runner:
            limit = 6 * 1024 * 1024
            self.assertEqual(len(runner.call(limit - 2)["value"]), limit - 2)
            self.assertEqual(runner.call(limit - 1)["code"], "result_too_large")

    def test_lone_surrogates(self):
        with start("def handler(e):\n  print('\\ud800')\n  return 'a\\ud800b \\U0001f600'") as runner:
            self.assertEqual(runner.call()["value"], "a\ufffdb \U0001f600")

    def test_exit(self):
        message, _, reusable = self.failure("import sys\ndef handler(e, c): sys.exit(4)", "exited")
        self.assertIn("exit(4)", message)
        self.assertTrue(reusable)
        with start("import os\ndef handler(e, c): os._exit(9)") as runner:
            self.assertIsNone(runner.call())
            self.assertEqual(runner.process.wait(10), 9)

    def test_sdk(self):
        code = ("import sdk, sys\ndef handler():\n  sdk.return_output([sdk.get_input(), sdk.get_context().request_id])\n"
                "  if sdk.get_input() == 1: sys.exit(0)")
        with start(code) as runner:
            self.assertEqual(runner.call(0)["value"], [0, "r-1"])
            self.assertEqual(runner.call(1)["value"], [1, "r-1"])

    def test_the_bundle_may_bring_its_own_sdk(self):
        with start("import sdk\ndef handler(): return sdk.mine", sdk__py="mine = 5") as runner:
            self.assertEqual(runner.call()["value"], 5)

    def test_patched_modules_do_not_break_framing(self):
        code = """
import builtins, json, os, sys, time
def broken(*a, **k): raise RuntimeError('patched')
for module, names in ((json, ['dumps', 'loads']), (os, ['read', 'write', 'getpid', '_exit']), (time, ['time', 'perf_counter'])):
    for name in names: setattr(module, name, broken)
json.JSONEncoder.encode = json.JSONEncoder.iterencode = json.JSONDecoder.decode = broken
json.JSONEncoder.default = broken
os.environ = {}
sys.stdout = sys.stderr = None
def handler(e, c):
    for name in ('len', 'min', 'isinstance', 'getattr', 'hasattr', 'str', 'int', 'max', 'round', 'type', 'memoryview', 'super'):
        setattr(builtins, name, broken)
    if e == 'throw': raise ValueError('mine')
    return {'e': e}
"""
        with start(code) as runner:
            for event in ("a", "b"):
                self.assertEqual(runner.call(event).get("value"), {"e": event})
            self.assertEqual(runner.call("throw")["message"], "ValueError: mine")
            self.assertEqual(runner.call("c").get("value"), {"e": "c"})

    def test_the_control_socket_is_not_at_hand(self):
        code = ("import os\ndef handler():\n"
                "  try: os.write(3, b'garbage')\n  except OSError as e: return e.errno\n  return 'written'")
        with start(code) as runner:
            self.assertEqual(runner.call()["value"], 9)  # EBADF

    def test_a_forked_child_does_not_answer(self):
        code = "import os\ndef handler():\n  pid = os.fork()\n  if pid: os.waitpid(pid, 0)\n  return pid != 0"
        with start(code) as runner:
            self.assertIs(runner.call()["value"], True)
            self.assertIs(runner.call()["value"], True)

    def test_output_comes_before_the_answer(self):
        code = "import sys\ndef handler(e):\n  print('out', e, end='')\n  print('err', file=sys.stderr, end='')"
        with start(code) as runner:
            for n in range(3):
                self.assertIsNone(runner.call(n)["value"])
                self.assertEqual((runner.new_output("out"), runner.new_output("err")), (f"out {n}", "err"))

    def test_packages_in_the_bundle(self):
        with RunnerProcess("python", {"main.py": "from pkg.deep import x\ndef handler(): return x", "pkg/__init__.py": "",
                                      "pkg/deep.py": "x = 3"}) as runner:
            self.assertEqual(runner.call()["value"], 3)
            self.assertFalse(os.path.exists(os.path.join(runner.folder, "workspace/pkg/__pycache__")))


class AiNode(BaseHTTPRequestHandler):
    def do_POST(self):
        import json
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        good = asked["model"] == "m1"
        body = {"error": "no such model"} if not good else (
            {"response": "to " + asked["prompt"]} if self.path == "/api/generate" else
            {"message": {"role": "assistant", "content": asked["messages"][-1]["content"] + "!"}})
        data = json.dumps(body).encode()
        self.send_response(200 if good else 404)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class AiClient(unittest.TestCase):
    def test_generate_chat_and_errors(self):
        node = HTTPServer(("127.0.0.1", 0), AiNode)
        thread = threading.Thread(target=node.serve_forever)
        thread.start()
        code = ("import ai_client\ndef handler(e):\n"
                "  return [ai_client.generate('hi', e), ai_client.chat([{'role': 'user', 'content': 'yo'}])]")
        env = {"AI_ENDPOINT": f"http://127.0.0.1:{node.server_port}", "LLM_MODEL": "m1"}
        try:
            with start(code) as runner:
                self.assertEqual(runner.call(None, env)["value"], ["to hi", "yo!"])
                self.assertIn("answered 404: no such model", runner.call("m2", env)["message"])
        finally:
            node.shutdown()
            thread.join()
            node.server_close()


if __name__ == "__main__":
    unittest.main()
