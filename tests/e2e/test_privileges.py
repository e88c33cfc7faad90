"""What the program can still do once it runs: who it is, what it sees, and what of the machine it could change."""

import contextlib
import ctypes
import json
import os
import pwd
import re
import socket
import subprocess
import tempfile
import unittest

from harness import ECHO, SANITIZED, Infra, main

ISOLATED = os.environ.get("INFRA_SANDBOX") != "none"
FREE = range(61184, 65520)
CLONE_NEWNS = 0x20000


def status(pid, name):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return re.search(rf"^{name}:[ \t]*(.*)$", file.read(), re.MULTILINE)[1].split()


def threads(pid, names):
    """For each thread that lives: the values of `names`. The one that deletes what an earlier program left ends soon after the start."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found.append({name: status(task, name) for name in names})
    return found


def children(pid):
    """{process id: name}"""
    found = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
            for child in file.read().split():
                with open(f"/proc/{child}/comm", encoding="ascii") as name:
                    found[int(child)] = name.read().strip()
    return found


def uid_of(infra):
    """Of the program, where all its threads agree."""
    uids = {uid for thread in threads(infra.process.pid, ["Uid"]) for uid in thread["Uid"]}
    assert len(uids) == 1, uids
    return int(uids.pop())


def as_the_program(pid, attempts):
    """{attempt: the error's name, or what came of it}, tried with the program's mounts and user, and nothing else of it."""
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = int(status(pid, "Uid")[0]), int(status(pid, "Gid")[0])
    mounts = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            assert libc.setns(mounts, CLONE_NEWNS) == 0, ctypes.get_errno()
            os.setgroups([])
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            found = {}
            for name, attempt in attempts.items():
                try:
                    found[name] = str(attempt())
                except OSError as error:
                    found[name] = type(error).__name__
            os.write(writer, json.dumps(found).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.close(mounts)
    with open(reader, "rb") as said:
        answer = said.read()
    os.waitpid(child, 0)
    return json.loads(answer)


@unittest.skipUnless(os.geteuid() == 0, "who is not root has nothing to give up")
class Privileges(unittest.TestCase):
    def start(self, arguments=("serve",), env=None, folder=None):
        infra = Infra(env=env, arguments=arguments, folder=folder)
        self.addCleanup(infra.close)
        return infra.start()

    def test_the_program_has_nothing_of_roots(self):
        infra = self.start()
        pid = infra.process.pid
        uid = uid_of(infra)
        with contextlib.suppress(KeyError):
            self.assertEqual(uid, pwd.getpwnam("infra").pw_uid)
        self.assertNotEqual(uid, 0)
        capabilities = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
        for thread in threads(pid, ["Groups", "Gid", "NoNewPrivs", "Seccomp", *capabilities]):
            self.assertEqual(thread["Groups"], [])
            self.assertNotIn("0", thread["Gid"])
            for name in capabilities:
                self.assertEqual(int(thread[name][0], 16), 0, name)
            self.assertEqual(thread["NoNewPrivs"], ["1"])
            self.assertEqual(thread["Seccomp"], ["2" if ISOLATED and not SANITIZED else "0"])
        if not SANITIZED:
            self.assertEqual(os.stat(f"/proc/{pid}/environ").st_uid, 0, "it is dumpable")
        with open(f"/proc/{pid}/limits", encoding="ascii") as limits:
            self.assertRegex(limits.read(), r"Max core file size +0 +0 ")
        if ISOLATED:
            self.assertEqual(list(children(pid).values()), ["infra-spawner"])
            spawner = next(iter(children(pid)))
            self.assertEqual(status(spawner, "Uid")[0], "0")
        [said] = [entry for entry in infra.log() if entry.get("msg") == "privileges given up"]
        self.assertEqual((said["uid"], said["ownView"], said["callFilter"]), (uid, ISOLATED, ISOLATED and not SANITIZED))

    @unittest.skipUnless(ISOLATED, "functions that are its children need what the machine has")
    def test_it_sees_and_changes_nothing_of_the_machine(self):
        infra = self.start()
        bait = os.path.join(infra.folder, "bait")
        with open(bait, "w", encoding="ascii") as file:
            file.write("seen")
        os.chmod(bait, 0o644)

        def writes(path):
            return lambda: open(path, "r+b").close() or "written"

        library = next(path for path in (os.__file__, json.__file__) if path.startswith("/usr/lib"))
        found = as_the_program(infra.process.pid, {
            "root": lambda: " ".join(sorted(os.listdir("/"))),
            "core_pattern": writes("/proc/sys/kernel/core_pattern"),
            "shadow": lambda: open("/etc/shadow", "rb").read(),
            "passwd": writes("/etc/passwd"),
            "interpreter's library": writes(library),
            "interpreter": lambda: os.path.exists("/usr/bin/python3") or os.path.exists("/bin/sh"),
            "bait": lambda: os.path.exists(bait),
            "first process": lambda: os.path.exists("/proc/1"),
            "sysfs": lambda: os.path.exists("/sys"),
            "new file": lambda: os.mkdir("/new"),
            "own data": lambda: open(os.path.join(infra.data, "try"), "wb").close() or "written",
            "resolver": lambda: os.path.exists("/etc/nsswitch.conf") or os.path.exists("/etc/hosts"),
            "authorities": lambda: os.path.exists("/etc/ssl"),
        })
        os.remove(os.path.join(infra.data, "try"))
        shown = set(found.pop("root").split())
        top = "/" + infra.data.split("/")[1]
        self.assertLessEqual(shown, {"dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "run", "usr", top[1:]})
        for closed in ("core_pattern", "passwd", "interpreter's library"):
            self.assertIn(found[closed], ("PermissionError", "OSError"), closed)  # EACCES, or EROFS
        self.assertEqual(found["shadow"], "PermissionError")
        for absent in ("interpreter", "bait", "first process", "sysfs"):
            self.assertEqual(found[absent], "False", absent)
        self.assertEqual(found["new file"], "OSError")
        self.assertEqual(found["own data"], "written")
        self.assertEqual(found["resolver"], "True")
        self.assertEqual(found["authorities"], str(os.path.exists("/etc/ssl")))

    def test_it_becomes_whom_user_names(self):
        nobody = pwd.getpwnam("nobody")
        infra = self.start(("serve", "--user", "nobody"))
        self.assertEqual((uid_of(infra), int(status(infra.process.pid, "Gid")[0])), (nobody.pw_uid, nobody.pw_gid))
        self.assertEqual(infra.result(infra.deploy(ECHO), 7)["result"], {"echo": 7})

    def test_else_the_data_folders_owner(self):
        infra = Infra()
        self.addCleanup(infra.close)
        os.mkdir(infra.data, 0o700)
        os.chown(infra.data, 4711, 4712)
        infra.start()
        self.assertEqual((uid_of(infra), int(status(infra.process.pid, "Gid")[0])), (4711, 4712))
        self.assertEqual(infra.result(infra.deploy(ECHO), 7)["result"], {"echo": 7})

    def test_what_an_earlier_root_left_is_handed_over_whole_and_strangers_things_are_not(self):
        infra = self.start()
        function = infra.deploy(ECHO)
        self.assertEqual(infra.result(function, 1)["result"], {"echo": 1})
        uid = uid_of(infra)
        if uid in FREE:
            self.assertEqual(os.stat(infra.data).st_uid, uid, "whose number is remembered by what he owns")
        self.assertEqual(infra.stop(), 0)
        subprocess.run(["chown", "-Rh", "0:0", infra.data], check=True)
        notes = os.path.join(infra.data, "notes")
        with open(notes, "w", encoding="ascii") as file:
            file.write("not Infra's")
        infra.start()
        self.assertEqual(uid_of(infra), uid)
        self.assertEqual(infra.result(function, 2)["result"], {"echo": 2})
        owners = {}
        for folder, folders, files in os.walk(infra.data):
            for name in (*folders, *files):
                path = os.path.join(folder, name)
                with contextlib.suppress(FileNotFoundError):
                    owners[path] = os.lstat(path).st_uid
        self.assertEqual(owners.pop(notes), 0)
        self.assertEqual({path for path, owner in owners.items() if owner != uid}, set())
        self.assertEqual(infra.stop(), 0)
        subprocess.run(["chown", "-Rh", "0:0", infra.data], check=True)
        strange = os.path.join(infra.data, "infra.db")
        os.chown(strange, 12345, 12345)
        infra.start(wait=False)
        self.assertEqual(infra.wait(), 1)
        self.assertIn(f"{strange} belongs to uid 12345", infra.said())

    def test_a_privileged_port_is_listened_on(self):
        for port in range(1023, 600, -1):
            with socket.socket() as tried, contextlib.suppress(OSError):
                tried.bind(("127.0.0.1", port))
                break
        infra = self.start(("serve", "--address", "127.0.0.1"), {"PORT": str(port)})
        self.assertEqual(infra.port, port)
        self.assertNotEqual(uid_of(infra), 0)
        self.assertEqual(infra.get("/functions").status, 200)

    def test_without_isolation_its_user_is_another_and_its_calls_are_its_own(self):
        folder = tempfile.mkdtemp(prefix="infra-e2e-")
        os.chmod(folder, 0o755)  # nothing is bound: he passes what leads to his data
        infra = self.start(env={"INFRA_SANDBOX": "none"}, folder=folder)
        self.assertNotEqual(uid_of(infra), 0)
        self.assertEqual(int(status(infra.process.pid, "CapPrm")[0], 16), 0)
        self.assertEqual(status(infra.process.pid, "Seccomp"), ["0"])
        [warned] = [entry["msg"] for entry in infra.log() if "INFRA_SANDBOX=none" in entry.get("msg", "")]
        self.assertIn("no filter of system calls", warned)

    def test_root_may_be_asked_for_and_is_warned_of(self):
        infra = self.start(("serve", "--user", "root"))
        self.assertEqual(uid_of(infra), 0)
        self.assertEqual(int(status(infra.process.pid, "CapPrm")[0], 16), 0)
        self.assertTrue(any("--user root" in entry.get("msg", "") for entry in infra.log()))
        if ISOLATED:
            found = as_the_program(infra.process.pid, {
                "core_pattern": lambda: open("/proc/sys/kernel/core_pattern", "r+b").close() or "written",
                "library": lambda: open(os.__file__, "r+b").close() or "written"})
            self.assertEqual(found, {"core_pattern": "OSError", "library": "OSError"}, "read-only for root, too")


if __name__ == "__main__":
    main()
