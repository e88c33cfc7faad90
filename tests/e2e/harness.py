"""Starts the real program in a folder of its own and talks to it as a client would.

The program is INFRA_BIN; it listens on a port that the kernel chose, which its log line with "msg":"listening" tells.
"""

import contextlib
import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import zipfile
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import described

API_KEY = "test-key-7f3a"
PROGRAM = os.environ["INFRA_BIN"]
SANITIZED = bool(os.environ.get("INFRA_SANITIZE"))  # such builds are slower and larger: no bound on time or memory holds
PATIENCE = 60  # seconds, on a machine that is busy
COMPILER_PATIENCE = 150  # longer than the program's own, which says more
UUID_V7 = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")

ECHO = "def handler(event, context):\n    return {'echo': event}\n"

_all_programs = []


def wait_for(condition, seconds=PATIENCE, what="the condition"):
    """What `condition` returns as soon as it is true-like."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {seconds} s")
        time.sleep(0.02)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:400]!r}>"


class Infra:
    """One data folder, and the program that runs on it; it may be killed and started again."""

    program, key = PROGRAM, API_KEY

    def __init__(self, env=None, arguments=("serve",), folder=None):
        self.folder = folder or tempfile.mkdtemp(prefix="infra-e2e-")
        self.data = os.path.join(self.folder, "data")
        self.arguments = arguments
        self.env = {"PATH": os.environ["PATH"], "HOME": self.folder, "PORT": "0", "INFRA_API_KEY": API_KEY,
                    "INFRA_DATA_DIR": self.data, "RATE_LIMIT": "0", "AI_NODE_URL": "http://127.0.0.1:9", **(env or {})}
        # INFRA_SANDBOX=none tries the rest on a machine that can't isolate.
        self.env.update({k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS") or k == "INFRA_SANDBOX"})
        self.process, self.port = None, None
        self.lines = []
        _all_programs.append(self)

    def start(self, wait=True):
        self.port = None
        self.listening = threading.Event()
        self.started_at = time.time()
        self.process = subprocess.Popen([self.program, *self.arguments], cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self._read, args=(self.process.stdout, self.listening), daemon=True)
        self.reader.start()
        if wait:
            self.wait_until_listening()
        return self

    def _read(self, stream, listening):
        for raw in stream:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            self.lines.append(line)
            if '"listening"' in line:
                with contextlib.suppress(ValueError):
                    entry = json.loads(line)
                    if entry.get("msg") == "listening":
                        self.port = entry["port"]
                        listening.set()
        stream.close()
        listening.set()  # it ended; of an earlier start nobody waits for that any more

    def wait_until_listening(self):
        if not self.listening.wait(PATIENCE) or self.port is None:
            raise AssertionError(f"the program does not listen; it said:\n{self.said()}")

    def said(self):
        return "\n".join(self.lines)

    def log(self):
        """The JSON lines so far."""
        entries = []
        for line in list(self.lines):
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if isinstance(entry, dict):
                    entries.append(entry)
        return entries

    def log_line_of(self, answer):
        """The line of an answered request: written before its answer, but read here by a thread that may come later."""
        wanted = answer.headers["x-request-id"]
        return wait_for(lambda: next((entry for entry in self.log() if entry.get("requestId") == wanted), None),
                        what=f"the log line of {wanted}")

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=PATIENCE):
        status = self.process.wait(seconds)
        self.reader.join(5)
        return status

    def stop(self, seconds=PATIENCE):
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.wait()

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def rss_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))

    # --- as a client

    def connect(self, timeout=PATIENCE):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(self, method, path, body=None, headers=None, key=API_KEY, connection=None, timeout=PATIENCE):
        """`key` None sends none. A dict as body is sent as JSON."""
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        if key is not None:
            headers.setdefault("x-api-key", key)
        own = connection or self.connect(timeout)
        try:
            own.request(method, path, body, headers, encode_chunked="Transfer-Encoding" in headers)
            answer = own.getresponse()
            found = Answer(answer.status, answer.headers, answer.read())
            missing = described.undocumented(method, path, found)
            assert missing is None, missing
            return found
        finally:
            if connection is None:
                own.close()

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def worker_metrics(self):
        """What the worker itself counts."""
        return self.get("/metrics").text

    def raw(self, data, timeout=PATIENCE):
        """Sends bytes as they are and reads until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout) as plain:
            with contextlib.suppress(ConnectionError):
                plain.sendall(data)
            received = b""
            with contextlib.suppress(ConnectionError):
                while chunk := plain.recv(65536):
                    received += chunk
            return received

    def upload(self, bundle, fields=(), headers=None, path="/upload", method="POST", **more):
        body, content_type = form([*fields, ("file", "code.zip", bundle)])
        more.setdefault("timeout", COMPILER_PATIENCE)
        return self.request(method, path, body, {"Content-Type": content_type, **(headers or {})}, **more)

    def deploy(self, files, runtime="python", **fields):
        """The id of a new function. `files` is a dict, the text of main.py or index.js, or a ZIP's bytes."""
        if isinstance(files, str):
            files = {"main.py" if runtime == "python" else "index.js": files}
        packed = files if isinstance(files, bytes) else bundle(files)
        answer = self.upload(packed, [(n, None, str(v)) for n, v in {"runtime": runtime, **fields}.items()])
        assert answer.status == 200, answer
        return answer.json()["functionId"]

    def run(self, function, data=None, headers=None, **body):
        return self.request("POST", "/run", {"functionId": function, "inputData": data, **body}, headers)

    def run_on(self, connection, function, data, is_async=False):
        headers = {"x-async": "true"} if is_async else None
        return self.request("POST", "/run", {"functionId": function, "inputData": data}, headers, connection=connection)

    def result(self, function, data=None, **body):
        answer = self.run(function, data, **body)
        assert answer.status == 200, answer
        return answer.json()

    def run_async(self, function, data=None):
        answer = self.run(function, data, {"x-async": "true"})
        assert answer.status == 202, answer
        return answer.json()["jobId"]

    def await_result(self, job, seconds=PATIENCE):
        def poll():
            answer = self.get(f"/status/{job}")
            assert answer.status == 200, answer
            return answer.json().get("status") != "pending" and answer.json()
        return wait_for(poll, seconds, f"the result of {job}")

    def log_rows(self, function, count):
        """Log rows, newest first, once there are `count`: they may come a moment after a sync run's answer."""
        def poll():
            rows = self.pages(f"/functions/{function}/logs?limit=1000")
            return rows if len(rows) >= count else None
        return wait_for(poll, 2, f"{count} log rows")

    def pages(self, path):
        """Every item of a list, page after page by its Link headers."""
        items, seen = [], 0
        while path:
            answer = self.get(path)
            assert answer.status == 200, answer
            items += answer.json()
            seen += 1
            assert seen < 1000, "the pages do not end"
            link = re.match(r'<([^>]+)>; rel="next"$', answer.headers.get("Link", ""))
            path = link and link.group(1)
        return items


