"""Functions of every runtime try to get out of their sandbox; each try is judged by its own words and by what the machine shows.

With -v in a test run (or ctest -V) every try is printed with what came of it.
"""

import os
import platform
import unittest

from breakout_host import BUNDLES, BreakoutCase, host_addresses
from harness import main

NAMESPACES = {"mount": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000,
              "pid": 0x20000000, "net": 0x40000000, "time": 0x80}

# What each proves: system calls of x86-64 by number (text is passed by address, [n] as n zeroed bytes), all to be refused by the
# filter, which says EPERM of what it knows and ENOSYS of the rest.
SYSTEM_CALLS = {
    "no process can be traced": {
        "ptrace traceme": [101, 0, 0, 0, 0], "ptrace attach": [101, 16, 1, 0, 0], "ptrace seize": [101, 0x4206, 1, 0, 0],
        "process_vm_readv": [310, 1, [16], 1, [16], 1, 0], "process_vm_writev": [311, 1, [16], 1, [16], 1, 0],
        "process_madvise": [440, 0, [16], 1, 0, 0], "kcmp": [312, 1, 1, 0, 0, 0], "pidfd_getfd": [438, 0, 0, 0]},
    "nothing can be mounted": {
        "mount tmpfs": [165, "none", "/tmp", "tmpfs", 0, 0], "mount bind": [165, "/", "/tmp", "", 0x1000, 0],
        "remount": [165, "", "/", "", 0x20, 0], "mount proc": [165, "proc", "/tmp", "proc", 0, 0],
        "umount": [166, "/usr/local", 2], "fsopen": [430, "tmpfs", 0], "fsconfig": [431, 0, 0, 0, 0, 0], "fsmount": [432, 0, 0, 0],
        "fspick": [433, -100, "/", 0], "open_tree": [428, -100, "/", 1], "move_mount": [429, -100, "/", -100, "/tmp", 0],
        "mount_setattr": [442, -100, "/", 0, [32], 32]},
    "the root can't be left": {"chroot": [161, "/tmp"], "pivot_root": [155, "/tmp", "/tmp"]},
    "no control group can be mounted, to write its release_agent or cgroup.procs": {
        "mount cgroup": [165, "c", "/tmp", "cgroup", 0, "memory"], "mount cgroup2": [165, "c", "/tmp", "cgroup2", 0, 0]},
    "no namespace can be made or entered": {
        **{f"unshare {name}": [272, flag] for name, flag in NAMESPACES.items()}, "setns": [308, 3, 0],
        **{f"clone {name}": [56, flag | 17, 0, 0, 0, 0] for name, flag in NAMESPACES.items() if name != "time"},
        "clone3": [435, [88], 88]},
    "kernel keyrings are out of reach": {
        "add_key": [248, "user", "x", "y", 1, -3], "request_key": [249, "user", "x", "", -3], "keyctl": [250, 0, -3, 1],
        "keyctl join": [250, 1, "x"]},
    "no program runs in the kernel": {"bpf": [321, 0, [128], 128], "bpf load": [321, 5, [128], 128]},
    "no io_uring, which no filter sees": {"setup": [425, 8, [120]], "enter": [426, 0, 1, 0, 0, 0], "register": [427, 0, 0, 0, 0]},
    "nothing is measured or stopped by the kernel's help": {
        "perf_event_open": [298, [128], 0, -1, -1, 0], "userfaultfd": [323, 0], "lookup_dcookie": [212, 0, [8], 8],
        "syslog": [103, 3, [128], 128]},
    "no code can be loaded into the kernel": {
        "init_module": [175, [64], 64, ""], "finit_module": [313, 0, "", 0], "delete_module": [176, "x", 0],
        "kexec_load": [246, 0, 0, 0, 0], "kexec_file_load": [320, 0, 0, 0, "", 0]},
    "the machine can't be stopped or changed": {
        "reboot": [169, 0xfee1dead, 672274793, 0, 0], "swapon": [167, "/tmp", 0], "swapoff": [168, "/tmp"], "acct": [163, "/tmp/a"],
        "quotactl": [179, 0, "", 0, 0], "vhangup": [153], "iopl": [172, 3], "ioperm": [173, 0, 1, 1], "modify_ldt": [154, 0, [16], 16]},
    "no device nodes": {
        "mknod memory": [133, "/tmp/mem", 0o20666, 0x101], "mknod disk": [133, "/tmp/disk", 0o60666, 0x800],
        "mknodat": [259, -100, "/tmp/disk", 0o60666, 0xfe00], "mknod whiteout": [133, "/workspace/w", 0o20666, 0]},
    "no file is opened by its number": {
        "name_to_handle_at": [303, -100, "/", [128], [8], 0], "open_by_handle_at": [304, -100, [128], 0]},
    "the clock and the names of the machine stay": {
        "clock_settime": [227, 0, [16]], "settimeofday": [164, [16], 0], "adjtimex": [159, [208]], "clock_adjtime": [305, 0, [208]],
        "sethostname": [170, "x", 1], "setdomainname": [171, "x", 1]},
    "capabilities and groups stay": {"capset": [126, [8], [24]], "setgroups": [116, 1, [4]]},
    "network interfaces and routes stay": {
        "SIOCSIFFLAGS": [16, 1, 0x8914, [40]], "SIOCSIFADDR": [16, 1, 0x8916, [40]], "SIOCADDRT": [16, 1, 0x890b, [120]],
        "SIOCBRADDBR": [16, 1, 0x89a0, "x"]},
    "nothing is typed into a terminal": {
        "TIOCSTI": [16, 0, 0x5412, "x"], "TIOCSTI in 64 bits": [16, 0, 0x100005412, "x"], "TIOCLINUX": [16, 0, 0x541c, [8]],
        "TIOCSCTTY": [16, 0, 0x540e, 1]},
    "what others do to files that all see is not told, and nobody is made to wait": {
        "inotify_init": [253], "inotify_init1": [294, 0], "inotify_add_watch": [254, 3, "/usr/bin", 0xfff],
        "dnotify": [72, 0, 1026, 1], "dnotify in 64 bits": [72, 0, (1 << 32) + 1026, 1], "lease": [72, 0, 1024, 0],
        "io_setup": [206, 8, [8]],
        "fanotify_init": [300, 0, 0], "fanotify_mark": [301, 0, 1, 8, -100, "/"]},
    "memory of others is neither moved nor hidden": {
        "migrate_pages": [256, 1, 1, [8], [8]], "move_pages": [279, 1, 0, 0, 0, 0, 0], "mbind": [237, 0, 0, 0, 0, 0, 0],
        "memfd_secret": [447, 0]},
    "the machine's huge pages stay, and its pipes small": {
        "mmap": [9, 0, 1 << 21, 3, 0x40022, -1, 0], "memfd_create": [319, "x", 4], "F_SETPIPE_SZ": [72, 1, 1031, 1 << 20]},
    "the address space's layout and the filter stay": {
        "personality": [135, 0x40000], "seccomp": [317, 1, 0, [16]], "ioprio_set": [251, 1, 1, 0],
        "prctl seccomp": [157, 22, 2, [16], 0, 0]},
    "init runs where it can, and no core is taken from others": {
        "init's processors": [203, 1, 8, [8]], "the same in 64 bits": [203, (1 << 32) + 1, 8, [8]], "core scheduling": [157, 62, 1, 0, 1, 0]},
    "calls that the filter does not know are refused": {
        f"call {number}": [number, 0, 0, 0, 0, 0] for number in (*range(451, 480), 511, 600)},
    "message queues are none": {"mq_open": [240, "/x", 0o102, 0o666, 0]},
}
# And those whose errors are the kernel's own words for what it has not.
SOCKETS = {
    "no socket of a kind that makes the kernel load a module": {
        **{f"family {family}": [41, family, kind, 0] for family, kind in
           ((16, 3), (17, 3), (17, 2), (15, 3), (21, 5), (29, 3), (30, 1), (31, 3), (38, 5), (40, 1), (43, 1), (44, 3), (45, 1))},
        "netlink audit": [41, 16, 3, 9], "netlink uevents": [41, 16, 2, 15], "raw ICMP": [41, 2, 3, 1], "raw IP": [41, 2, 3, 255],
        "raw IPv6": [41, 10, 3, 58], "ping": [41, 2, 2, 1], "SCTP": [41, 2, 1, 132], "SCTP packets": [41, 10, 5, 132],
        "DCCP": [41, 2, 6, 33], "UDP-Lite": [41, 2, 2, 136], "MPTCP": [41, 2, 1, 262], "L2TP": [41, 2, 2, 115],
        "a pair of TIPC": [53, 30, 1, 0, [8]]},
}
BY_THE_FILTER = "refused: (EPERM|ENOSYS)$"
OF_SOCKETS = "refused: (EPERM|EAFNOSUPPORT|EPROTONOSUPPORT)$"


