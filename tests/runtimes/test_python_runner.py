"""runtimes/python against the protocol of docs/runner-protocol.md."""

import json
import os
import subprocess
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, HTTPServer

from runner_process import RUNNERS, RunnerProcess


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
        with start("raise ValueError('not today')\ndef handler(): pass") as runner:
            answer = runner.call(load=True)
            self.assertEqual((answer["ok"], answer["code"], answer["reusable"]), (False, "import_error", False))

    def test_arguments(self):
        for code, value in (("def handler(): return 'none'", "none"),
                            ("def handler(event): return event", 7),
                            ("def main(*all): return len(all)", 2),
                            ("import functools\ndef plain(e): return e\n@functools.wraps(plain)\n"
                             "def handler(*a, **k): return plain(*a, **k)", 7),
                            ("import functools\ndef plain(e): return e\n@functools.wraps(plain)\n"
                             "def handler(event, context): return [plain(event), context.request_id]", [7, "r-1"]),
                            ("import functools\ndef plain(e, c): return [e, c]\n@functools.wraps(plain)\n"
                             "def handler(event): return plain(event, 1)", [7, 1]),
                            ("import functools\ndef plain(e, c): return c.request_id\n@functools.wraps(plain)\n"
                             "def handler(*a, **k): return plain(*a, **k)", "r-1"),
                            ("import functools\ndef plain(e): return e\n@functools.wraps(plain)\n"
                             "def handler(event, context, *more): return [plain(event), context.request_id]", [7, "r-1"]),
                            ("import functools\ndef plain(e): return e\n@functools.wraps(plain)\n"
                             "async def handler(event, context): return [plain(event), context.request_id]", [7, "r-1"]),
                            ("import functools\ndef plain(a, e, c=5): return [a, e, type(c).__name__]\n"
                             "handler = functools.partial(plain, 'a')", ["a", 7, "Context"]),
                            ("import functools\ndef plain(e, c=5): return [e, c]\nhandler = functools.partial(plain, c=6)", [7, 6]),
                            ("class H:\n  def __call__(self, event): return event\nhandler = H()", 7),
                            ("class H:\n  def call(self, event, context): return context.request_id\nhandler = H().call", "r-1"),
                            ("class H:\n  @classmethod\n  def call(cls, event): return event\nhandler = H.call", 7),
                            ("class H:\n  @staticmethod\n  def call(event): return event\nhandler = H.__dict__['call']", 7),
                            ("class handler(dict):\n  def __init__(self, event): self['e'] = event", {"e": 7}),
                            ("import functools\n@functools.cache\ndef handler(event): return event", 7),
                            ("def handler(event, *, tries=3): return [event, tries]", [7, 3]),
                            ("import json\nhandler = json.dumps", "7"),
                            ("handler = abs", 7),
                            ("async def handler(event, context): return event", 7)):
            with start(code) as runner:
                self.assertEqual(runner.call(7).get("value"), value, code)

    def test_async_calls_share_one_loop(self):
        with start("import asyncio\nlock = asyncio.Event()\nasync def handler(event):\n"
                   "  return id(asyncio.get_running_loop())") as runner:
            self.assertEqual(runner.call()["value"], runner.call()["value"])

    def test_context(self):
        code = ("import json, sdk\ndef names(**more): return sorted(more)\ndef handler(e, c):\n  left = c.get_remaining_time_ms()\n"
                "  assert dict(sdk.get_context()) == c == json.loads(json.dumps(c)) and names(**c) == sorted(c)\n"
                "  assert c['deadline_ms'] == c.deadline_ms and c.get('none', 1) == 1 and not hasattr(c, 'none')\n"
                "  return [c['request_id'], c.request_id, c.function_id, c.model_id, c.memory_mb, 4000 < left <= 5000,"
                " c.get_remaining_time_in_millis() <= left, c]")
        with start(code) as runner:
            *some, whole = runner.call()["value"]
            self.assertEqual(some, ["r-1", "r-1", "f-1", "m", 128, True, True])
            self.assertEqual({**whole, "deadline_ms": 0}, {"request_id": "r-1", "function_id": "f-1", "model_id": "m",
                                                           "memory_mb": 128, "deadline_ms": 0, "trace_id": "",
                                                           "traceparent": ""})

    def test_the_trace(self):
        code = ("import os, sdk\nprint('loaded', os.environ.get('TRACEPARENT'))\ndef handler(e, c):\n"
                "  return [c.trace_id, c.traceparent, os.environ.get('TRACEPARENT'), os.popen('echo $TRACEPARENT').read().strip()]")
        with start(code) as runner:
            for trace in ("a" * 32, "b" * 32):
                parent = f"00-{trace}-00f067aa0ba902b7-01"
                answer = runner.call(env={"TRACEPARENT": parent}, traceparent=parent)
                self.assertEqual(answer["value"], [trace, parent, parent, parent], answer)
            self.assertEqual(runner.call()["value"], ["", "", None, ""])

    def test_environment_is_replaced(self):
        with start("import os\ndef handler(e, c):\n  os.environ['LEFT'] = '1'\n  return dict(os.environ)") as runner:
            first = runner.call(env={"A": "1"})["value"]
            self.assertEqual(first["A"], "1")
            self.assertEqual(first["HOME"], runner.scratch)
            self.assertEqual(first["OUTPUT_DIR"], "/output")
            self.assertEqual(set(first), {"A", "LEFT", "PATH", "HOME", "LANG", "TMPDIR", "OUTPUT_DIR", "PYTHONPATH", "PAYLOAD_FILE"})
            second = runner.call(env={"B": "2"})["value"]
            self.assertEqual({"A", "B", "LEFT"} & set(second) - {"LEFT"}, {"B"})

    def test_environment_does_not_leak_into_the_next_call(self):
        with start("import os\ndef handler(e, c):\n  seen = os.environ.get('X'); os.environ['X'] = 'y'; return seen") as runner:
            runner.call()
            self.assertIsNone(runner.call()["value"])

    def test_what_loading_did_to_the_environment_stays(self):
        code = ("import os, time\nos.environ['SET'] = 'loaded'\nos.environ['GIVEN'] = 'changed'\ndel os.environ['LANG']\n"
                "os.environ['TZ'] = 'Asia/Tokyo'\ntime.tzset()\ndef handler(event):\n  seen = [os.environ.get(n) for n in ('SET', 'GIVEN', 'LANG', 'MINE')]\n"
                "  os.environ['SET'] = os.environ['MINE'] = 'a call'; os.environ['TZ'] = 'UTC'; time.tzset() if event else None\n"
                "  return [*seen, time.localtime(0).tm_hour if not event else 9]")
        with start(code) as runner:
            for event in (0, 1, 0):
                answer = runner.call(event, {"GIVEN": "1", "JOB_ID": str(event)})
                self.assertEqual(answer["value"], ["loaded", "changed", None, None, 9], (event, runner.new_output("err")))

    def test_the_working_directory_is_the_bundle_again(self):
        with start("import os\ndef handler(e):\n  seen = os.path.exists('main.py'); os.mkdir('/tmp/x' + e)\n"
                   "  os.chdir('/tmp/x' + e); os.rmdir('/tmp/x' + e); return seen") as runner:
            for name in (f"{os.getpid()}a", f"{os.getpid()}b"):
                self.assertTrue(runner.call(name)["value"])

    def test_integers_have_as_many_digits_as_they_have(self):
        number = "1" * 5000
        with start("def handler(e): return e") as runner:
            runner.send(b'{"requestId":"r","functionId":"f","memoryMb":128,"deadlineMs":0,"env":{"PAYLOAD":""},"input":{"n":[' + number.encode() + b']}}')
            answer = runner.receive()
            self.assertIn(answer.get("code"), (None, "result_not_json"))  # to write it is the function's affair, and Python's bound
            self.assertEqual(runner.call(2)["value"], 2)

    def test_an_input_too_large_for_a_variable_is_in_a_file(self):
        code = ("import json, os\nseen = os.environ.get('PAYLOAD', '')\n"
                "def handler(e, c):\n  if 'PAYLOAD' in os.environ: return [seen, os.environ['PAYLOAD'], 'PAYLOAD_FILE' in os.environ]\n"
                "  with open(os.environ['PAYLOAD_FILE']) as file: return json.load(file) == e")
        with start(code) as runner:
            self.assertEqual(runner.call(1, env={"PAYLOAD": "1"})["value"], ["1", "1", False])
            self.assertIs(runner.call({"x": "é" * 200_000, "y": [1.5, None]})["value"], True)
            self.assertEqual(os.listdir(runner.scratch), [])
            self.assertEqual(runner.call(2, env={"PAYLOAD": "2"})["value"], ["1", "2", False])

    def test_the_time_zone_follows_the_environment(self):
        code = ("import os, time\nloaded = time.tzname[0]\ndef handler(e):\n  seen = [loaded, time.tzname[0], time.localtime(0).tm_hour]\n"
                "  if e: os.environ['TZ'] = e; time.tzset()\n  return seen")
        tokyo, nepal = {"TZ": "JST-9"}, {"TZ": "NPT-5:45"}
        with start(code) as runner:
            self.assertEqual(runner.call(env=tokyo)["value"], ["JST", "JST", 9])
            self.assertEqual(runner.call(env=tokyo)["value"], ["JST", "JST", 9])
            self.assertEqual(runner.call(env=nepal)["value"], ["JST", "NPT", 5])
            usual = runner.call(env={})["value"]
            self.assertNotIn(usual[1], ("JST", "NPT"))
            self.assertEqual(runner.call("XXX-3", env={})["value"], usual)
            self.assertEqual(runner.call("XXX-3", env={})["value"], usual)
            self.assertEqual(runner.call("XXX-3", env=tokyo)["value"], ["JST", "JST", 9])
            self.assertEqual(runner.call(env=tokyo)["value"], ["JST", "JST", 9])

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
        handler = "\ndef handler(): pass"
        for code, said in (("def handler(:", "SyntaxError"), ("print('a script'", "SyntaxError"), ("a = '\0'", "null bytes"),
                           ("import no_such_module" + handler, "ModuleNotFoundError"),
                           ("1/0" + handler, "ZeroDivisionError"), ("import sys; sys.exit(3)" + handler, "exit(3)")):
            message, err, reusable = self.failure(code, "import_error")
            self.assertIn(said, message)
            self.assertNotIn("importlib/__init__", err)
            self.assertFalse(reusable)

    def test_missing_handler(self):
        message, _, _ = self.failure("handler = 'no function'", "handler_missing")
        self.assertIn("handler(event, context)", message)

    def test_results_that_are_not_json(self):
        for value, said in (("{1, 2}", "set"), ("float('nan')", "float"), ("[object()]", "object, at result[0]."),
                            ("{(1, 2): 3}", "not tuple."), ("b'x'", "bytes"), ("(i for i in [])", "generator"),
                            ("{'a': [1, {'b': (2, {3})}]}", "set, at result['a'][1]['b'][1]."), ("[1, 1e999]", "at result[1]."),
                            ("{'a': {b'k': 1}}", "not bytes, at result['a'].")):
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

    def test_a_forked_child_does_not_answer_and_ends_as_a_program_does(self):
        code = ("import atexit, os, sys\natexit.register(lambda: print('exit hook', flush=True))\ndef handler(do):\n  pid = os.fork()\n"
                "  if pid: return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])\n  return eval(do)")
        with start(code) as runner:
            for do, status, out, err in (("None", 0, "exit hook\n", ""), ("{1}", 0, "exit hook\n", ""), ("os._exit(3)", 3, "", ""),
                                         ("sys.exit(4)", 4, "exit hook\n", ""), ("sys.exit('words')", 1, "exit hook\n", "words\n"),
                                         ("1/0", 1, "exit hook\n", "ZeroDivisionError: division by zero\n"),
                                         ("os.kill(os.getpid(), 15)", -15, "", "")):
                self.assertEqual(runner.call(do)["value"], status, do)
                self.assertEqual(runner.new_output("out"), out, do)
                said = runner.new_output("err")
                self.assertTrue(said.endswith(err) and bool(said) == bool(err), said)

    def test_what_a_call_does_to_its_streams_is_undone(self):
        code = ("import io, os, sys\ndef handler(do):\n  exec(do)\n  print('printed')\n  print('said', file=sys.stderr)\n"
                "  return [sys.stdin.read(), sys.stdout.encoding, sys.stdout.errors, sys.stdout is sys.__stdout__]")
        with start(code) as runner:
            usual = runner.call("")
            self.assertEqual((usual["value"], runner.new_output("out")), (["", "utf-8", "backslashreplace", True], "printed\n"))
            for spoil in ("sys.stdout = sys.stderr = io.StringIO()", "sys.stdout.close()", "sys.stdin.close(); sys.stderr.close()",
                          "sys.stdout.detach()", "sys.stdout = None; sys.stdin = 5; del sys.stderr",
                          "sys.stdout.reconfigure(encoding='utf-16', errors='strict')",
                          "sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='latin-1')", "sys.stdout = os.fdopen(1, 'w')",
                          "sys.stdout = open(os.devnull, 'w'); os.close(1)", "sys.stdin = io.StringIO('x')",
                          "sys.stderr = sys.stdout = None; sys.__stdout__.close()"):
                runner.call(spoil)
                runner.new_output("out"), runner.new_output("err")
                answer = runner.call("")
                self.assertEqual(answer.get("value"), usual["value"], (spoil, answer))
                self.assertEqual((runner.new_output("out"), runner.new_output("err")), ("printed\n", "said\n"), spoil)

    def test_what_the_code_makes_of_its_streams_while_it_loads_stays(self):
        code = ("import sys\nclass Upper:\n  def write(self, text): sys.__stdout__.write(text.upper())\n  def flush(self): pass\n"
                "sys.stdout = Upper()\ndel sys.stdin\ndef handler(): print('loud')")
        with start(code) as runner:
            for _ in range(2):
                runner.call()
                self.assertEqual(runner.new_output("out"), "LOUD\n")

    def test_signals_are_as_in_any_interpreter(self):
        code = ("import signal\ndef handler():\n  ignored = [s.name for s in signal.Signals if signal.getsignal(s) is signal.SIG_IGN]\n"
                "  return [ignored, list(signal.pthread_sigmask(signal.SIG_BLOCK, ()))]")
        with start(code) as runner:
            self.assertEqual(runner.call()["value"], [["SIGPIPE", "SIGXFSZ"], []])

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


