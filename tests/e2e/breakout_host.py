"""The machine around the sandboxes as the breakout tests watch it: bait that must stay untouched, and traces of one program."""

import contextlib
import ctypes
import os
import re
import secrets
import socket
import subprocess
import tempfile
import time
import unittest

from harness import FIRST_SANDBOX_UID, Case, bundle, spawner_number, wait_for

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "breakout")
LIBC = ctypes.CDLL(None, use_errno=True)


def source(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return file.read()


# A new runtime is one entry: the files of a bundle that answers as breakout/main.py does, and in OTHER_VERSIONS another version
# that tells how many files are in the scratch folders, what JSON comes to, and what LEFT holds in its environment.
RUNTIMES = {runtime: {name: source(name) for name in files} for runtime, files in
            {"python": ("main.py", "bombs.py"), "nodejs": ("index.js", "bombs.js", "main.py", "bombs.py"),
             "cpp": ("main.cpp", "bombs.cpp", "json.cpp", "escape.hpp", "main.py", "bombs.py"),
             "go": ("main.go", "bombs.go", "main.py", "bombs.py")}.items()}

BUNDLES = {runtime: bundle(files) for runtime, files in RUNTIMES.items()}  # packed once, so that what is compiled is compiled once

OTHER_PYTHON = """
import json, os
def handler(event, context):
    left = [len(os.listdir(folder)) for folder in ("/tmp", "/output", "/dev/shm")]
    return [left, json.dumps({"a": event}, separators=(",", ":")), os.environ.get("LEFT")]
"""
OTHER_NODE = """
const fs = require('fs');
exports.handler = (event) => [['/tmp', '/output', '/dev/shm'].map((folder) => fs.readdirSync(folder).length),
  JSON.stringify({a: event}), process.env.LEFT ?? null];
"""
OTHER_CPP = r"""
#include <infra.hpp>
#include <dirent.h>
std::string handler(const std::string& event, const infra::Context&) {
  std::string left;
  for (const char* name : {"/tmp", "/output", "/dev/shm"}) {
    int count = -2;  // "." and ".."
    DIR* folder = opendir(name);
    while (readdir(folder) != nullptr) ++count;
    closedir(folder);
    left += (left.empty() ? "" : ",") + std::to_string(count);
  }
  const char* variable = std::getenv("LEFT");
  return "[[" + left + "],\"{\\\"a\\\":" + event + "}\"," + (variable != nullptr ? "\"set\"" : "null") + "]";
}
INFRA_HANDLER(handler)
"""
OTHER_GO = """package main

import (
\t"encoding/json"
\t"os"

\t"infra"
)

func main() {
\tinfra.Handle(func(_ infra.Context, event json.RawMessage) (any, error) {
\t\tleft := []int{}
\t\tfor _, name := range []string{"/tmp", "/output", "/dev/shm"} {
\t\t\tentries, _ := os.ReadDir(name)
\t\t\tleft = append(left, len(entries))
\t\t}
\t\ttext, err := json.Marshal(map[string]any{"a": event})
\t\tvar variable any
\t\tif value, found := os.LookupEnv("LEFT"); found {
\t\t\tvariable = value
\t\t}
\t\treturn []any{left, string(text), variable}, err
\t})
}
"""
OTHER_VERSIONS = {runtime: bundle(files) for runtime, files in
                  {"python": {"main.py": OTHER_PYTHON}, "nodejs": {"index.js": OTHER_NODE}, "cpp": {"main.cpp": OTHER_CPP},
                   "go": {"main.go": OTHER_GO}}.items()}


class Bait:
    """What a function that got out would find: files, processes, sockets and memory, as open to it as they can be."""

    def __init__(self):
        self.marker = "CANARY-" + secrets.token_hex(16)
        self.folder = tempfile.mkdtemp(prefix="infra-bait-")
        os.chmod(self.folder, 0o777)
        self.file = os.path.join(self.folder, "secret")
        with open(self.file, "w", encoding="ascii") as file:
            file.write(self.marker)
        os.chmod(self.file, 0o666)
        # One has a slot's own user id, so that nothing but its namespace keeps a function away from it.
        self.processes = [subprocess.Popen(["sleep", "600"], env={"SECRET": self.marker}, user=uid, extra_groups=[],
                                           start_new_session=True) for uid in (0, FIRST_SANDBOX_UID)]
        self.abstract = "\0infra-bait-" + secrets.token_hex(8)
        self.path = os.path.join(self.folder, "socket")
        self.listeners, self.port = [], 0
        for family, kind, address in ((socket.AF_INET, socket.SOCK_STREAM, ("0.0.0.0", 0)), (socket.AF_INET, socket.SOCK_DGRAM, None),
                                      (socket.AF_UNIX, socket.SOCK_STREAM, self.abstract), (socket.AF_UNIX, socket.SOCK_STREAM, self.path)):
            listener = socket.socket(family, kind)
            listener.bind(address or ("0.0.0.0", self.port))
            listener.setblocking(False)
            if kind == socket.SOCK_STREAM:
                listener.listen()
            if not self.port:
                self.port = listener.getsockname()[1]
            self.listeners.append((listener, kind))
        os.chmod(self.path, 0o777)
        self.memory_key = secrets.randbits(30)
        self.memory = LIBC.shmget(self.memory_key, 4096, 0o1666)  # with IPC_CREAT
        LIBC.shmat.restype = ctypes.c_void_p
        ctypes.memmove(LIBC.shmat(self.memory, None, 0), self.marker.encode(), len(self.marker))
        self.machine = describe_machine()

    @property
    def pids(self):
        return [process.pid for process in self.processes]

    def touched(self):
        """What happened to it, in words; empty if nothing did."""
        found = [f"process {p.pid} has ended" for p in self.processes if p.poll() is not None]
        with open(self.file, encoding="ascii") as file:
            if file.read() != self.marker:
                found.append("its file was changed")
        for listener, kind in self.listeners:
            with contextlib.suppress(BlockingIOError):
                listener.recv(100) if kind == socket.SOCK_DGRAM else listener.accept()
                found.append(f"somebody reached {listener.getsockname()!r}")
        found += machine_refuses()
        now = describe_machine()
        found += [f"{name} was {was}, is {now[name]}" for name, was in self.machine.items() if abs_difference(was, now[name])]
        return found

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
        for listener, _ in self.listeners:
            listener.close()
        LIBC.shmctl(self.memory, 0, None)  # IPC_RMID
        for name in os.listdir(self.folder):
            os.unlink(os.path.join(self.folder, name))
        os.rmdir(self.folder)


def machine_refuses():
    """What root can no longer have, since functions have used up what the kernel counts for it."""
    found, timer = [], ctypes.c_void_p()
    watcher = LIBC.inotify_init1(0)
    if watcher < 0:
        found.append("root can have no inotify instance any more")
    else:
        os.close(watcher)
    if LIBC.timer_create(time.CLOCK_MONOTONIC, None, ctypes.byref(timer)) != 0:
        found.append("root can have no timer any more")
    else:
        LIBC.timer_delete(timer)
    return found


def abs_difference(was, now):
    return abs(was - now) > 1 if isinstance(was, float) else was != now


def describe_machine():
    """What a function may not change anywhere: the clock against one that can't be set, names, switches."""
    found = {"clock": time.time() - time.clock_gettime(time.CLOCK_BOOTTIME), "hostname": socket.gethostname()}
    for name in ("kernel/core_pattern", "kernel/domainname", "kernel/modprobe", "kernel/yama/ptrace_scope", "net/ipv4/ip_forward",
                 "vm/overcommit_memory", "kernel/randomize_va_space", "kernel/sysrq"):
        with contextlib.suppress(OSError), open("/proc/sys/" + name, encoding="ascii") as file:
            found[name] = file.read()
    with open("/proc/swaps", encoding="ascii") as file:
        found["swaps"] = len(file.readlines())
    return found


def host_addresses():
    """Every IPv4 address of this machine that is not loopback's."""
    with open("/proc/net/fib_trie", encoding="ascii") as file:
        found = re.findall(r"\|-- (\S+)\n\s+/32 host LOCAL", file.read())
    return sorted({address for address in found if not address.startswith("127.")})


def descendants(pid):
    """{process: when it started} of all below `pid`."""
    parents, started = {}, {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stat:
                fields = stat.read().rpartition(")")[2].split()
            parents[int(name)], started[int(name)] = int(fields[1]), int(fields[19])
    below, found = {pid}, {}
    while more := {child for child, parent in parents.items() if parent in below and child not in below}:
        below |= more
        found |= {child: started[child] for child in more}
    return found


def sandboxed(infra):
    """Functions' processes among the program's: runners that have code to run, and what they started."""
    found = {}
    for pid, started in descendants(infra.process.pid).items():
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
                uid = int(re.search(r"Uid:\s+(\d+)", status.read()).group(1))
            # A runner that waits for a function has an empty workspace.
            if uid >= FIRST_SANDBOX_UID and os.listdir(f"/proc/{pid}/root/workspace"):
                found[pid] = started
    return found


def cgroups(infra):
    """The control groups that this program's sandboxes are in, by the number that its spawner gives to its versions root."""
    return [base for base, _, _ in os.walk("/sys/fs/cgroup") if f"/infra/{spawner_number(infra)}" in base]


NEIGHBOUR = """
import os
SECRET = '{marker}'
def handler(event, context):
    print('said', event)
    return [event, os.environ['AI_ENDPOINT'], len(os.environ['SECRET'])]
"""


class BreakoutCase(Case):
    """A program with a neighbour function that must go on as if nothing had happened."""

    calls = 0

    @classmethod
    def setUpClass(cls):
        if os.environ.get("INFRA_SANDBOX") == "none":
            raise unittest.SkipTest("INFRA_SANDBOX=none: there is nothing to break out of")
        cls.bait = Bait()
        cls.addClassCleanup(cls.bait.close)
        super().setUpClass()
        marker = cls.bait.marker
        cls.neighbour = cls.infra.deploy(NEIGHBOUR.format(marker=marker), envVars='{"SECRET": "%s"}' % marker)
        cls.infra.result(cls.neighbour, marker)  # its input lies in the controller's memory, too

    @classmethod
    def tearDownClass(cls):
        mine, groups = descendants(cls.infra.process.pid), cgroups(cls.infra)
        super().tearDownClass()
        assert groups, "the program's control groups were not found, so nothing says that they go"
        wait_for(lambda: not cgroups(cls.infra), what="the end of the program's control groups")
        wait_for(lambda: not still_there(mine), what="the end of all that sandboxes ran")

    def deploy(self, runtime, **fields):
        return self.infra.deploy(BUNDLES[runtime], runtime, **fields)

    def run_try(self, function, name, **facts):
        """The whole result of a try, after looking at all that it must not have touched."""
        answer = self.infra.run(function, {"try": name, **facts})
        self.assertEqual(answer.status, 200, answer)
        self.assertNotIn(self.bait.marker, answer.text)
        self.assert_unharmed()
        return answer.json()

    def assert_unharmed(self):
        self.assertEqual(self.bait.touched(), [])
        health = self.infra.get("/health")
        self.assertEqual(health.status, 200, health)
        BreakoutCase.calls += 1
        result = self.infra.result(self.neighbour, BreakoutCase.calls)
        self.assertEqual((result["status"], result["stderr"]), ("SUCCESS", ""), result)
        self.assertEqual(result["result"][::2], [BreakoutCase.calls, len(self.bait.marker)], result)
        self.assertEqual(result["stdout"].splitlines()[0], f"said {BreakoutCase.calls}")
        self.assertEqual(len(result["stdout"].splitlines()), 2, result)


def still_there(processes):
    """Those of `processes` that have not ended; numbers are used again, so that the start counts, too."""
    found = []
    for pid, started in processes.items():
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            if int(stat.read().rpartition(")")[2].split()[19]) == started:
                found.append(pid)
    return found
