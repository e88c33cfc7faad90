"""A runner on one end of a socketpair, as the worker has it: what the runners' tests talk through."""

import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PYTHON = ["/usr/bin/python3", "-I", "-B", "-u"]
RUNNERS = {
    "python": [*PYTHON, os.path.join(ROOT, "runtimes/python/runner.py")],
    "nodejs": [os.environ.get("INFRA_NODE", "/usr/bin/node"), os.path.join(ROOT, "runtimes/nodejs/runner.js")],
    "native": [os.environ.get("INFRA_NATIVE_RUNNER", os.path.join(ROOT, "build/dev/native/runner"))],
    **{language: [*PYTHON, os.path.join(ROOT, "runtimes/build/builder.py"), language] for language in ("cpp", "go")},
}


class RunnerProcess:
    """Use as a context manager. `files` maps names in the bundle to their text, `variables` are more of the launcher's; `arguments`
    come behind the runner's name."""

    def __init__(self, runtime, files, arguments=(), **variables):
        self.folder = tempfile.mkdtemp()
        workspace = os.path.join(self.folder, "workspace")
        self.scratch = os.path.join(self.folder, "tmp")
        os.mkdir(self.scratch)
        for name, text in files.items():
            path = os.path.join(workspace, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(text if isinstance(text, bytes) else text.encode())
            os.chmod(path, 0o755)
        self.control, theirs = socket.socketpair()
        self.control.settimeout(20)
        self.out = open(os.path.join(self.folder, "out"), "w+b")
        self.err = open(os.path.join(self.folder, "err"), "w+b")
        # A shell moves the socket to descriptor 3; what is run has its process.
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", f'exec 3<&{theirs.fileno()} {theirs.fileno()}<&-; exec "$@"', "sh", *RUNNERS[runtime], *arguments], cwd=workspace,
            stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.err, pass_fds=(theirs.fileno(),),
            env={"TMPDIR": self.scratch, "LANG": "C.UTF-8", **variables})
        theirs.close()
        self.printed = {"out": 0, "err": 0}
        self.ready = self.receive()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.control.close()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()
            self.out.close()
            self.err.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def send(self, body):
        self.control.sendall(struct.pack("<I", len(body)) + body)

    def receive(self):
        """The next frame, or None when the runner has gone."""
        body = self.receive_bytes()
        return None if body is None else json.loads(body)

    def receive_bytes(self):
        head = self._read(4)
        return None if head is None else self._read(struct.unpack("<I", head)[0])

    def _read(self, size):
        data = b""
        while len(data) < size:
            part = self.control.recv(size - len(data))
            if not part:
                return None
            data += part
        return data

    def call(self, event=None, env=None, **more):
        frame = {"requestId": "r-1", "functionId": "f-1", "modelId": "m", "memoryMb": 128, "timeoutMs": 5000,
                 "deadlineMs": int(time.time() * 1000) + 5000, "env": env or {}, "input": event, **more}
        self.send(json.dumps(frame).encode())
        return self.receive()

    def new_output(self, name):
        """What was printed on "out" or "err" since the last time this was asked."""
        file = getattr(self, name)
        text = os.pread(file.fileno(), 1 << 24, self.printed[name])
        self.printed[name] += len(text)
        return text.decode()