class Modules(unittest.TestCase):
    """What a bundle has at its root is found as by `python3 main.py` there."""

    def test_the_bundles_own_come_before_what_the_runner_has_loaded(self):
        for name in ("json", "traceback", "types", "ctypes", "queue", "calendar", "runner", "rehearsal", "values", "frames", "streams",
                     "environment", "user_code", "plain_script", "zygote", "builder", "utils", "sdk", "ai_client", "test", "token"):
            with start(f"import {name}\ndef handler(): return {name}.mine", **{f"{name}__py": "mine = 5"}) as runner:
                self.assertEqual(runner.call().get("value"), 5, name)

    def test_packages_and_their_submodules(self):
        files = {"main.py": "import json, importlib, email.mine\ndef handler():\n  try: __import__('json.encoder')\n"
                            "  except ImportError as error: return [json.mine, importlib.mine, email.mine.mine, str(error)]",
                 "json/__init__.py": "mine = 1", "importlib.py": "mine = 2", "email/__init__.py": "", "email/mine.py": "mine = 3"}
        with RunnerProcess("python", files) as runner:
            self.assertEqual(runner.call().get("value"), [1, 2, 3, "No module named 'json.encoder'"])

    def test_what_is_loaded_keeps_what_it_has(self):
        code = "import json, sdk\ndef handler(): return [json.loads('[1]'), sdk.get_context().get_remaining_time_ms() > 0, json.decoder.__name__]"
        with start(code, time__py="", re__py="", functools__py="") as runner:
            self.assertEqual(runner.call().get("value"), [[1], True, "json.decoder"])

    def test_what_an_interpreter_has_loaded_and_folders_of_files_do_not_count(self):
        code = ("import os, sys, time, json, encodings, codecs\n"
                "def handler(): return [hasattr(m, 'mine') for m in (os, sys, time, json, encodings, codecs)]")
        files = {"main.py": code, "json/data.txt": "", "encodings/__init__.py": "mine = 1",
                 **{f"{name}.py": "mine = 1" for name in ("os", "sys", "time", "codecs")}}
        with RunnerProcess("python", files) as runner:
            self.assertEqual(runner.call().get("value"), [False] * 6)

    def test_the_runners_own_are_not_to_be_had(self):
        code = ("def handler():\n  found = []\n  for name in ('runner', 'rehearsal', 'zygote', 'builder', 'values', 'frames', 'user_code'):\n"
                "    try: found.append(__import__(name).__file__)\n    except ModuleNotFoundError: pass\n  return found")
        with start(code) as runner:
            self.assertEqual(runner.call()["value"], [])

    def test_main_py_is_the_module_whatever_else_has_its_name(self):
        code = "import sys, other\ndef handler(): return [other.x(), sys.modules['main'].__file__ == __file__]"
        files = {"main.py": code, "other.py": "import main\ndef x(): return main.handler.__module__", "main/__init__.py": ""}
        with RunnerProcess("python", files) as runner:
            self.assertEqual(runner.call().get("value"), ["main", True])

    def test_packages_that_nothing_mounts(self):
        code = ("import subprocess, sys\ndef look():\n  import added, given, sdk\n"
                "  return [added.x, given.x, sdk.__name__, [p for p in sys.path if 'dist-packages' in p]]\n"
                "def handler():\n  child = 'import sys; sys.path.insert(0, \".\"); import main; print(main.look())'\n"
                "  return [look(), subprocess.run([sys.executable, '-B', '-c', child], capture_output=True, text=True).stdout]")
        expected = [2, 1, "sdk", []]
        with tempfile.TemporaryDirectory() as packages:
            os.mkdir(f"{packages}/more")
            for name, text in {"given.py": "x = 1", "more.pth": "more\n", "more/added.py": "x = 2"}.items():
                with open(f"{packages}/{name}", "w", encoding="utf-8") as file:
                    file.write(text)
            with RunnerProcess("python", {"main.py": code}, INFRA_PYTHON_PACKAGES=packages) as runner:
                self.assertEqual(runner.call().get("value"), [expected, f"{expected}\n"])