def bundle(files):
    """A ZIP of {name: text or bytes}."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def form(parts, boundary="----------e2e-boundary"):
    """multipart/form-data of (name, file name or None, content); the body and its content type."""
    body = b""
    for name, filename, content in parts:
        disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename is not None else "")
        body += f"--{boundary}\r\nContent-Disposition: {disposition}\r\n\r\n".encode()
        body += (content if isinstance(content, bytes) else content.encode()) + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


class FakeOllama:
    """Speaks what Infra uses of Ollama's API: /api/tags, /api/generate, /api/chat."""

    def __init__(self):
        outer = self
        self.requests = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, value):
                body = json.dumps(value).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                outer.requests.append((self.path, None))
                self.answer({"models": [{"name": "tiny:1b", "model": "tiny:1b", "size": 1_300_000_000,
                                         "details": {"family": "tiny", "parameter_size": "1B"}}]})

            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append((self.path, asked))
                counts = {"done": True, "prompt_eval_count": 11, "eval_count": 31}
                if self.path == "/api/chat":
                    said = {"role": "assistant", "content": "chat:" + asked["messages"][-1]["content"]}
                    self.answer({"model": asked["model"], "message": said, **counts})
                else:
                    self.answer({"model": asked["model"], "response": "generated:" + asked["prompt"], **counts})

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


FLEET = bool(os.environ.get("INFRA_E2E_FLEET"))  # the same tests against a fleet
if FLEET:
    import fleet_harness
    Infra = fleet_harness.as_one_program(Infra)

