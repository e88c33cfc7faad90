"""Python functions find what a plain interpreter finds, wherever their runner comes from: forked or executed."""

import json
import os
import shutil
import subprocess
import tempfile

from harness import Case, main, wait_for

INSTALLED = "/usr/lib/python3/dist-packages"
EXTENSION = next(name for name in os.listdir("/usr/lib/python3.11/lib-dynload") if name.startswith("_lsprof."))
ISOLATED = os.environ.get("INFRA_SANDBOX") != "none"


class Modules:
    """In both modes."""

    @classmethod
    def setUpClass(cls):
        cls.packages = tempfile.mkdtemp(prefix="infra-packages-")
        os.chmod(cls.packages, 0o755)
        os.mkdir(f"{cls.packages}/more")
        for name, text in {"given.py": "x = 1", "more.pth": "more\n", "more/added.py": "x = 2", "queue.py": "raise ValueError()"}.items():
            with open(f"{cls.packages}/{name}", "w", encoding="utf-8") as file:
                file.write(text)
        shutil.copy(f"/usr/lib/python3.11/lib-dynload/{EXTENSION}", cls.packages)
        cls.environment = {**cls.environment, "INFRA_PYTHON_PACKAGES": cls.packages}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        shutil.rmtree(cls.packages)

    def test_the_operators_packages_and_none_of_the_machines(self):
        installed = {name.partition(".")[0].partition("-")[0] for name in os.listdir(INSTALLED)}
        installed = [name for name in sorted(installed) if name.isidentifier() and not os.path.exists(f"/usr/lib/python3.11/{name}")]
        code = """
import importlib.util, multiprocessing, queue, subprocess, sys
def look(names=()):
    import given, added
    return [given.x, added.x, [name for name in names if name in sys.modules or importlib.util.find_spec(name)]]
def handler(names):
    folder = importlib.util.find_spec('given').origin.rpartition('/')[0]
    library = importlib.util.spec_from_file_location('_lsprof', f'{folder}/EXTENSION')
    code = 'import given, added, sdk, ai_client; print(given.x, added.x)'
    child = subprocess.run([sys.executable, '-B', '-c', code], capture_output=True, text=True)
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        spawned = pool.apply(look, (names if ISOLATED else [],))
    return [look(names), spawned, child.stdout, queue.Queue().empty(), importlib.util.module_from_spec(library).__name__]
""".replace("EXTENSION", EXTENSION).replace("ISOLATED", str(ISOLATED))  # else the machine's .pth files run in what is spawned
        found = self.infra.result(self.infra.deploy(code, memoryMb=256), installed)
        self.assertEqual(found["result"], [[1, 2, []], [1, 2, []], "1 2\n", True, "_lsprof"], found)
        script = self.infra.deploy("import given, added, sdk\nprint(given.x, added.x, sdk.get_input())")
        self.assertEqual(self.infra.result(script, 3)["stdout"], "1 2 3\n")

    def test_the_bundles_modules_are_found_as_by_a_plain_interpreter(self):
        names = ["queue", "statistics", "calendar", "secrets", "string", "platform", "html", "csv", "token", "test", "select", "code", "uuid",
                 "runner", "sdk", "ai_client", "utils", "rehearsal", "zygote", "values", "email", "os", "time", "json"]
        files = {f"{name}.py" if name != "email" else "email/__init__.py": "mine = 1" for name in names if name != "json"}
        files["json/data.txt"] = "no package"
        files["main.py"] = f"found = [name for name in {names} if hasattr(__import__(name), 'mine')]\ndef handler(): return found\n"
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                os.makedirs(os.path.dirname(f"{folder}/{name}"), exist_ok=True)
                with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
                    file.write(text)
            plain = subprocess.run(["/usr/bin/python3", "-S", "-B", "-c", "import main; print(main.found)"], cwd=folder,
                                   capture_output=True, text=True, check=True).stdout
        result = self.infra.result(self.infra.deploy(files))
        self.assertEqual(str(result["result"]) + "\n", plain, result)
        self.assertIn("queue", plain)
        self.assertNotIn("'os'", plain)

    def test_processes_and_signals_are_a_plain_interpreters(self):
        code = """
import os, signal, subprocess, sys
def handler(event):
    ignored = [s.name for s in signal.Signals if signal.getsignal(s) is signal.SIG_IGN]
    sleeper = subprocess.Popen(['sleep', '60'])
    sleeper.terminate()
    ends = [sleeper.wait()]
    for do in ('os._exit(3)', 'sys.exit(4)', '1/0', 'None'):
        child = os.fork()
        if child == 0: return eval(do)
        ends.append(os.waitpid(child, 0)[1])
    return [ignored, list(signal.pthread_sigmask(signal.SIG_BLOCK, ())), ends]
"""
        function = self.infra.deploy(code)
        for _ in range(2):
            result = self.infra.result(function)
            self.assertEqual(result["result"], [["SIGPIPE", "SIGXFSZ"], [], [-15, 3 << 8, 4 << 8, 1 << 8, 0]], result)
            self.assertEqual(result["stderr"].count("ZeroDivisionError: division by zero"), 1)

    def test_plain_scripts(self):
        code = ("import atexit, os, sys, sdk\natexit.register(print, 'bye')\nevent = sdk.get_input()\n"
                "print(__name__, sys.argv[0], os.getcwd() == sys.path[0], os.environ['TZ'], sdk.get_context().request_id)\n"
                "sdk.return_output({'length': len(event)})\nsys.exit(None if event != 'fail' else 'failed')\n")
        function = self.infra.deploy(code, envVars=json.dumps({"TZ": "JST-9"}))
        for event, cold in (("a", True), ("é" * 200_000, False), ("fail", False)):
            result = self.infra.result(function, event)
            said = f'__main__ main.py True JST-9 {result["requestId"]}\n{{"length": {len(event)}}}\nbye\n'
            self.assertEqual((result["stdout"], result["result"], result["coldStart"]), (said, None, cold), result)
            status = ("FAILED", 1, "exited") if event == "fail" else ("SUCCESS", 0, None)
            self.assertEqual((result["status"], result["exitCode"], result.get("code")), status)
            self.assertEqual(result["stderr"].splitlines()[:1], ["failed"] if event == "fail" else [])
            self.assertGreater(result["handlerDurationMs"], 0)