class PlainScripts(unittest.TestCase):
    MODULES = ("handler = print", "def main(): pass", "async def handler(): pass", "class handler: pass", "a, (b, *main) = 1, (2, 3)",
               "handler: object = print", "import json as handler", "import main.part", "from json import dumps as main",
               "if 0 > 1:\n  pass\nelse:\n  def handler(): pass", "try:\n  import no\nexcept ImportError:\n  handler = 1",
               "with open('x') as main: pass", "for handler in (): pass", "print(handler := 1)", "[main := x for x in ()]",
               "match 1:\n  case main: pass", "match {}:\n  case {**handler}: pass", "match []:\n  case [*main]: pass",
               "while 0:\n  def main(): pass", "def main(): pass\nif __name__ == '__main__':\n  main()", "x = 'def main'\nmain = 1")
    SCRIPTS = ("", "print(1)", "x = 'def handler'", "# def main\nhandle = 1", "def f():\n  def handler(): pass",
               "class A:\n  def main(self): pass", "f = lambda: (handler := 1)", "handler: object", "x.handler = main.y", "f(main=1)",
               "print('''\ndef handler(): pass\n''')", "import a.main", "del handler", "def f(handler=1):\n  main = 2",
               "[0 for handler in ()]", "match 1:\n  case A(main=1): pass", "from json import *", "from unittest import *")

    def test_what_makes_a_module(self):
        program = (f"import sys; sys.path.insert(0, {os.path.dirname(RUNNERS['python'][-1])!r}); import json, user_code\n"
                   "print(json.dumps([user_code.compile_module(c.encode(), '') is not None for c in json.load(sys.stdin)]))")
        said = subprocess.run(["/usr/bin/python3", "-I", "-B", "-c", program], input=json.dumps(self.MODULES + self.SCRIPTS),
                              capture_output=True, text=True, check=True)
        modules = [code for code, is_module in zip(self.MODULES + self.SCRIPTS, json.loads(said.stdout)) if is_module]
        self.assertEqual(modules, [*self.MODULES])

    def test_a_handler_may_come_with_all_names_of_a_module_in_the_bundle(self):
        handler = "def handler(event): return event"
        for files in ({"app.py": handler}, {"app.py": "from app import *\nfrom deep.er import *", "deep/er/__init__.py": handler},
                      {"app/__init__.py": "from .parts.one import *", "app/parts/one.py": "from ..two import *", "app/two.py": handler,
                       "app.py": "", "two.py": ""}):
            with RunnerProcess("python", {"main.py": "from app import *", **files}) as runner:
                self.assertEqual(runner.call(3)["value"], 3, files)
        with start("from app import *\nprint(x)", app__py="from app import *\nfrom math import *\nx = sqrt(4)") as runner:
            self.assertEqual(runner.call(env={"PAYLOAD": "1"})["exitCode"], 0)
            self.assertEqual(runner.new_output("out"), "2.0\n")

    def test_runs_whole_each_time(self):
        code = ("import __main__, json, os, sdk, sys, other\ninput = json.loads(os.environ['PAYLOAD'])\nassert sdk.get_input() == input\n"
                "context = sdk.get_context()\nassert 4000 < context.get_remaining_time_ms() <= 5000 and context['memory_mb'] == 128\n"
                "print(other.x, __name__, sys.argv, sys.path[0] == os.getcwd() == os.path.dirname(__file__), context.request_id, input)\n"
                "sdk.return_output({'a': [input]}); sdk.return_output(True); sdk.return_output(None); sdk.return_output('é')")
        env = {"JOB_ID": "j", "FUNCTION_ID": "f", "LLM_MODEL": "m", "MEMORY_MB": "128", "AI_ENDPOINT": "http://x"}
        with start(code, other__py="x = 5", queue__py="") as runner:
            self.assertEqual(runner.call(load=True)["value"], None)
            self.assertEqual(runner.new_output("out"), "")
            for n in (1, 2):
                answer = runner.call(n, {**env, "PAYLOAD": str(n)})
                self.assertEqual(runner.new_output("err"), "")
                self.assertEqual((answer["ok"], answer["plain"], answer["exitCode"]), (True, True, 0))
                self.assertGreater(answer["handlerMs"], 0)
                self.assertEqual(runner.new_output("out"), f"5 __main__ ['main.py'] True j {n}\n{{\"a\": [{n}]}}\nTrue\né\n")

    def test_how_it_ends(self):
        code = ("import atexit, os, signal, sys, threading, time\nimport sdk\natexit.register(lambda: print('exit hook'))\n"
                "threading.Thread(target=lambda: (time.sleep(0.05), print('thread'))).start()\nexec(sdk.get_input())")
        last = "thread\nexit hook\n"
        with start(code) as runner:
            for do, status, out, err in (("", 0, last, ""), ("sys.exit(3)", 3, last, ""), ("exit(0)", 0, last, ""),
                                         ("sys.exit('words')", 1, last, "words\n"), ("1/0", 1, last, "ZeroDivisionError: division by zero\n"),
                                         ("os._exit(4)", 4, "", ""), ("os.kill(os.getpid(), 15)", 143, "", ""),
                                         ("os.killpg(0, 9)", 137, "", ""), ("os.abort()", 134, "", "")):
                answer = runner.call(do, {"PAYLOAD": json.dumps(do)})
                self.assertEqual((answer["ok"], answer["exitCode"], runner.new_output("out")), (True, status, out), do)
                said = runner.new_output("err")
                self.assertTrue(said.endswith(err) and bool(said) == bool(err), said)
                self.assertNotIn("/runtimes/python", said)

    def test_a_large_input_is_in_a_file(self):
        with start("import os, sdk\nprint(len(sdk.get_input()), 'PAYLOAD' in os.environ)") as runner:
            self.assertEqual(runner.call("x" * 200_000)["exitCode"], 0)
            self.assertEqual((runner.new_output("out"), os.listdir(runner.scratch)), ("200000 False\n", []))

    def test_what_it_finds_is_what_a_plain_interpreter_finds(self):
        code = ("import sys, signal\nprint(sys.flags.isolated, sys.flags.no_site, 'runner' in sys.modules, queue_is_mine := __import__('queue').mine)\n"
                "print([s.name for s in signal.Signals if signal.getsignal(s) is signal.SIG_IGN], signal.pthread_sigmask(0, ()))")
        with start(code, queue__py="mine = 5") as runner:
            runner.call(env={"PAYLOAD": "1"})
            self.assertEqual(runner.new_output("out"), "0 0 False 5\n['SIGPIPE', 'SIGXFSZ'] set()\n")


class AiNode(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        good = asked["model"] == "m1"
        body = {"error": "no such model"} if not good else (
            {"response": f"to {asked['prompt']} {asked.get('options')} {asked['stream']}"} if self.path == "/api/generate" else
            {"message": {"role": "assistant", "content": f"{asked['messages'][-1]['content']} {asked.get('format')} {asked['stream']}"}})
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
                "  return [ai_client.generate('hi', e, options={'seed': 1}, stream=True),"
                " ai_client.chat([{'role': 'user', 'content': 'yo'}], format='json')]")
        env = {"AI_ENDPOINT": f"http://127.0.0.1:{node.server_port}", "LLM_MODEL": "m1"}
        try:
            with start(code) as runner:
                self.assertEqual(runner.call(None, env)["value"], ["to hi {'seed': 1} False", "yo json False"])
                self.assertIn("answered 404: no such model", runner.call("m2", env)["message"])
        finally:
            node.shutdown()
            thread.join()
            node.server_close()


if __name__ == "__main__":
    unittest.main()
