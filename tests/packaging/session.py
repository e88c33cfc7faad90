"""A package's life on a machine with systemd, from its installation to its purge; runs there as root (machine.py)."""

import io
import json
import os
import pwd
import re
import signal
import stat
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

PACKAGE = next(Path("/session").glob("*.deb"))
INSTALL = json.loads(Path("/session/install.json").read_text())  # a command that lacks the package alone
KEY_FILE = Path("/etc/infra/api-key.env")
CONFIGURATION = Path("/etc/infra/infra.env")
EXAMPLES = Path("/usr/share/infra/examples")
DATA, WORKER_DATA = Path("/var/lib/infra"), Path("/var/lib/infra-worker")
SPY = """
import os
def handler(event, context):
    seen = [path for path in event if os.path.exists(path)]
    return {"environment": sorted(os.environ), "seen": seen, "uid": os.getuid()}
"""
BOMB = "def handler(event, context):\n    return len(bytearray(1 << 30))\n"


def command(*words, expect=0):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print("$", *words, f"-> {done.returncode}\n{done.stdout}", flush=True)
    if expect is not None and done.returncode != expect:
        raise AssertionError(f"{words} ended with {done.returncode}: {done.stdout}")
    return done.stdout


def install():
    return command(*INSTALL, str(PACKAGE))


def is_active(unit):
    return command("systemctl", "is-active", unit, expect=None).strip() == "active"


def shown(unit, name):
    return command("systemctl", "show", "--property", name, "--value", unit).strip()


def key():
    return re.search(r"^INFRA_API_KEY=(.+)$", KEY_FILE.read_text(), re.MULTILINE)[1]


