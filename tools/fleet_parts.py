"""What a fleet on one machine is made of: Redis, the AWS peers, and programs of ours, each a process of which nothing stays."""

import concurrent.futures
import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 30  # seconds until something that starts or stops must have done so
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)

# A child is told of the death of the thread that made it: this one lives as long as the program does.
_maker = concurrent.futures.ThreadPoolExecutor(1, "process-maker")


class FleetError(Exception):
    """A sentence for whoever starts the fleet."""


def spawn(arguments, user=None, **more):
    """A process in a session of its own (so that Ctrl-C is ours alone) that is killed if this program dies. `user` is a pwd entry."""
    if user is not None:
        more.update(user=user.pw_uid, group=user.pw_gid, extra_groups=[])
    return _maker.submit(lambda: subprocess.Popen(arguments, start_new_session=True, preexec_fn=lambda: LIBC.prctl(
        PR_SET_PDEATHSIG, signal.SIGKILL), **more)).result()


def wait_until(condition, what, seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise FleetError(f"{what} did not come within {seconds} s.")
        time.sleep(0.02)
    return value


class Redis:
    """In memory, on a free port that it keeps; what it says goes to a file in `folder`."""

    def __init__(self, folder, user=None):
        self.folder, self.user = Path(folder), user
        self.log = self.folder / "redis.log"
        self.process, self.port = None, None

    def start(self):
        program = shutil.which("redis-server") or shutil.which("redis-check-rdb")  # one program by two names
        if program is None:
            raise FleetError("there is no redis-server: run `./dev setup`.")
        for _ in range(5):  # somebody else may take the free port first
            port = self.port or free_port()
            with open(self.log, "ab") as log:
                self.process = spawn(["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no",
                                      "--maxmemory-policy", "noeviction"],
                                     self.user, executable=program, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            if wait_until(lambda: self.process.poll() is not None or answers(port), "Redis' answer") and self.process.poll() is None:
                self.port = port
                return
        raise FleetError(f"Redis does not start: {self.log} has its words.")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def restart(self):
        """Empty, on the same port."""
        if self.process.poll() is None:
            self.kill()
        self.start()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(16) == b"+PONG\r\n"
    return False


class AwsPeers:
    """tests/peers/start.py: S3, SQS and DynamoDB behind gates that check signatures. `more_hosts` are (service, host) under which
    a gate may be spoken to besides its own."""

    def __init__(self, folder, user=None, more_hosts=()):
        self.folder, self.user, self.more_hosts = Path(folder), user, more_hosts
        self.log = self.folder / "peers.log"
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = spawn(["/usr/bin/python3", "-B", ROOT / "tests" / "peers" / "start.py",
                                  *(f"{service}={host}" for service, host in self.more_hosts)], self.user, cwd=self.folder,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1)
        self.about = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            words = self.log.read_text(errors="replace").strip().splitlines()
            raise FleetError(f"the AWS peers ended: {words[-1] if words else 'without a word'}")
        return json.loads(line)

    def ask(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        answer = self.read()
        if "error" in answer:
            raise FleetError(f"{' '.join(words)}: {answer['error']}")
        return answer["ok"]

    def port(self, service):
        return int(self.about[f"{service}_endpoint"].rpartition(":")[2])

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(PATIENCE)
            self.process.stdout.close()


class Program:
    """`infra serve` or `infra worker`, with a folder and a log file of its own. Restarted, it listens on the port it had."""

    def __init__(self, name, arguments, folder, environment, user=None, on_death=lambda program: None):
        self.name, self.arguments, self.folder, self.user = name, arguments, Path(folder), user
        self.environment = {"INFRA_DATA_DIR": str(self.folder / "data"), **environment}
        self.log = self.folder.parent / f"{name}.log"
        self.on_death = on_death
        self.process, self.port, self.expected = None, None, False

    def start(self, wait=True):
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.user is not None:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.expected, self.listening = False, threading.Event()
        if self.port is not None:
            self.environment["PORT"] = str(self.port)
        self.process = spawn(self.arguments, self.user, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self.read, args=(self.process, self.listening), daemon=True)
        self.reader.start()
        if wait:
            self.wait_until_listening()
        return self

    def read(self, process, listening):
        with open(self.log, "ab") as log, process.stdout:
            for line in process.stdout:
                log.write(line)
                log.flush()
                if b'"msg":"listening"' in line:
                    self.port = json.loads(line)["port"]
                    listening.set()
        process.wait()
        if not self.expected and listening.is_set():
            self.on_death(self)
        listening.set()  # nobody waits for one that ended

    def wait_until_listening(self):
        if not self.listening.wait(PATIENCE) or self.process.poll() is not None:
            raise FleetError(f"{self.name} does not start; it said:\n{self.last_words()}")

    def last_words(self, lines=20):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.expected = True
        if self.running:
            self.process.send_signal(number)

    def wait(self, seconds=PATIENCE):
        """Its exit status."""
        status = self.process.wait(seconds)
        self.reader.join(5)
        return status

    def kill(self):
        self.signal(signal.SIGKILL)
        return self.wait()

    def stop(self, seconds=PATIENCE):
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def restart(self):
        if self.running:
            self.kill()
        return self.start()


def warn(sentence):
    print(f"fleet: {sentence}", file=sys.stderr, flush=True)