# Of tests and classes: what a runner or one worker does is the same wherever its job came from.
same_in_a_fleet = unittest.skipIf(FLEET, "one program has proved it")
# Of what mostly waits: on one machine it is a story of the virtual world's.
only_in_a_fleet = unittest.skipUnless(FLEET, "tests/platform/scenes has proved it")


class Case(unittest.TestCase):
    """Tests that share one running program, which must end cleanly after them."""

    environment = {}

    @classmethod
    def setUpClass(cls):
        cls.infra = Infra(cls.environment).start()

    @classmethod
    def tearDownClass(cls):
        try:
            status = cls.infra.stop()
            assert status == 0, f"after SIGTERM the program exited with {status}"
        finally:
            cls.infra.close()

    def assert_error(self, answer, status, code=None, says=()):
        """An error as the contract has it, its sentence naming `says`."""
        self.assertEqual(answer.status, status, answer)
        error = answer.json()
        self.assertLessEqual({"error", "code", "requestId"}, set(error), answer)
        self.assertEqual(error["requestId"], answer.headers["x-request-id"])
        self.assertRegex(answer.headers["x-request-id"], UUID_V7)
        if code is not None:
            self.assertEqual(error["code"], code, answer)
        for words in [says] if isinstance(says, str) else says:
            self.assertIn(words, error["error"])
        return error


FIRST_SANDBOX_UID = 1_000_000  # src/sandbox/protocol/spawner_options.h


def sandbox_traces(infra):
    """What this program's sandboxes show on the machine: processes of sandboxes' user ids, control groups, mounts. Another Infra's
    are not among them: processes below a program that lives and is not this one, groups and mounts that its folder names."""
    parents, names, sandboxed, groups = {}, {}, set(), set()
    ours = infra.process and infra.process.pid
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                names[pid], _, fields = stat.read().partition("(")[2].rpartition(")")
            parents[pid] = int(fields.split()[1])
            if os.stat(f"/proc/{pid}").st_uid >= FIRST_SANDBOX_UID:
                sandboxed.add(pid)
    for base, folders, _ in os.walk("/sys/fs/cgroup"):
        groups.update(path for path in (os.path.join(base, f) for f in folders) if f"/infra/{spawner_number(infra)}" in path)
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        mounted = {line.split()[1] for line in mounts if infra.folder in line}

    def belongs_to_another(pid):
        above = []
        while pid := parents.get(pid):
            above.append(pid)
        return ours not in above and any(names.get(ancestor) == "infra" for ancestor in above)

    return {pid for pid in sandboxed if not belongs_to_another(pid)}, groups, mounted


def spawner_number(infra):
    """By which a spawner's control groups are named: FNV-1a of its versions root."""
    number = 0xcbf29ce484222325
    for byte in os.path.realpath(os.path.join(infra.data, "versions")).encode():
        number = (number ^ byte) * 0x100000001b3 % 2**64
    return f"{number:016x}"


def main(at_once=1):
    """Runs the file's tests; the log of every program that took part follows a failure. Where `at_once` is more, the classes run each
    in a process of its own, that many at a time: for those that mostly wait."""
    if at_once > 1 and len(sys.argv) == 1:
        sys.exit(run_classes(at_once))
    outcome = unittest.main(module="__main__", exit=False, verbosity=2).result
    for program in _all_programs:
        if not outcome.wasSuccessful():
            print(f"--- the last lines of a program ({' '.join(program.arguments)}):")
            print("\n".join(program.lines[-25:]))
        program.close()
    sys.exit(not outcome.wasSuccessful())


def run_classes(at_once):
    """Their words one after another; true if one of them failed."""
    cases = [name for name, value in vars(sys.modules["__main__"]).items()
             if isinstance(value, type) and issubclass(value, unittest.TestCase) and value.__module__ == "__main__"]

    def run(name):
        return subprocess.run([sys.executable, *sys.orig_argv[1:], name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    with ThreadPoolExecutor(at_once) as pool:
        outcomes = list(pool.map(run, cases))
    for name, outcome in zip(cases, outcomes, strict=True):
        print(f"--- {name}:\n{outcome.stdout}", flush=True)
    return any(outcome.returncode for outcome in outcomes)
