"""What an idle Python instance holds: little beside what all of them have in common; and whatever its function keeps is the same
after it has given memory back.
"""

import contextlib
import itertools
import os
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import SANITIZED, Case, main, wait_for  # noqa: E402

MOST_KIB = 128
PAGE = 4096
REST = 3.5  # seconds, where it can't be seen
PRESENT, OF_A_FILE, EXCLUSIVE = 1 << 63, 1 << 61, 1 << 56  # in /proc/PID/pagemap

# Each tells its process by a name that it gives itself.
NAMED = """
def tell(name):
    with open("/proc/self/comm", "w") as file:
        file.write(name)
"""
PLAIN = NAMED + """
def handler(event, context):
    tell(event)
    return {"left": context.get_remaining_time_ms()}
"""
STATE = NAMED + """
import asyncio, builtins, hashlib, json, os, random, select, sys, tempfile, threading
calls = 0
raw = bytearray(random.randbytes(8 << 20))
big = {str(n): random.random() for n in range(10000)}
file = tempfile.TemporaryFile()
kept = []
thread = None

def patch():
    json.dumps = json.loads = None
    os.read = os.write = os.getpid = lambda *_: 1 / 0
    select.poll = select.select = None
    builtins.print = builtins.input = None

def numbers():
    while True:
        yield calls

generated = numbers()

async def later():
    return await asyncio.sleep(0.001, calls)

def digest():
    total = hashlib.sha256(raw)
    for name in sorted(big):
        total.update(f"{name}={big[name]!r};".encode())
    file.seek(0)
    total.update(file.read())
    total.update(repr((calls, next(generated), kept)).encode())
    return total.hexdigest()

async def handler(event, context):
    global calls, thread
    tell(event["name"])
    before = digest() if calls else None
    calls += 1
    raw[calls * 5000] ^= 1
    big[str(random.randrange(10000))] = random.random()
    file.write(b"%d" % calls)
    kept.append([await later()])
    if event["name"] == "patching" and calls == 1:
        patch()
    return {"before": before, "after": digest(), "calls": calls}
"""
THREADED = STATE + """
ticking = threading.Event()
ticks = [0]
def tick():
    while not ticking.wait(0.01):
        ticks[0] += 1
threading.Thread(target=tick, daemon=True).start()
"""
NOISY = NAMED + """
import os, struct, threading, time, json
def forge():
    control = next(fd for fd in range(4, 1024)
                   if os.path.exists(f"/proc/self/fd/{fd}") and os.readlink(f"/proc/self/fd/{fd}")[:6] == "socket")
    time.sleep(0.7)
    body = json.dumps({"rested": True}).encode()
    os.write(control, struct.pack("<I", len(body)) + body)
threading.Thread(target=lambda: [time.sleep(0.05) or print("noise") for _ in range(100)], daemon=True).start()
armed = threading.Event()
threading.Thread(target=lambda: armed.wait() and forge(), daemon=True).start()
calls = 0
def handler(event, context):
    global calls
    calls += 1
    if event == "forge":
        armed.set()
    return calls
"""


def process_named(name):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                if file.read() == name + "\n":
                    return int(pid)
        except OSError:
            pass
    return None


def is_frozen(pid):
    """None where this machine's kernel has no group that could be."""
    with open(f"/proc/{pid}/cgroup", encoding="ascii") as file:
        path = next((line[len("0::"):].rstrip("\n") for line in file if line.startswith("0::")), "")
    for root in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
        with contextlib.suppress(FileNotFoundError), open(f"{root}{path}/cgroup.events", encoding="ascii") as file:
            return "frozen 1\n" in file.read()
    return None


def let_rest(*names):
    """Until these instances, which nobody calls, have given memory back and stand still."""
    for name in names:
        if is_frozen(process_named(name)) is None:
            time.sleep(REST)
            return
        wait_for(lambda: is_frozen(process_named(name)), what=f"the rest of {name}")  # noqa: B023


def own_kib(name):
    """Memory that only this process has; the pages of a file are nobody's own."""
    pid, pages = process_named(name), 0
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/pagemap", "rb") as pagemap:
        for begin, end in (line.split()[0].split("-") for line in maps if "[v" not in line):
            pagemap.seek(int(begin, 16) // PAGE * 8)
            size = (int(end, 16) - int(begin, 16)) // PAGE
            for (entry,) in struct.iter_unpack("=Q", pagemap.read(size * 8)):
                pages += entry & (PRESENT | OF_A_FILE | EXCLUSIVE) == PRESENT | EXCLUSIVE
    return pages * PAGE // 1024


@unittest.skipIf(SANITIZED, "a build with sanitizers forks no runners")
@unittest.skipIf(os.geteuid() != 0 or os.environ.get("INFRA_SANDBOX") == "none", "it looks into sandboxes")
class IdleMemory(Case):
    def test_an_idle_instance_holds_little_of_its_own(self):
        tries = itertools.count()
        wait_for(lambda: self.starts_forked(f"try-{next(tries)}"), what="a forked runner")
        function = self.infra.deploy(PLAIN + "# another\n")
        self.infra.result(function, "plain")
        wait_for(lambda: own_kib("plain") < MOST_KIB, what=f"less than {MOST_KIB} KiB")
        self.assertFalse(self.infra.result(function, "plain")["coldStart"])
        wait_for(lambda: own_kib("plain") < MOST_KIB, what=f"less than {MOST_KIB} KiB after another call")

    def test_it_rests_when_the_machine_has_time(self):
        """Not while every processor has a call, for then they need it more."""
        function = self.infra.deploy(PLAIN + "# among others\n")
        busy = self.infra.deploy("import time\ndef handler(event, context):\n    time.sleep(4)\n")
        for _ in range(os.cpu_count()):
            self.infra.run_async(busy)
        self.infra.result(function, "among")  # those before it are under way
        until = time.monotonic() + 2.5  # it rests within 1.5 s otherwise
        while time.monotonic() < until:
            self.assertGreater(own_kib("among"), MOST_KIB)
        wait_for(lambda: own_kib("among") < MOST_KIB, what=f"less than {MOST_KIB} KiB")

    def starts_forked(self, name):
        self.infra.result(self.infra.deploy(PLAIN), name)
        with open(f"/proc/{process_named(name)}/cmdline", encoding="utf-8") as file:
            return "zygote.py" in file.read()

    def test_what_a_function_keeps_is_the_same_after_each_rest(self):
        names = {"stateful": STATE, "patching": STATE, "threaded": THREADED}
        functions = {name: self.infra.deploy(code + f"# {name}\n") for name, code in names.items()}
        after = {}
        for cycle in range(5):
            for name, function in functions.items():
                result = self.infra.result(function, {"name": name})
                self.assertEqual(result["status"], "SUCCESS", result)
                self.assertEqual(result["result"]["calls"], cycle + 1)
                self.assertEqual(result["result"]["before"], after.get(name))
                after[name] = result["result"]["after"]
            let_rest(*names)

    def test_what_comes_while_it_rests_is_no_answer(self):
        function = self.infra.deploy(NOISY)
        for calls in range(1, 4):
            result = self.infra.result(function, "quiet")
            self.assertEqual(result["result"], calls, result)
            time.sleep(0.75)  # it is about to rest when the next call comes
        self.infra.result(function, "forge")
        time.sleep(1.1)  # it has spoken
        result = self.infra.result(function, "quiet")
        self.assertTrue(result["coldStart"], "one that spoke unasked is not used again")
        self.assertEqual(result["result"], 1)


if __name__ == "__main__":
    main()
