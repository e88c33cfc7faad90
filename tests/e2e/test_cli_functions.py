"""Functions by the command line, from their first file to their removal."""

import json
import os
import signal
import subprocess
import threading
import time

from cli_case import FUNCTION_FAILED, OK, REFUSED, CliCase
from harness import API_KEY, PROGRAM, SANITIZED, bundle, main, wait_for

OUTPUT = "def handler(event, context):\n    open('/output/a b.txt', 'w').write('x' * 1000)\n"
FILES = """import os

def handler(event, context):
    found = {}
    for folder, _, names in os.walk("/workspace"):
        for name in names:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, "/workspace")] = [os.path.islink(path), os.access(path, os.X_OK)]
    return found
"""


class Functions(CliCase):
    def test_python_from_init_to_remove(self):
        self.good("init", "python", "snake")
        said = self.good("deploy", "snake")
        self.assertIn("created snake (python, 128 MB)", said.out)
        self.assertIn("infra invoke snake -d @snake/event.json", said.err)
        said = self.good("invoke", "snake", "-d", "@snake/event.json")
        self.assertEqual(said.out, '{"greeting":"Hello, Ada!"}\n')
        self.assertIn("greeting Ada", said.err)
        self.assertIn("SUCCESS in", said.err)
        self.assertEqual(self.good("invoke", "snake", "-d", "-", stdin='{"name": "Bo"}').out, '{"greeting":"Hello, Bo!"}\n')
        self.assertEqual(self.good("invoke", "snake", "--json").json()["result"], {"greeting": "Hello, world!"})

        wait_for(lambda: len(self.good("logs", "snake", "--json", "--since", "10m").json()) == 3, what="the log rows")
        log = self.good("logs", "snake", "-n", "2").out.splitlines()
        self.assertEqual(len(log), 3, log)
        self.assertIn("SUCCESS", log[1])
        self.assertIn("greeting world", log[2], "the newest is the last")
        self.assertEqual(self.good("logs", "snake", "--status", "failed", "--json").json(), [])
        request = self.good("logs", "snake", "--json").json()[0]["requestId"]
        self.assertIn("greeting world", self.good("logs", "snake", "--request", request).out)

        self.good("update", "snake", "--memory", "256", "--description", "it's \"quoted\"")
        shown = self.good("describe", "snake", "--json").json()
        self.assertEqual((shown["memoryMb"], shown["description"]), (256, "it's \"quoted\""))
        self.assertIn("256 MB", self.good("describe", "snake").out)
        self.assertIn("unknown", self.good("advice", "snake").out)
        self.good("remove", "snake", "--yes")
        said = self.cli("invoke", "snake")
        self.assertEqual(said.status, REFUSED, said)
        self.assertIn("infra list", said.err)

    def test_nodejs_from_init_to_remove(self):
        self.good("init", "nodejs", "noddy")
        self.assertIn("created noddy (nodejs", self.good("deploy", "noddy").out)
        self.assertEqual(self.good("invoke", "noddy", "-d", "@noddy/event.json").out, '{"greeting":"Hello, Ada!"}\n')
        self.good("remove", "noddy", "--yes")

    def test_a_second_deploy_replaces_the_code_and_keeps_the_settings(self):
        self.write("again/main.py", "def handler(event, context):\n    return 1\n")
        self.write("again/infra.toml", 'memory = 256\n[env]\nA = "1"\n')
        first = self.good("deploy", "again", "--keep-warm", "0", "--json").json()
        self.assertEqual((first["deployed"], first["memoryMb"]), ("created", 256))
        self.assertEqual(self.good("deploy", "again", "--json").json()["codeSha256"], first["codeSha256"], "the same files, the same ZIP")
        self.write("again/infra.toml", "")
        self.write("again/main.py", "import os\n\ndef handler(event, context):\n    return os.environ['A']\n")
        second = self.good("deploy", "again", "--json").json()
        self.assertEqual((second["deployed"], second["functionId"], second["memoryMb"]), ("replaced", first["functionId"], 256))
        self.assertNotEqual(second["codeSha256"], first["codeSha256"])
        self.assertEqual(self.good("invoke", "again").out, '"1"\n')

    def test_what_of_a_folder_is_uploaded(self):
        for name in ("main.py", ".env", "notes.log", "lib/__pycache__/a.pyc", "lib/a.py", "build/out", ".git/config", "infra.toml"):
            self.write(f"files/{name}", FILES if name == "main.py" else "")
        self.write("files/run.sh", "#!/bin/sh\n")
        os.chmod(os.path.join(self.folder, "files/run.sh"), 0o755)
        os.symlink("lib/a.py", os.path.join(self.folder, "files/link.py"))
        self.write("files/.infraignore", "*.log\nbuild/\n")
        self.good("deploy", "files")
        found = self.good("invoke", "files", "--json").json()["result"]
        self.assertEqual(found, {"main.py": [False, False], "lib/a.py": [False, False], "run.sh": [False, True], "link.py": [True, False]})

    def test_a_zip_that_is_there_already(self):
        with open(os.path.join(self.folder, "packed.zip"), "wb") as file:
            file.write(bundle({"index.js": "exports.handler = async () => 'packed';"}))
        self.assertIn("created packed (nodejs", self.good("deploy", "packed.zip").out)
        self.assertEqual(self.good("invoke", "packed").out, '"packed"\n')

    def test_a_large_folder_goes_through(self):
        self.write("large/main.py", "def handler(event, context):\n    return len(open('/workspace/data').read())\n")
        with open(os.path.join(self.folder, "large/data"), "wb") as file:
            file.write(os.urandom(3_000_000).hex().encode() + b"x" * 100_000)
        self.good("deploy", "large", "--memory", "256")
        self.assertEqual(self.good("invoke", "large").out, "6100000\n")

    def test_a_function_that_fails(self):
        self.write("broken/main.py", "def handler(event, context):\n    print('before')\n    return 1 / event['n']\n")
        self.good("deploy", "broken", "--timeout", "500ms")
        said = self.cli("invoke", "broken", "-d", '{"n": 0}')
        self.assertEqual((said.status, said.out), (FUNCTION_FAILED, ""), said)
        request = said.err.partition("request: ")[2].partition("\n")[0]
        for words in ("ZeroDivisionError", "before", "Traceback", "the function's (handler_error)", f"infra logs broken --request {request}"):
            self.assertIn(words, said.err)
        wait_for(lambda: self.cli("logs", "broken", "--request", request).status == OK, what="the log row")
        self.assertIn("ZeroDivisionError", self.good("logs", "broken", "--request", request).out)
        said = self.cli("invoke", "broken", "-d", '{"n": 0}', "--json")
        self.assertEqual(said.status, FUNCTION_FAILED)
        self.assertEqual(said.json()["status"], "FAILED")
        self.assertEqual(json.loads(said.err)["fault"], "function")
        self.assertEqual(self.cli("invoke", "broken", "-d", "{n: 0}").status, 2, "that is no JSON")

        self.write("broken/main.py", "import time\n\ndef handler(event, context):\n    time.sleep(60)\n")
        self.good("deploy", "broken")
        said = self.cli("invoke", "broken")
        self.assertEqual(said.status, FUNCTION_FAILED, said)
        self.assertIn("TIMEOUT in", said.err)

    def test_source_that_does_not_compile(self):
        self.write("typo/main.cpp", "int main() { retrun 0; }\n")
        said = self.cli("deploy", "typo")
        self.assertEqual(said.status, FUNCTION_FAILED, said)
        self.assertRegex(said.err, r"main.cpp:1:14: error: .*retrun")
        self.assertIn("compile_error", said.err)

    def test_what_the_platform_refuses(self):
        self.write("refused/main.py", "")
        said = self.cli("deploy", "refused", "--memory", "5")
        self.assertEqual(said.status, REFUSED, said)
        self.assertIn("from 128 to 10240", said.err)
        self.write("empty/notes.txt", "")
        said = self.cli("deploy", "empty")
        self.assertEqual(said.status, REFUSED, said)
        self.assertIn("main.py", said.err)

    def test_a_run_that_is_not_waited_for(self):
        self.write("later/main.py", OUTPUT)
        self.good("deploy", "later")
        said = self.good("invoke", "later", "--async")
        job = said.out.strip()
        self.assertIn(f"infra status {job} --wait", said.err)
        self.assertEqual(self.good("status", job, "--wait", "--json").json()["requestId"], job)
        self.assertIn("a b.txt", self.good("files", job).out)
        self.good("files", job, "-o", "fetched")
        self.assertEqual(os.path.getsize(os.path.join(self.folder, "fetched/a b.txt")), 1000)
        self.assertEqual(self.good("invoke", "later", "--async", "--wait").out, "null\n")
        self.assertEqual(self.cli("status", "nothing").status, REFUSED)

    def test_logs_go_on(self):
        self.write("talker/main.py", "def handler(event, context):\n    print('said', event)\n")
        self.good("deploy", "talker")
        self.good("invoke", "talker", "-d", "1")
        with self.running("logs", "talker", "-f", "--since", "1h") as (_, lines):
            wait_for(lambda: any("said 1" in line for line in lines), what="the first run")
            self.good("invoke", "talker", "-d", "2")
            wait_for(lambda: any("said 2" in line for line in lines), what="the second run")
            self.assertEqual(sum("said 1" in line for line in lines), 1, lines)

    def test_a_run_tells_what_it_prints_while_it_runs(self):
        self.write("slow/main.py", "import sys, time\n\ndef handler(event, context):\n    for i in range(3):\n        print('line', i)\n"
                   "        print('aside', i, file=sys.stderr)\n        time.sleep(event)\n    return 'done'\n")
        self.good("deploy", "slow")
        with self.running("invoke", "slow", "--tail", "-d", "1.5") as (process, lines):
            wait_for(lambda: any("line 0" in line for line in lines), what="the first line")
            self.assertIsNone(process.poll(), lines)
            wait_for(lambda: process.poll() is not None, what="the end")
        self.assertEqual(process.returncode, OK)
        for words in ("line 0", "line 2", "aside 1", '"done"', "SUCCESS in"):
            self.assertEqual(sum(words in line for line in lines), 1, lines)

        said = self.good("invoke", "slow", "--tail", "-d", "0.3", "--json")
        self.assertEqual(said.json()["result"], "done")
        told = [json.loads(line) for line in said.err.splitlines()]
        self.assertEqual([line["text"] for line in told if line["stream"] == "stdout"], ["line 0", "line 1", "line 2"])
        self.assertEqual({line["requestId"] for line in told}, {said.json()["requestId"]})

        self.assertEqual(self.cli("invoke", "slow", "--tail", "--async").status, 2)
        said = self.cli("invoke", "slow", "--tail", "-d", '"x"')
        self.assertEqual(said.status, FUNCTION_FAILED, said)
        self.assertEqual(said.err.count("line 0"), 1, said)
        self.assertIn("TypeError", said.err)
        self.assertEqual(self.cli("invoke", "nobody", "--tail").status, REFUSED)

    def test_a_run_is_waited_for_where_nobody_tells_of_it(self):
        self.write("talks/main.py", "def handler(event, context):\n    print('said')\n    return 1\n")
        self.good("deploy", "talks")
        streams = [self.infra.connect() for _ in range(8)]
        for stream in streams:  # an address has eight
            stream.request("GET", "/events", headers={"x-api-key": API_KEY})
            self.assertEqual(stream.getresponse().status, 200)
        said = self.good("invoke", "talks", "--tail")
        self.assertEqual((said.out, said.err.count("said")), ("1\n", 1), said)
        for stream in streams:
            stream.close()

    def running(self, *words):
        return Running(self, words)

    def test_watch_runs_it_again_when_it_is_saved(self):
        self.good("init", "python", "watched")
        code = os.path.join(self.folder, "watched", "main.py")
        with self.running("watch", "watched") as (_, lines):
            wait_for(lambda: any("Hello, Ada" in line for line in lines), what="the first result")
            wait_for(lambda: any("watching" in line for line in lines), what="the wait")
            times = []
            for number in range(6):
                with open(code, "w", encoding="ascii") as file:
                    file.write(f"def handler(event, context):\n    return 'saved {number}'\n")
                saved = time.monotonic()
                wait_for(lambda: any(f"saved {number}" in line for line in lines), what="the next result")
                times.append(time.monotonic() - saved)
                wait_for(lambda: sum("watching" in line for line in lines) > number + 1, what="the wait")
            plain = []
            for _ in range(6):
                begun = time.monotonic()
                subprocess.run(["/usr/bin/python3", "-c", "pass"], check=True)
                plain.append(time.monotonic() - begun)
            if not SANITIZED:
                self.assertLess(min(times), 4 * min(plain), (times, plain))
            with open(code, "w", encoding="ascii") as file:
                file.write("def handler(event, context):\n    return 1 / 0\n")
            wait_for(lambda: any("ZeroDivisionError" in line for line in lines), what="the failure")


class Running:
    """A client that goes on, with what it said so far; Ctrl-C at the end."""

    def __init__(self, case, words):
        env = {"PATH": os.environ["PATH"], "HOME": case.folder, "INFRA_URL": case.url, "INFRA_API_KEY": API_KEY}
        self.process = subprocess.Popen([PROGRAM, *words], cwd=case.folder, env=env, stdin=subprocess.DEVNULL, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.lines = []

    def __enter__(self):
        self.reader = threading.Thread(target=lambda: self.lines.extend(iter(self.process.stdout.readline, "")), daemon=True)
        self.reader.start()
        return self.process, self.lines

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(10)
        self.reader.join(10)
        self.process.stdout.close()


if __name__ == "__main__":
    main()
