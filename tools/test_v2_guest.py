"""The part of tools/test_v2.py that runs in the guest: the sandbox's tests in each place that a program may have in the hierarchy."""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HIERARCHY = Path("/sys/fs/cgroup")
NEEDED = ("cpu", "memory", "pids")
# Where the groups are made depends on the place, what is in them does not: these are the tests that would notice.
ABOUT_GROUPS = ("SandboxTest.EverySlotHasAUidOfItsOwn", "SandboxTest.TheMemoryLimitKills", "SandboxTest.UsageGrowsAndThePeakResets",
                "SandboxTest.AForkBombStaysInside", "SpawnerTest.ClosingTheSocketEndsEverything",
                "SpawnerTest.KillingTheProgramEndsEverything",
                "SpawnerTest.AKilledSpawnerTakesItsSandboxesAlongAndTheNextSweeps", "ZygoteTest.ExitsAndUsageAreToldAsOfAnyRunner")
REPORT = Path("/tmp/report.json")
TOO_NEW = ("LandlockTest.InitIsNotSignalled",)  # for Debian's kernel; where the kernel has it, `./dev test` proves it


def must_be_v2_only():
    types = [line.split()[2] for line in Path("/proc/mounts").read_text().splitlines()]
    missing = set(NEEDED) - set((HIERARCHY / "cgroup.controllers").read_text().split())
    if "cgroup" in types or missing:
        sys.exit(f"test-v2: this is no machine with cgroup v2 alone; missing controllers: {sorted(missing)}")


def move_into(group):
    (group / "cgroup.procs").write_text(str(os.getpid()))


def run(program, arguments, group):
    """What went wrong, as sentences. A test that is skipped proves nothing here, and counts as failed, but for TOO_NEW."""
    REPORT.unlink(missing_ok=True)
    done = subprocess.run([program, *arguments, "--gtest_color=no", f"--gtest_output=json:{REPORT}"], stdout=sys.stdout,
                          stderr=subprocess.STDOUT, preexec_fn=lambda: move_into(group))
    if not REPORT.exists():
        return [f"the test program ended with {done.returncode} before its report"]
    tests = [test for suite in json.loads(REPORT.read_text())["testsuites"] for test in suite["testsuite"]]
    wrong = [f"{test['classname']}.{test['name']} failed" for test in tests if test.get("failures")]
    skipped = [f"{test['classname']}.{test['name']}" for test in tests if test["result"] == "SKIPPED"]
    wrong += [f"{name} was skipped" for name in skipped if name not in TOO_NEW]
    if not any(test["result"] == "COMPLETED" for test in tests):
        wrong.append("no test ran")
    return wrong or ([f"the test program ended with {done.returncode}"] if done.returncode else [])


def left_in(group):
    """Removes the empty groups below `group`, and it; gives those in which a process lives on ten seconds later."""
    deadline = time.monotonic() + 10
    while True:
        busy = []
        for folder in [*sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True), group]:
            if (folder / "cgroup.procs").read_text() or any(path.is_dir() for path in folder.iterdir()):
                busy.append(folder)
            else:
                with contextlib.suppress(OSError):
                    folder.rmdir()
        if not busy or time.monotonic() > deadline:
            return [f"something lives on in {folder}" for folder in busy]
        time.sleep(0.05)


def at_the_root(program, arguments):
    """As in a container that sees a hierarchy of its own, or in an initramfs."""
    wrong = run(program, arguments, HIERARCHY)
    ours = HIERARCHY / "infra"
    deadline = time.monotonic() + 10  # spawners that were killed end in their own time
    while ours.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    left = [str(path) for path in (ours, *ours.rglob("*")) if path.is_dir()] if ours.exists() else []
    return wrong + [f"groups are left behind: {', '.join(left)}"] * bool(left)


def as_a_service(program, arguments):
    """Alone in a group, as systemd starts a service with Delegate=yes: the program itself has to leave it for a leaf."""
    group = HIERARCHY / "service"
    group.mkdir()
    return run(program, arguments, group) + left_in(group)


def in_a_container(program, arguments):
    """Alone below what it takes for the root: a cgroup namespace, and a mount that shows no more than that."""
    group = HIERARCHY / "container"
    group.mkdir()
    inside = f'umount {HIERARCHY} && mount -t cgroup2 cgroup2 {HIERARCHY} && exec "$0" "$@"'
    return run("/usr/bin/unshare", ["--cgroup", "--mount", "/bin/sh", "-c", inside, program, *arguments], group) + left_in(group)


def in_a_session(program, arguments):
    """In a group with processes of others, which must stay where they are."""
    group = HIERARCHY / "session"
    group.mkdir()
    with subprocess.Popen(["sleep", "infinity"], preexec_fn=lambda: move_into(group)) as other:
        wrong = run(program, arguments, group)
        if str(other.pid) not in (group / "cgroup.procs").read_text().split():
            wrong.append("a process of somebody else was moved")
        other.kill()
    return wrong + left_in(group)


# By the name that --place gives it: the function, and whether its tests share a program. Services and containers start in a
# group of their own each.
PLACES = {"root": (at_the_root, True), "service": (as_a_service, False), "container": (in_a_container, False),
          "session": (in_a_session, True)}


def rounds_of(place, given):
    if given or place == "root":
        return [given]
    if PLACES[place][1]:
        return [[f"--gtest_filter={':'.join(ABOUT_GROUPS)}"]]
    return [[f"--gtest_filter={name}"] for name in ABOUT_GROUPS]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--place", nargs="+", choices=PLACES, required=True)
    parser.add_argument("program")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    must_be_v2_only()
    wrong = []
    for place in options.place:
        print(f"\n==> The sandbox's tests in place: {place}", flush=True)
        if place != "root":  # what systemd has done for all below the root, and the program itself must be able to do in it
            (HIERARCHY / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in NEEDED))
        for arguments in rounds_of(place, options.arguments):
            wrong += [f"{place}: {sentence}" for sentence in PLACES[place][0](options.program, arguments)]
    print("\n==> " + ("\n    ".join(["Wrong on cgroup v2:", *wrong]) if wrong else "All is well on cgroup v2."), flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
