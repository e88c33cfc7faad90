"""A system call that fails costs the job that it was for: from an upload to its run's settlement, each of them in turn. The
program lives, the next job runs, and nothing of the broken one is left."""

import contextlib
import errno
import http.client
import os
import signal
import subprocess
import unittest

from faults import KINDS, Faults
from harness import SANITIZED, Infra, bundle, main, wait_for

CODE = "import os\ndef handler(event, context):\n    open('/output/file', 'w').write('kept')\n    return {number}\n"
SPARE = 4  # descriptors: a connection that is just closing, one that a pool keeps
WHOLE, LATER, BROKEN = (200,), (200, 503), (200, 500, 503)
ANSWERED = (ConnectionError, http.client.HTTPException)  # a client's connection may be what the fault hits


class Survivor(unittest.TestCase):
    """A program in which something is to fail."""

    def begin(self):
        self.infra = Infra()
        self.addCleanup(self.infra.close)

    def start(self):
        self.infra.start()
        self.number = 0
        self.remove(self.cycle(self.next_code()))  # what is made once is there by now
        self.descriptors = self.open_descriptors()

    def next_code(self):
        self.number += 1
        return self.number, bundle({"main.py": CODE.replace("{number}", str(self.number)), "folder/module.py": "", "data/x.txt": "y"})

    def open_descriptors(self):
        return len(os.listdir(f"/proc/{self.infra.process.pid}/fd"))

    def leftovers(self):
        """Folders and files that are somebody's only while he works."""
        found = []
        for folder in ("staging", "tmp", "versions"):
            with contextlib.suppress(FileNotFoundError):
                found += [name for name in os.listdir(os.path.join(self.infra.data, folder)) if folder != "versions" or "tmp" in name]
        return found

    def cycle(self, code, may_be=WHOLE):
        """Uploads and runs, with answers of which status it may be. The function, if there is one."""
        function = None
        number, files = code
        try:
            answer = self.infra.upload(files, [("runtime", None, "python")])
            self.assertIn(answer.status, may_be, answer)
            if answer.status == 200:
                function = answer.json()["functionId"]
                self.run_once(function, number, may_be)
        except ANSWERED:
            if may_be is WHOLE:
                raise
        return function

    def run_once(self, function, number, may_be):
        answer = self.infra.run(function)
        self.assertIn(answer.status, may_be, answer)
        if answer.status != 200:
            return
        result = answer.json()
        self.assertIn(result["status"], ("SUCCESS", "FAILED") if 500 in may_be else ("SUCCESS",), result)
        if result["status"] == "SUCCESS":
            self.assertEqual(result["result"], number)

    def remove(self, *functions):
        for function in filter(None, functions):
            self.assertIn(self.infra.request("DELETE", f"/functions/{function}").status, (200, 204))

    def expect_nothing_left(self, of):
        self.assertIsNone(self.infra.process.poll(), "the program ended")
        with contextlib.suppress(AssertionError):
            wait_for(lambda: self.open_descriptors() <= self.descriptors + SPARE and not self.leftovers(), 20)
        self.assertLessEqual(self.open_descriptors(), self.descriptors + SPARE, of)
        self.assertEqual(self.leftovers(), [], of)


class FaultsOf(Survivor):
    """By the kinds of calls; each in a program of its own."""

    kinds = ()

    def test_each_costs_one_job(self):
        if not self.kinds:
            self.skipTest("the classes below have kinds")
        self.begin()
        self.faults = Faults(self.infra.folder)
        self.infra.env.update(self.faults.environment())
        self.start()
        for kind in self.kinds:
            for error in KINDS[kind][1]:
                self.each_of(kind, error)

    def each_of(self, kind, error):
        nth, came = 0, True
        while came:
            nth += 1
            with self.subTest(kind=kind, error=os.strerror(error), nth=nth):
                code = self.next_code()
                self.faults.plan_for(kind, error, nth)
                broken = self.cycle(code, LATER if error == errno.EMFILE else BROKEN)
                came = self.faults.end()
                self.assertIsNone(self.infra.process.poll(), "the program ended")
                whole = self.cycle(code)  # the same code, for which nothing may have stayed as it broke
                self.remove(broken, whole)
        self.assertGreater(nth, 1, f"no {kind} was seen")
        self.expect_nothing_left(kind)


class Files(FaultsOf):
    kinds = ("open", "mkdir", "rename")


class Writes(FaultsOf):
    kinds = ("write", "sync")


class Kernel(FaultsOf):
    kinds = ("socket", "watch")


@unittest.skipIf(SANITIZED or os.environ.get("INFRA_SANDBOX") == "none", "of real sandboxes")
class Spawner(Survivor):
    """It is a static program, which strace makes fail; not what it forks."""

    FOLLOW = ()
    CALLS = {"clone3": "ENOMEM", "openat": "EMFILE", "mkdir": "ENOSPC", "write": "EIO", "socketpair": "EMFILE", "sendmsg": "ENOMEM",
             "recvmsg": "ENOMEM"}
    MOST = 25  # of one kind: a launch makes fewer

    def test_each_costs_one_job(self):
        self.begin()
        self.start()
        for call, error in self.CALLS.items():
            for nth in range(1, self.MOST + 1):
                came = True
                with self.subTest(call=call, nth=nth):
                    came = self.each_of(call, error, nth)
                if not came:
                    self.assertGreater(nth, 1, f"no {call} was seen")
                    break
        self.expect_nothing_left(type(self).__name__)

    def each_of(self, call, error, nth):
        """Of a start something may have been made ready before the tracer came: the first of a kind is waited for."""
        for _ in range(5 if nth == 1 else 1):
            codes = [self.next_code(), self.next_code()]
            broken, came = self.injected(call, error, nth, codes)
            self.remove(*broken, *(self.cycle(code) for code in codes))
            if came:
                return True
        return False

    def injected(self, call, error, nth, codes):
        trace = os.path.join(self.infra.folder, "trace")
        tracer = subprocess.Popen(["strace", *self.FOLLOW, "-o", trace, "-p", str(self.spawner()), "-e", f"trace={call}",
                                   "-e", f"inject={call}:error={error}:when={nth}"], stderr=subprocess.PIPE)
        try:
            self.assertIn(b"attached", tracer.stderr.readline())
            broken = [self.cycle(code, BROKEN) for code in codes]
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.communicate(timeout=60)
        with open(trace, encoding="utf-8", errors="replace") as lines:
            return broken, "(INJECTED)" in lines.read()

    def spawner(self):
        for task in os.listdir(f"/proc/{self.infra.process.pid}/task"):
            with open(f"/proc/{self.infra.process.pid}/task/{task}/children", encoding="ascii") as children:
                for child in children.read().split():
                    with open(f"/proc/{child}/comm", encoding="ascii") as name:
                        if name.read().startswith("infra-spawner"):
                            return int(child)
        raise AssertionError("there is no spawner")


class Inits(Spawner):
    """What it forks, too, where each process fails at its own nth call."""

    FOLLOW = ("-f",)
    CALLS = {"openat": "EMFILE", "mkdir,mkdirat": "ENOSPC", "write": "EIO", "socket,bind,listen": "EMFILE", "unshare,setns": "ENOMEM",
             "mount,mount_setattr,fsopen,fsconfig,fsmount,move_mount,open_tree": "ENOMEM", "recvmsg": "ENOMEM"}
    MOST = 10


if __name__ == "__main__":
    main(at_once=4)