def request(method, path, body=None, content_type="application/json"):
    """Status and JSON of an answer."""
    asked = urllib.request.Request(f"http://127.0.0.1:8080{path}", body, {"x-api-key": key(), "Content-Type": content_type},
                                   method=method)
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def deploy(files, runtime="python", **fields):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    parts = [(f'name="{name}"', value.encode()) for name, value in {"runtime": runtime, **fields}.items()]
    parts.append(('name="file"; filename="code.zip"', packed.getvalue()))
    body = b"".join(b"--x\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (head.encode(), value) for head, value in parts)
    status, answer = request("POST", "/upload", body + b"--x--\r\n", "multipart/form-data; boundary=x")
    assert status == 200, answer
    return answer["functionId"]


def run(function, data=None):
    status, answer = request("POST", "/run", json.dumps({"functionId": function, "inputData": data}).encode())
    assert status == 200, answer
    return answer


def processes(*words):
    """The command lines that have one of the words."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(file.read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue  # it has ended
    return [line for line in lines if any(word in line for word in words)]


def mode_and_owner(path):
    info = path.stat()
    return stat.S_IMODE(info.st_mode), pwd.getpwuid(info.st_uid).pw_name


class Life(unittest.TestCase):
    """In the order of their names."""

    def test_1_it_is_installed_and_runs(self):
        said = install()
        self.assertIn("http://127.0.0.1:8080", said)
        self.assertIn(str(KEY_FILE), said)
        self.assertTrue(is_active("infra"))
        self.assertEqual(command("systemctl", "is-enabled", "infra").strip(), "enabled")
        self.assertFalse(is_active("infra-worker"))
        self.assertEqual(command("systemctl", "is-enabled", "infra-worker", expect=1).strip(), "disabled")
        for file in (KEY_FILE, CONFIGURATION):
            self.assertEqual(mode_and_owner(file), (0o600, "root"))
        for folder in (DATA, WORKER_DATA):
            self.assertEqual(mode_and_owner(folder), (0o700, "infra"))
        self.assertRegex(key(), r"^[0-9a-f]{48}$")
        self.assertEqual(request("GET", "/health")[0], 200)
        self.assertRegex(command("infra", "version"), r"^infra \d+\.\d+\.\d+ \(\w+(-dirty)?\)$")
        self.assertEqual(command("systemd-analyze", "verify", "--man=no", "infra.service", "infra-worker.service"), "")

    def test_2_functions_run_and_are_isolated(self):
        baits = ["/etc/infra", str(DATA), "/session", "/run/systemd"]
        result = run(deploy({"main.py": SPY}), baits)["result"]
        self.assertEqual(result["seen"], [])
        self.assertEqual(result["uid"], 1000)
        for name in ("NOTIFY_SOCKET", "INFRA_API_KEY", "INVOCATION_ID", "JOURNAL_STREAM"):
            self.assertNotIn(name, result["environment"])

    def test_2_the_examples_run(self):
        for example, runtime in (("hello-python", "python"), ("hello-nodejs", "nodejs")):
            files = {file.name: file.read_text() for file in (EXAMPLES / example).iterdir()}
            self.assertIn("Ada", json.dumps(run(deploy(files, runtime), {"name": "Ada"})["result"]))

    def test_2_a_function_has_egress(self):
        if subprocess.run(["nft", "list", "tables"], capture_output=True).returncode:
            self.skipTest("this kernel has no nf_tables")
        self.assertEqual(run(deploy({"main.py": "def handler(event, context):\n    return 1\n"}, network="egress"))["result"], 1)

    def test_3_the_program_has_no_privileges_and_the_spawner_few(self):
        def status(pid, name):
            return re.search(rf"^{name}:[ \t]*(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[1].split()

        main = shown("infra", "MainPID")
        self.assertEqual(set(status(main, "Uid")), {str(pwd.getpwnam("infra").pw_uid)})
        self.assertEqual(int(status(main, "CapPrm")[0], 16), 0)
        self.assertEqual(status(main, "Groups"), [])
        self.assertEqual(status(main, "Seccomp"), ["2"])
        spawner = next(pid for pid in Path(f"/proc/{main}/task/{main}/children").read_text().split()
                       if Path(f"/proc/{pid}/comm").read_text() == "infra-spawner\n")
        self.assertEqual(set(status(spawner, "Uid")), {"0"})
        mknod, sys_resource = 1 << 27, 1 << 24  # where the machine has them
        optional = int(status(1, "CapBnd")[0], 16) & (mknod | sys_resource)
        self.assertEqual(int(status(spawner, "CapPrm")[0], 16).bit_count(), 12 + optional.bit_count())
        self.assertEqual(Path(f"/proc/{spawner}/environ").read_bytes(), b"")
        self.assertEqual(shown("infra", "StatusText"), "listening on port 8080")

    def test_4_a_function_that_is_killed_for_its_memory_leaves_the_service_alone(self):
        main = shown("infra", "MainPID")
        result = run(deploy({"main.py": BOMB}))
        self.assertEqual((result["status"], result["code"]), ("FAILED", "out_of_memory"), result)
        self.assertTrue(is_active("infra"))
        self.assertEqual(shown("infra", "MainPID"), main)

    def test_5_an_upgrade_restarts_it_and_keeps_everything(self):
        function = deploy({"main.py": "def handler(event, context):\n    return {'hello': event}\n"})
        made, main = key(), shown("infra", "MainPID")
        CONFIGURATION.write_text(CONFIGURATION.read_text() + "RATE_LIMIT=77\n")
        said = install()
        self.assertNotIn("onfiguration file", said)
        self.assertNotEqual(shown("infra", "MainPID"), main)
        self.assertEqual(key(), made)
        self.assertIn("RATE_LIMIT=77", CONFIGURATION.read_text())
        self.assertEqual(run(function, "Ada")["result"], {"hello": "Ada"})
        self.assertFalse(is_active("infra-worker"))

    def test_6_what_is_wrong_is_in_the_journal(self):
        right = CONFIGURATION.read_text()
        CONFIGURATION.write_text(right + "PORT=eighty\n")
        command("systemctl", "restart", "infra", expect=1)
        command("systemctl", "stop", "infra")
        self.assertIn("PORT must be", command("journalctl", "--no-pager", "-u", "infra", "-n", "40"))
        CONFIGURATION.write_text(right)
        command("systemctl", "start", "infra-worker", expect=1)
        command("systemctl", "stop", "infra-worker")
        self.assertIn("AWS_REGION is missing", command("journalctl", "--no-pager", "-u", "infra-worker", "-n", "40"))
        command("systemctl", "reset-failed")
        command("systemctl", "start", "infra")

    def test_7_it_comes_back_after_a_crash(self):
        main = shown("infra", "MainPID")
        functions = request("GET", "/functions")[1]
        os.kill(int(main), signal.SIGKILL)
        deadline = time.monotonic() + 60
        while shown("infra", "MainPID") in (main, "0") or not is_active("infra"):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.2)
        self.assertEqual(request("GET", "/functions")[1], functions)

    def test_7_it_stops_in_order_and_leaves_nothing_behind(self):
        command("systemctl", "stop", "infra")
        self.assertEqual(shown("infra", "Result"), "success")
        self.assertEqual(processes("infra", "runner"), [])
        command("systemctl", "start", "infra")

    def test_8_removal_keeps_data_and_a_new_installation_finds_it(self):
        functions = request("GET", "/functions")[1]
        self.assertTrue(functions)
        command("dpkg", "--remove", "infra")
        self.assertFalse(is_active("infra"))
        for kept in (DATA / "infra.db", KEY_FILE, CONFIGURATION):
            self.assertTrue(kept.exists(), kept)
        self.assertFalse(Path("/usr/bin/infra").exists())
        install()
        self.assertEqual(request("GET", "/functions")[1], functions)

    def test_9_a_purge_leaves_the_user_alone(self):
        command("dpkg", "--purge", "infra")
        for gone in (DATA, WORKER_DATA, Path("/etc/infra"), Path("/etc/systemd/system/multi-user.target.wants/infra.service")):
            self.assertFalse(os.path.lexists(gone), gone)
        self.assertEqual(pwd.getpwnam("infra").pw_shell, "/usr/sbin/nologin")
        self.assertEqual(command("systemctl", "is-active", "infra", expect=None).strip(), "inactive")


if __name__ == "__main__":
    passed = unittest.main(verbosity=2, failfast=True, exit=False).result.wasSuccessful()
    if not passed:
        command("journalctl", "--no-pager", "-n", "100", expect=None)
    sys.exit(not passed)