class Breakout(BreakoutCase):
    runtimes, network, interfaces, elsewhere = tuple(BUNDLES), "none", ["lo"], ()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.functions = cls.deploy_all()

    @classmethod
    def deploy_all(cls):
        return {runtime: cls.infra.deploy(BUNDLES[runtime], runtime, timeoutMs=20000, network=cls.network) for runtime in cls.runtimes}

    def assert_held(self, name, proves, words="(refused|contained): ", fresh=False, **facts):
        """One kind of try in every runtime: each single try must be refused or contained."""
        for runtime, function in (self.deploy_all() if fresh else self.functions).items():
            result = self.run_try(function, name, **facts)
            self.assertEqual(result["status"], "SUCCESS", result)
            self.assertTrue(result["result"], "nothing was tried")
            for what, came in result["result"].items():
                print(f"  {runtime}: {proves}: {what}: {came}")
                with self.subTest(runtime=runtime, proves=proves, tried=what):
                    self.assertRegex(came, "^" + words)

    @unittest.skipUnless(platform.machine() == "x86_64", "the calls have other numbers on other machines")
    def test_system_calls(self):
        for proves, calls in SYSTEM_CALLS.items():
            self.assert_held("calls", proves, BY_THE_FILTER, calls=calls)
        for proves, calls in SOCKETS.items():
            self.assert_held("calls", proves, OF_SOCKETS, calls=calls)

    def test_shared_memory_of_the_machine(self):
        key = self.bait.memory_key
        self.assert_held("calls", "shared memory of the machine is not there", calls={
            "shmget": [29, key, 4096, 0], "shmat": [30, self.bait.memory, 0, 0], "semget": [64, key, 1, 0], "msgget": [68, key, 0]})

    def paths_of_the_machine(self):
        data, controller = self.infra.data, self.infra.process.pid
        versions = os.path.join(data, "versions")
        names = [self.bait.file, data, os.path.join(data, "infra.db"), os.path.join(data, "lock"), os.path.join(data, "code"),
                 versions, *(os.path.join(versions, name, "main.py") for name in os.listdir(versions)),
                 "/etc/shadow", "/etc/ssh/sshd_config", "/root/.bashrc", "/var/log/dpkg.log", "/home", "/run", "/boot", "/sys/kernel"]
        return names + [f"/proc/{pid}/{name}" for pid in (controller, *self.bait.pids)
                        for name in ("environ", "mem", "cmdline", "root/etc/shadow", "fd/3")]

    def test_files_of_the_machine(self):
        paths = self.paths_of_the_machine()
        self.assertTrue(any("versions/" in path and os.path.exists(path) for path in paths), "no other version lies on the disk")
        ways = ("/proc/1/root", "/proc/self/root/../..", "/proc/self/cwd/../../..", "/.stage", "/workspace/../.stage/versions",
                "/dev/fd/3/../..", "/proc/1/cwd")
        around = [way + path for way in ways for path in ("/etc/shadow", self.bait.file)]
        self.assert_held("read_files", "no file of the machine, of another function or of the controller can be read", paths=paths + around)
        self.assert_held("markers", "nothing that can be read holds a word of another function's code, environment or input")

    def test_devices(self):
        names = ("mem", "kmem", "port", "kmsg", "kvm", "fuse", "sda", "vda", "nvme0n1", "loop0", "loop-control", "tty", "tty0",
                 "console", "ptmx", "pts/0", "net/tun", "vhost-net", "userfaultfd", "rtc0", "hpet", "mapper/control", "snd/seq",
                 "dri/card0")
        self.assert_held("read_files", "no device of the machine is there", paths=["/dev/" + name for name in names])
        self.assert_held("masked", "the machine's tables in /proc are hidden")

    def test_writing_outside(self):
        self.assert_held("write_files", "nothing but the function's own folders can be written", paths=[
            "/x", "/usr/x", "/usr/bin/python3", "/usr/local/x", "/etc/passwd", "/etc/hosts", "/etc/ld.so.preload", "/runtime/x",
            "/runtime/runner.py", "/bin/x", "/lib/x", "/dev/x", "/proc/x", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname",
            "/proc/sys/kernel/modprobe",
            "/proc/sys/vm/overcommit_memory", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/user/max_user_namespaces",
            "/proc/1/oom_score_adj", "/proc/1/mem", "/proc/1/comm", "/proc/1/uid_map", "/proc/1/setgroups",
            "/proc/irq/default_smp_affinity", "/proc/bus/x", "/proc/mtrr", "/sys/kernel/uevent_helper",
            "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/release_agent", "/sys/fs/cgroup/memory/cgroup.procs", "/sys/power/state"])
        self.assert_held("change_tree", "the root can't be changed in other ways")

    def test_links_in_output(self):
        self.assert_held("links", "links in /output lead nowhere",
                         paths=["/etc/shadow", self.bait.file, os.path.join(self.infra.data, "infra.db")])

    def test_processes(self):
        self.assert_held("others", "no process of the machine is seen, and init's memory, files and namespaces are closed")
        self.assert_held("control_groups", "the machine's control groups are not seen, and the function's own have no name")
        self.assert_held("kill", "no process outside is signalled", pids=[self.infra.process.pid, os.getpid(), *self.bait.pids])
        self.assert_held("core_dump", "a crash leaves no core")
        self.assert_held("descriptors", "no descriptor is inherited but the runner's own", fresh=True)

    def test_rights(self):
        self.assert_held("rights", "no user id, group or capability is gained")
        self.assert_held("set_id_programs", "set-user-id programs and file capabilities give nothing")
        self.assert_held("run_from_memory", "a program in a memfd may run, with no more rights")
        self.assert_held("priorities", "no priority, limit or OOM score is bettered")
        self.assert_held("timers", "timers and queued signals run out here before they do for root", fresh=True)
        self.assert_held("other_abi", "32-bit and x32 calls don't pass by the filter")

    def test_names(self):
        self.assert_held("resolve", "no name is resolved", names=["example.com", "metadata.google.internal", "one.one.one.one"])

    def test_network(self):
        addresses = ["169.254.169.254", "fd00:ec2::254", "1.1.1.1", "10.0.0.1", "2606:4700:4700::1111", "255.255.255.255",
                     *host_addresses(), *self.elsewhere]
        ports = (80, self.infra.port, self.bait.port)
        local = [[address, port] for address in ("127.0.0.1", "127.1.2.3", "::1", "0.0.0.0") for port in (self.infra.port, self.bait.port)]
        self.assert_held("connect", "no address answers: not the cloud's metadata, not the machine's own, not the controller",
                         addresses=[[address, port] for address in addresses for port in ports] + local)
        self.assert_held("unix_sockets", "no socket of the machine is reached",
                         names=[self.bait.abstract, self.bait.path, "/run/systemd/private", "/var/run/docker.sock"])
        another = self.infra.result(self.neighbour, 0)["result"][1]
        self.assert_held("network_of_its_own", "the network is this sandbox's alone, another's AI endpoint is not in it",
                         port=self.infra.port, interfaces=self.interfaces, ai_ports=[int(another.rpartition(":")[2])])

    def test_debuggers(self):
        self.assert_held("inspector", "a runtime's own debugger and internals lead no further than its process")


if __name__ == "__main__":
    main()
