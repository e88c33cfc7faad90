"""Boots a machine in namespaces: systemd on a layer over the files of a Debian, for what only a service manager can prove.

Whatever happens there stays there: it has its own processes, mounts, network, control groups and host name.
"""

import contextlib
import os
import pty
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAMESPACES = ("--mount", "--pid", "--fork", "--uts", "--ipc", "--net", "--kill-child")
# The first process alone is in the groups when they become the root of what it sees: a group with groups below it can't have others.
ENTER = 'for group in $1; do echo 0 >"$group/cgroup.procs" || exit; done; shift; exec unshare --cgroup "$@"'


class Groups:
    """A control group of the machine's own in each hierarchy, which becomes the root of what it sees."""

    def __init__(self):
        own = {}  # the group that we are in, by hierarchy
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            own[controllers] = path
        self.folders, self.mounts = [], []
        for line in Path("/proc/self/mounts").read_text().splitlines():
            _, folder, kind, options, *_ = line.split()
            if kind not in ("cgroup", "cgroup2"):
                continue
            kept = [option for option in options.split(",") if option not in ("rw", "ro", "relatime", "nosuid", "nodev", "noexec")]
            controllers = "" if kind == "cgroup2" else ",".join(option for option in kept if option != "xattr")
            if controllers not in own or "cpuset" in controllers:  # an empty cpuset takes no process
                continue
            self.mounts.append((kind, "none," + controllers if controllers.startswith("name=") else controllers or "rw", folder))
            parent = Path(folder + own[controllers])
            if kind == "cgroup2":
                for controller in ("memory", "pids", "cpu", "io"):
                    with contextlib.suppress(OSError):
                        (parent / "cgroup.subtree_control").write_text(f"+{controller}")
            self.folders.append(Path(tempfile.mkdtemp(prefix="infra-machine-", dir=parent)))

    def remove(self):
        for folder in self.folders:
            for base, _, _ in os.walk(folder, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(base)


class Machine:
    """Runs one Python file as the only business of a machine; `root` has its files, which stay as they are."""

    def __init__(self, root="/"):
        self.root = str(root)
        self.shared = Path(tempfile.mkdtemp(prefix="infra-machine-"))
        os.chmod(self.shared, 0o755)
        self.console = b""

    def run(self, session, seconds):
        """The exit status of `session`, which finds this machine's `shared` at /session."""
        shutil.copy(session, self.shared / "session.py")
        groups = Groups()
        console, their_console = pty.openpty()
        reader = threading.Thread(target=self._read, args=(console,), daemon=True)
        try:
            hierarchies = "\n".join(" ".join(mount) for mount in groups.mounts)
            machine = subprocess.Popen(
                ["unshare", *NAMESPACES, "sh", "-c", ENTER, "enter", " ".join(map(str, groups.folders)),
                 "bash", str(HERE / "boot.sh"), self.root, str(self.shared), hierarchies],
                stdin=their_console, stdout=their_console, stderr=their_console, start_new_session=True)
            os.close(their_console)
            reader.start()
            try:
                return machine.wait(seconds)
            except subprocess.TimeoutExpired:
                machine.send_signal(signal.SIGKILL)
                machine.wait()
                return None
        finally:
            groups.remove()

    def _read(self, console):
        with contextlib.suppress(OSError):
            while chunk := os.read(console, 65536):
                self.console += chunk

    def said(self):
        """What the session wrote, and below it what systemd said."""
        said = self.shared / "said"
        words = said.read_text(errors="replace") if said.exists() else "(nothing)\n"
        return words + "--- the machine's console:\n" + self.console.decode(errors="replace")

    def close(self):
        shutil.rmtree(self.shared, ignore_errors=True)
