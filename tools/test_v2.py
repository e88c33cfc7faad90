"""Runs the sandbox's tests on a machine that has cgroup v2 alone: Debian's kernel in qemu, with this machine's own files.

The guest sees the root file system of this machine read-only over 9p, below a layer in its memory, and an empty disk on /tmp. It
boots from an initramfs that is made here, runs tools/test_v2_guest.py and powers off; its console is this program's output.
"""

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# In the order in which they must be there; what they depend on is found out.
MODULES = ("virtio_pci", "virtio_blk", "crc32c_generic", "ext4", "overlay", "9pnet_virtio", "9p",
           "veth", "nf_tables", "nft_ct", "nft_connlimit", "nft_chain_nat", "nft_masq", "nft_reject_inet", "nft_reject_ipv4")
MEMORY_MIB = 2048
DISK_MIB = 2048
SLOWNESS = {"kvm": 2, "tcg": 15}  # against this machine itself; what the tests wait for is given that much more time
SECONDS = {"kvm": 600, "tcg": 2400}
BOOT_SECONDS = {"kvm": 30, "tcg": 240}  # until the guest's first program speaks
PLACES = ("root", "service", "container", "session")
NO_BOOT = "the guest does not boot"
QEMU, MKE2FS = "qemu-system-x86_64", "/sbin/mke2fs"

# The first program of the guest: finds the machine's files, and gives way to the script.
INIT = """#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
echo up >/dev/ttyS1
stop() { echo "test-v2: $*"; poweroff -f; }
while read -r module; do insmod "/modules/$module" || stop "the kernel does not load $module"; done </modules/order
mount -t tmpfs -o size=512m,mode=755 tmpfs /layer && mkdir /layer/upper /layer/work &&
  mount -t 9p -o ro,trans=virtio,version=9p2000.L,cache=loose,msize=262144 host /host &&
  mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work overlay /root &&
  mount -t ext4 /dev/vda /root/tmp && chmod 1777 /root/tmp || stop "the machine's files can't be mounted"
mount -t proc proc /root/proc
mount -t sysfs sysfs /root/sys
mount -t cgroup2 cgroup2 /root/sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs /root/run && cp /script /root/run/test-v2
mount --move /dev /root/dev
ip link set lo up
exec switch_root /root /bin/sh /run/test-v2
"""

# It stays a shell, which waits for whatever loses its parent. The second serial line is for the exit status alone.
SCRIPT = """cd {root}
export HOME=/root LANG=C.UTF-8 INFRA_TEST_SLOWNESS={slowness}
/usr/bin/python3 -B tools/test_v2_guest.py {arguments} </dev/null
echo "exit $?" >/dev/ttyS1
echo o >/proc/sysrq-trigger
read -r nothing </dev/ttyS1  # waiting for the end needs no file of the machine, which may be gone by then
"""


class CannotRun(Exception):
    """A sentence for whoever asked for the tests."""


def depends_on(module):
    """The names in a kernel module's own list (depmod has not seen the unpacked package)."""
    found = re.search(rb"(?:^|\0)depends=([^\0]*)\0", module.read_bytes())
    return [name for name in (found[1].decode().split(",") if found else []) if name]


def load_order(folder, wanted):
    """The files of `wanted` and of all that they need, each after what it needs; what the kernel has built in is left out."""
    files = {path.name.removesuffix(".ko").replace("-", "_"): path for path in folder.rglob("*.ko")}
    order = []

    def add(name):
        module = files.get(name.replace("-", "_"))
        if module is None or module in order:
            return
        for needed in depends_on(module):
            add(needed)
        order.append(module)

    for name in wanted:
        add(name)
    return order


def archive_entry(number, name, mode, data=b""):
    """One entry of a cpio archive in its `newc` form, which is what the kernel unpacks."""
    encoded = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def make_initramfs(guest, script):
    modules = load_order(guest / "lib" / "modules", MODULES)
    entries = [(folder, 0o40755, b"") for folder in ("bin", "dev", "proc", "root", "host", "layer", "modules")]
    entries.append(("bin/busybox", 0o100755, (guest / "bin" / "busybox").read_bytes()))
    entries.append(("init", 0o100755, INIT.encode()))
    entries.append(("script", 0o100755, script.encode()))
    entries.append(("modules/order", 0o100644, "".join(f"{module.name}\n" for module in modules).encode()))
    entries += [(f"modules/{module.name}", 0o100644, module.read_bytes()) for module in modules]
    entries.append(("TRAILER!!!", 0, b""))
    return b"".join(archive_entry(number, *entry) for number, entry in enumerate(entries, start=1))


