"""What some work takes of the kernel, counted for a program and all that it has started: figures that hold on any machine."""

import contextlib
import signal
import subprocess
import tempfile
import time
from pathlib import Path


def counted(pid, work, traced_work):
    """Page faults and context switches while `work` is done, and system calls while `traced_work` is: a tracer would add to the
    former. Processes that have begun meanwhile count whole; those that ended are missed, so `work` should leave what it starts."""
    before = usage(pid)
    work()
    time.sleep(0.5)  # for what is made ready behind the last answer
    after = usage(pid)
    changes = {kind: sum(counts[kind] - before.get(process, NOTHING)[kind] for process, counts in after.items()) for kind in NOTHING}
    return {"system calls": system_calls(pid, traced_work), **changes}


NOTHING = {"voluntary context switches": 0, "page faults": 0}


def usage(pid):
    found = {}
    for process in tree(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # one that has just ended
            started, faults = stat_of(process)
            found[process, started] = {"voluntary context switches": switches_of(process), "page faults": faults}
    return found


def tree(pid):
    """The process and its descendants. A sandbox's processes are, whatever namespace they are in."""
    found = [pid]
    for process in found:
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found += [int(child) for child in children.read_text(encoding="ascii").split()]
    return found


def stat_of(pid):
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return int(fields[19]), int(fields[7]) + int(fields[9])


def switches_of(pid):
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        for line in status.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("voluntary_ctxt_switches:"):
                total += int(line.split()[1])
    return total


def system_calls(pid, work):
    with tempfile.NamedTemporaryFile(mode="r", prefix="infra-bench-") as table:
        processes = [argument for process in tree(pid) for argument in ("-p", str(process))]
        tracer = subprocess.Popen(["strace", "-f", "-c", "-o", table.name, *processes], stderr=subprocess.PIPE, text=True)
        try:
            wait_until_traced(pid, tracer)
            work()
            time.sleep(0.5)
        finally:
            tracer.send_signal(signal.SIGINT)
            words = tracer.communicate(timeout=60)[1]
        totals = [line.split() for line in table.read().splitlines() if line.endswith(" total")]
    if not totals:
        raise SystemExit(f"strace counted nothing: {words}")
    return int(totals[-1][-3] if len(totals[-1]) > 5 else totals[-1][-2])


def wait_until_traced(pid, tracer):
    """All threads: those that strace has not reached yet would not be counted."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and tracer.poll() is None:
        statuses = Path(f"/proc/{pid}/task").glob("*/status")
        if all(f"TracerPid:\t{tracer.pid}\n" in status.read_text(encoding="utf-8") for status in statuses):
            return
        time.sleep(0.02)
    raise SystemExit("strace can't trace the program; is it installed, and is this root?")