class Forked(Modules, Case):
    def test_a_script_is_no_handler_that_is_missing(self):
        self.assertEqual(self.infra.result(self.infra.deploy("def other(): pass"))["status"], "SUCCESS")
        self.assertEqual(self.infra.result(self.infra.deploy("handler = None"))["code"], "handler_missing")
        self.assertEqual(self.infra.result(self.infra.deploy("print("))["code"], "import_error")

    def test_a_script_out_of_time_or_memory_is_ended_whole(self):
        slow = self.infra.result(self.infra.deploy("print('begun')\nimport time\ntime.sleep(60)", timeoutMs=500))
        self.assertEqual((slow["status"], slow["stdout"]), ("TIMEOUT", "begun\n"))
        if ISOLATED:
            large = self.infra.result(self.infra.deploy("kept = []\nwhile True: kept.append(bytearray(8 << 20))"))
            self.assertEqual((large["status"], large["code"]), ("FAILED", "out_of_memory"))

    def test_keep_warm_runs_nothing_of_a_script(self):
        code = "import os\nfile = os.environ['TMPDIR'] + '/ran'\nprint(os.path.exists(file))\nopen(file, 'w').close()"
        before = self.instances()
        function = self.infra.deploy(code, keepWarm=1)
        wait_for(lambda: self.instances() > before, what="an instance that is kept")
        self.assertEqual(self.infra.result(function)["stdout"], "False\n")

    def instances(self):
        lines = self.infra.worker_metrics().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith('worker_pool_instances{runtime="python"}'))

    def test_streams_are_whole_again_in_the_next_call(self):
        function = self.infra.deploy("import sys\ndef handler(event):\n  if event: sys.stdout.close(); sys.stderr = None\n"
                                     "  else: print('out'); print('err', file=sys.stderr)")
        for event, stdout, stderr in ((True, "", ""), (False, "out\n", "err\n"), (True, "", ""), (False, "out\n", "err\n")):
            result = self.infra.result(function, event)
            self.assertEqual((result["stdout"], result["stderr"], result["status"]), (stdout, stderr, "SUCCESS"), result)
        self.assertFalse(result["coldStart"])


class Executed(Modules, Case):
    environment = {"INFRA_PYTHON_EXEC": "true"}


if __name__ == "__main__":
    main()