def kvm_works():
    """That it can be opened; on a virtual machine the guest may still not boot with it."""
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def qemu_command(guest, work, accel):
    image = next((guest / "boot").glob("vmlinuz-*"))
    return ["nice", "-n", "5", QEMU, "-accel", accel, "-cpu", "host,-arch-capabilities" if accel == "kvm" else "max",
            "-smp", "2", "-m", str(MEMORY_MIB),
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none",
            "-kernel", str(image), "-initrd", str(work / "initramfs"),
            "-append", "console=ttyS0 loglevel=2 panic=-1 cgroup_no_v1=all",
            "-serial", "stdio", "-serial", f"file:{work / 'status'}",
            "-drive", f"file={work / 'disk'},format=raw,if=virtio,cache=unsafe",
            "-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"]


def run_guest(command, status, seconds, boot_seconds):
    """The guest's console goes to our own output. Says how the guest went: its exit status, or why there is none."""
    started = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as qemu:
        try:
            while qemu.poll() is None:
                took = time.monotonic() - started
                if took > seconds:
                    return f"the guest did not finish within {seconds} s; --seconds gives it more"
                if took > boot_seconds and not (status.exists() and status.stat().st_size):
                    return NO_BOOT
                time.sleep(0.2)
        finally:
            qemu.kill()
    said = status.read_text(errors="replace") if status.exists() else ""
    found = re.search(r"^exit (\d+)", said, re.MULTILINE)
    if found:
        return int(found[1])
    return "the guest stopped before its tests were over; the last lines above say why" if said else NO_BOOT


def need_parts(options):
    missing = [name for name in (QEMU, MKE2FS) if shutil.which(name) is None]
    missing += [str(path) for path in (options.program, options.guest / "bin/busybox", options.guest / "lib/modules") if not path.exists()]
    if not list(options.guest.glob("boot/vmlinuz-*")):
        missing.append(f"a kernel in {options.guest}/boot")
    if missing:
        raise CannotRun(f"there is no {', no '.join(missing)}; `./dev test-v2` fetches and builds what it needs.")


def test(options):
    need_parts(options)
    arguments = shlex.join(["--place", *options.place, "--", str(options.program.resolve()), *options.arguments])
    with tempfile.TemporaryDirectory(prefix="test-v2-") as folder:
        work = Path(folder)
        with open(work / "disk", "wb") as disk:
            disk.truncate(DISK_MIB << 20)
        subprocess.run([MKE2FS, "-q", "-F", "-t", "ext4", str(work / "disk")], check=True)
        accels = ["kvm", "tcg"] if kvm_works() else ["tcg"]
        for accel in accels:
            script = SCRIPT.format(root=shlex.quote(str(ROOT)), arguments=arguments, slowness=SLOWNESS[accel])
            (work / "initramfs").write_bytes(make_initramfs(options.guest, script))
            (work / "status").unlink(missing_ok=True)
            seconds = options.seconds or SECONDS[accel]
            print(f"test-v2: booting with -accel {accel}, for at most {seconds} s", flush=True)
            outcome = run_guest(qemu_command(options.guest, work, accel), work / "status", seconds, BOOT_SECONDS[accel])
            if outcome != NO_BOOT:
                break
            print(f"test-v2: {outcome} with {accel}", flush=True)
    if isinstance(outcome, str):
        raise CannotRun(f"{outcome}.")
    return outcome


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--guest", type=Path, default=ROOT / "build/tools/v2", help="the unpacked packages (default %(default)s)")
    parser.add_argument("--program", type=Path, default=ROOT / "build/dev/tests/sandbox/sandbox_test")
    parser.add_argument("--seconds", type=int,
                        help=f"until the guest is stopped (default: with kvm {SECONDS['kvm']}, else {SECONDS['tcg']})")
    parser.add_argument("--place", nargs="+", choices=PLACES, default=PLACES, help="the program's own in the hierarchy (default: all)")
    parser.add_argument("arguments", nargs="*", help="for the test program, after --")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the guest ends, too
    try:
        return test(parser.parse_args())
    except CannotRun as error:
        print(f"test-v2: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
