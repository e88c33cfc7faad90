"""A function that tries to get out of its sandbox, a kind of try a call (tests/e2e/test_breakout.py asks, and looks outside).

The event names the try and tells what there is to be found on the machine; the answer is {what was tried: what came of it},
"refused: …", "contained: …" or "ESCAPED: …". As a program (`main.py NAME FACTS`) it prints that answer: so functions of a
language without raw system calls make them.
"""

import contextlib
import ctypes
import errno
import json
import mmap
import os
import re
import resource
import signal
import socket
import stat
import struct
import subprocess
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
MARKER = re.compile(b"CAN" + b"ARY-[0-9a-f]{32}")  # in two parts, so that this file is not taken for a find


def name_of(number):
    return errno.errorcode.get(number, f"error {number}")


def refused(action, *arguments):
    """What came of an action that must fail."""
    try:
        value = action(*arguments)
    except OSError as error:
        return "refused: " + (name_of(error.errno) if error.errno and error.errno > 0 else type(error).__name__)
    except ValueError as error:  # the resource module's word for EPERM
        return f"refused: {error}"
    return f"ESCAPED: it gave {str(value)[:100]}"


def contained(good, what):
    return f"contained: {what}" if good else f"ESCAPED: {what}"


def raw(number, *arguments):
    """A system call. Text becomes a pointer to it, [n] a pointer to n zeroed bytes."""
    kept = []

    def word(argument):
        if isinstance(argument, list):
            argument = bytes(argument[0])
        if isinstance(argument, str):
            argument = argument.encode()
        if isinstance(argument, bytes):
            kept.append(ctypes.create_string_buffer(argument, len(argument) + 1))
            return ctypes.c_void_p(ctypes.addressof(kept[-1]))
        return ctypes.c_long(argument)
    value = LIBC.syscall(ctypes.c_long(number), *map(word, arguments))
    if value < 0:
        raise OSError(ctypes.get_errno(), "")
    return value


def read(path, size=1 << 16):
    with open(path, "rb", buffering=0) as file:
        return file.read(size)


def status_of(pid="self"):
    """/proc/<pid>/status as a dict."""
    return dict(line.split(":\t", 1) for line in read(f"/proc/{pid}/status").decode().splitlines() if ":\t" in line)


def is_powerless(status):
    """Whether a process has no rights beyond those that the function was given."""
    return (set(status["Uid"].split()) == set(status["Gid"].split()) == {"1000"} and status["NoNewPrivs"] == "1" and
            status["Seccomp"] == "2" and not any(int(status[s], 16) for s in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")))


# --- what only data tells: system calls, files and addresses that the test names


def calls(facts):
    return {what: refused(raw, *call) for what, call in facts["calls"].items()}


def read_files(facts):
    return {path: refused(read, path) for path in facts["paths"]}


def write_files(facts):
    found = {}
    for path in facts["paths"]:
        for flags in (os.O_WRONLY, os.O_WRONLY | os.O_CREAT):
            said = refused(os.open, path, flags)
            if found.get(path, "refused").startswith("refused"):
                found[path] = said
    return found


def connect(facts):
    found = {}
    for host, port in facts["addresses"]:
        def tcp():
            with socket.create_connection((host, port), 0.5):
                return "a connection"
        found[f"TCP {host} {port}"] = refused(tcp)

        def udp():
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as sender:
                sender.settimeout(0.5)
                sender.connect((host, port))
                sender.send(b"knock")
                return sender.recv(1)
        found[f"UDP {host} {port}"] = refused(udp)
    return found


def unix_sockets(facts):
    found = {}
    for name in facts["names"]:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_UNIX, kind) as client:
                found[f"{kind.name} {name!r}"] = refused(client.connect, name)
    return found


def kill(facts):
    """Signals to the machine's processes; then to all and to init, which reach this sandbox's own at most."""
    found = {f"process {pid}": refused(os.kill, pid, signal.SIGKILL) for pid in facts["pids"]}
    found |= {f"group {pid}": refused(os.killpg, pid, signal.SIGKILL) for pid in facts["pids"]}
    with contextlib.suppress(ProcessLookupError):  # nobody else is here
        os.kill(-1, signal.SIGCONT)
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGSEGV):
        with contextlib.suppress(PermissionError):  # Landlock's word, where the kernel has it; without it, it does nothing
            os.kill(1, number)
    with subprocess.Popen(["/bin/true"]) as child:  # init answers for orphans: the sandbox still has one
        child.wait()
    found["init"] = contained(os.path.exists("/proc/1"), "init takes no signal from inside")
    return found


def resolve(facts):
    return {name: refused(socket.getaddrinfo, name, 80) for name in facts["names"]}


# --- files


def markers(facts):
    """Reads every readable file outside /usr, and what /proc says of every process, for a marker of the machine's or another's."""
    control, read_files, found = "/tmp/control", 0, []
    write_text(control, "CAN" + "ARY-" + "0" * 32)  # which the search must find, to be one
    for top, folders, files in os.walk("/"):
        if top == "/":
            folders.remove("usr")
        if re.match(r"/proc/(self|thread-self|\d+/task)?$", top):
            folders[:] = [] if top != "/proc/" else folders
        for name in files:
            path = os.path.join(top, name)
            if path.endswith(("/kpageflags", "/clear_refs", "/kmsg")) or path.startswith("/dev/") or "/fd/" in path:
                continue
            with contextlib.suppress(OSError):
                if not os.path.islink(path):
                    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
                    try:
                        read_files += 1
                        if MARKER.search(os.read(fd, 1 << 18)):
                            found.append(path)
                    finally:
                        os.close(fd)
    return {"files": contained(found == [control] and read_files > 50, f"{read_files} files read, markers in {found}")}


def masked(_):
    """The machine's tables in /proc are there for nobody: missing, or empty for being the null device."""
    found = {}
    for name in ("kcore", "keys", "key-users", "locks", "sysrq-trigger", "timer_list", "sched_debug", "kmsg", "kallsyms", "kpagecount",
                 "kpageflags", "config.gz", "slabinfo", "vmallocinfo", "iomem", "ioports", "cmdline"):
        path = "/proc/" + name
        try:
            info = os.stat(path)
            found[path] = contained(info.st_rdev == os.makedev(1, 3) and not read(path), "the null device")
        except OSError as error:
            found[path] = "refused: " + name_of(error.errno)
    return found


def change_tree(_):
    """Changes of the root that are not writes."""
    tries = {"mkdir": (os.mkdir, "/x"), "chmod": (os.chmod, "/usr/bin/env", 0o7777), "chown": (os.chown, "/etc/passwd", 1000, 1000),
             "unlink": (os.unlink, "/etc/passwd"), "rename": (os.rename, "/etc", "/tmp/etc"), "rmdir": (os.rmdir, "/workspace"),
             "utime": (os.utime, "/etc/hosts"), "truncate": (os.truncate, "/etc/hosts", 0), "symlink": (os.symlink, "/x", "/usr/x"),
             "link": (os.link, "/etc/hosts", "/etc/hosts2"), "setxattr": (os.setxattr, "/etc/hosts", "user.x", b"1"),
             "through a symlink": (shell_write, "/tmp/way"), "through a descriptor": (reopen_for_writing, "/etc/hosts")}
    with contextlib.suppress(FileExistsError):
        os.symlink("/etc/hosts", "/tmp/way")
    return {what: refused(*action) for what, action in tries.items()}


def shell_write(path):
    return os.close(os.open(path, os.O_WRONLY))


def reopen_for_writing(path):
    with open(path, "rb") as file:
        return shell_write(f"/proc/self/fd/{file.fileno()}")


def links(facts):
    """Links in /output to what is not the function's: symbolic ones may lie there, and lead to nothing."""
    found = {}
    for number, path in enumerate(facts["paths"]):
        link = f"/output/link-{number}"
        with contextlib.suppress(FileExistsError):
            os.symlink(path, link)
        found["symbolic " + path] = refused(read, link)
        found["hard " + path] = refused(os.link, path, f"/output/hard-{number}")
    for path in ("/etc/passwd", "/usr/bin/env", "/runtime"):
        found["hard " + path] = refused(os.link, path, "/output/hard")
    os.makedirs("/output/deep", exist_ok=True)
    for name, target in (("deep/up", "../../../../.."), ("loop", "loop"), ("proc", "/proc/1/root"), ("\udcff\n*", "/etc")):
        with contextlib.suppress(FileExistsError):
            os.symlink(target, b"/output/" + os.fsencode(name))
    if not os.path.exists("/output/pipe"):  # whoever collects files must not wait for a writer, nor read for ever
        os.mkfifo("/output/pipe")
    found["pipe"] = contained(stat.S_ISFIFO(os.stat("/output/pipe").st_mode), "a pipe, with nobody at its other end")
    with socket.socket(socket.AF_UNIX) as server, contextlib.suppress(OSError):
        server.bind("/output/socket")
    with open("/output/sparse", "wb") as sparse:
        os.truncate(sparse.fileno(), 60 << 20)
    return found


def set_id_programs(_):
    """Programs that would run as root elsewhere."""
    found = {}
    for name in ("su", "mount", "passwd", "newgrp", "gpasswd", "chsh"):
        path = "/usr/bin/" + name
        if not os.path.exists(path):
            found[path] = "refused: ENOENT"
            continue
        child = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found[path] = contained(is_powerless(status_of(child.pid)), "it runs with the function's own rights")
        child.kill()
        child.communicate()
    with contextlib.suppress(FileNotFoundError):
        os.unlink("/tmp/own")
    with open("/tmp/own", "wb") as own:
        own.write(read("/usr/bin/cat", 1 << 20))
    os.chmod("/tmp/own", 0o6755)
    found["chown to root"] = refused(os.chown, "/tmp/own", 0, 0)
    found["file capabilities"] = refused(os.setxattr, "/tmp/own", "security.capability", struct.pack("<5I", 0x02000001, 1 << 21, 0, 0, 0))
    return found | {"an own program with the bits": status_of_a_run(["/tmp/own", "/proc/self/status"])}


def status_of_a_run(command, **more):
    text = subprocess.run(command, capture_output=True, check=True, **more).stdout.decode()
    return contained(is_powerless(dict(line.split(":\t", 1) for line in text.splitlines())), "it runs with the function's own rights")


def run_from_memory(_):
    fd = os.memfd_create("program", 0)
    os.write(fd, read("/usr/bin/cat", 1 << 20))
    return {"memfd": status_of_a_run([f"/proc/self/fd/{fd}", "/proc/self/status"], pass_fds=[fd])}


# --- processes and rights


def others(_):
    """Whose processes /proc shows."""
    numbers = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    children = {n for n in numbers if n in (1, os.getpid(), os.getppid()) or status_of(n)["Uid"].startswith("1000")}
    found = {"/proc": contained(len(numbers) < 10 and set(numbers) == children, f"{len(numbers)} processes, all of this sandbox")}
    for path in ("/proc/1/mem", "/proc/1/environ", "/proc/1/maps", "/proc/1/auxv", "/proc/1/stack", "/proc/1/syscall", "/proc/1/io",
                 "/proc/1/pagemap", "/proc/1/ns/mnt", "/proc/1/task/1/mem", "/proc/1/root/etc/hosts",
                 "/proc/1/cwd/etc/hosts", "/proc/1/exe"):
        found[path] = refused(read, path)
    for path in ("/proc/1/fd", "/proc/1/map_files", "/proc/1/fdinfo"):
        found[path] = refused(os.listdir, path)
    for name in ("root", "cwd", "exe", "ns/net", "ns/user"):
        found[f"link /proc/1/{name}"] = refused(os.readlink, f"/proc/1/{name}")
    return found


def control_groups(_):
    """What the function sees of its control groups: that it is in some, and nothing of where these are.

    Init may be outside: that is told by the way up there, which names nothing but a leaf of ours."""
    found = {}
    for process in ("self", "1"):
        known = {""} if process == "self" else {"", "..", "main"}
        for line in read(f"/proc/{process}/cgroup").decode().splitlines():
            found[f"{process} {line.split(':')[1] or 'v2'}"] = contained(set(line.split(":", 2)[2].split("/")) <= known, line)
    found["mounts"] = contained(" - cgroup" not in read("/proc/self/mountinfo").decode(), "no control group is mounted")
    return found | {"another namespace": refused(os.readlink, "/proc/1/ns/cgroup")}


def rights(_):
    """More rights for this process."""
    found = {"at first": contained(is_powerless(status_of()), "no capability, no way to new privileges, filtered")}
    for what, action in {"setuid": (os.setuid, 0), "setgid": (os.setgid, 0), "setresuid": (os.setresuid, 0, 0, 0),
                         "setreuid": (os.setreuid, -1, 0), "seteuid of another slot": (os.seteuid, 1_000_001),
                         "setgroups": (os.setgroups, [0]), "initgroups": (os.initgroups, "root", 0)}.items():
        found[what] = refused(action[0], *action[1:])
    pr_set_keepcaps, pr_capbset_drop, pr_set_securebits, pr_set_mm, pr_set_no_new_privs, pr_cap_ambient = 8, 24, 28, 35, 38, 47
    for what, arguments in {"bounding set": (pr_capbset_drop, 0), "secure bits": (pr_set_securebits, 0x2f), "memory map": (pr_set_mm, 1, 0),
                            "no_new_privs off": (pr_set_no_new_privs, 0, 0, 0, 0), "ambient": (pr_cap_ambient, 2, 21, 0, 0)}.items():
        found["prctl " + what] = refused(raw, 157, *arguments)
    LIBC.prctl(pr_set_keepcaps, 1, 0, 0, 0)
    LIBC.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE
    return found | {"in the end": contained(is_powerless(status_of()), "still no rights")}


def priorities(_):
    """Taking from others by priority, limits, or a better place before the OOM killer."""
    idle, param = os.sched_getscheduler(0), os.sched_param(10)
    found = {"real time": refused(os.sched_setscheduler, 0, os.SCHED_FIFO, param),
             "round robin": refused(os.sched_setscheduler, 0, os.SCHED_RR, param),
             "nice": refused(os.setpriority, os.PRIO_PROCESS, 0, -5),
             "oom_score_adj": refused(write_text, "/proc/self/oom_score_adj", "-1000")}
    for name in ("RLIMIT_NOFILE", "RLIMIT_CORE", "RLIMIT_FSIZE", "RLIMIT_MSGQUEUE", "RLIMIT_MEMLOCK"):
        _, hard = resource.getrlimit(getattr(resource, name))
        found[name] = refused(resource.setrlimit, getattr(resource, name), (hard, hard + 1))
    # Init ends the sandbox when its time is over: whoever takes the processor from it stays longer.
    for what, action in {"limits": (resource.prlimit, 1, resource.RLIMIT_NOFILE, (9, 9)),
                         "idle": (os.sched_setscheduler, 1, os.SCHED_IDLE, os.sched_param(0)),
                         "sched_setattr": (raw, 314, 1, struct.pack("<IIQiIQQQ", 48, os.SCHED_IDLE, 0, 0, 0, 0, 0, 0), 0),
                         "sched_setparam": (os.sched_setparam, 1, os.sched_param(0)), "nice": (os.setpriority, os.PRIO_PROCESS, 1, 19),
                         "nice by group": (os.setpriority, os.PRIO_PGRP, 1, 19), "nice by user": (os.setpriority, os.PRIO_USER, 0, 19),
                         "nice in 64 bits": (raw, 141, 1 << 32, (1 << 32) + 1, 19),
                         "idle in 64 bits": (raw, 144, (1 << 32) + 1, 5, [4])}.items():
        found[f"init: {what}"] = refused(*action)
    return found | {"in the end": contained(os.sched_getscheduler(0) == idle, "the scheduler is the usual one")}


def write_text(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def timers(_):
    """As many timers and queued signals as there are, kept: the kernel counts them for root, too."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGRTMIN})
    numbers = [0, 0]
    while numbers[0] < 200_000 and LIBC.timer_create(time.CLOCK_MONOTONIC, None, ctypes.byref(ctypes.c_void_p())) == 0:
        numbers[0] += 1
    with contextlib.suppress(OSError):
        while numbers[1] < 200_000:
            raw(129, os.getpid(), signal.SIGRTMIN, struct.pack("<iii", signal.SIGRTMIN, 0, -1) + bytes(116))
            numbers[1] += 1
    return {"timers and queued signals": contained(sum(numbers) < 1000, f"{numbers} until refused")}


def core_dump(_):
    """A crash writes nothing, neither here nor through the machine's core_pattern."""
    child = os.fork()
    if child == 0:
        os.chdir("/tmp")
        os.abort()
    _, status = os.waitpid(child, 0)
    return {"core": contained(not os.WCOREDUMP(status) and not any("core" in name for name in os.listdir("/tmp")), "no core was written")}


def child_dies_or_fails(action):
    """What came of `action` in a child, for tries that the kernel may answer with a signal."""
    child = os.fork()
    if child == 0:
        code = 255
        with contextlib.suppress(BaseException):
            code = min(action(), 255)
        os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "refused: " + signal.Signals(os.WTERMSIG(status)).name
    code = os.WEXITSTATUS(status)
    return f"refused: {name_of(code)}" if code else "ESCAPED: the call went through"


def machine_code(code):
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    value = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
    return -value if value < 0 else 0


def other_abi(_):
    """The filter is of 64-bit calls: the 32-bit table and x32 must not lead past it."""
    mkdir_32 = b"\x53\xb8\x27\0\0\0\x31\xdb\x31\xc9\xcd\x80\x5b\xc3"  # mkdir(NULL, 0), EFAULT if it is let in
    getpid_32 = b"\xb8\x14\0\0\0\xcd\x80\x31\xc0\xc3"
    return {"int 0x80 mkdir": child_dies_or_fails(lambda: machine_code(mkdir_32)),
            "int 0x80 getpid": child_dies_or_fails(lambda: machine_code(getpid_32)),
            "x32 getpid": child_dies_or_fails(lambda: failing_errno(0x40000000 + 39)),
            "x32 ptrace": child_dies_or_fails(lambda: failing_errno(0x40000000 + 521, 0))}


def failing_errno(*call):
    try:
        raw(*call)
    except OSError as error:
        return error.errno
    return 0


def descriptors(_):
    """Nothing of the worker's is open here: the null device, two pipes, and one socket of this runner's."""
    kinds = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            kinds.append(re.sub(r"[:\d\[\]]", "", os.readlink(f"/proc/self/fd/{name}")))
    good = set(kinds) <= {"/dev/null", "pipe", "socket", "anon_inodeeventfd", "anon_inodeeventpoll", "anon_inodeeventpoll", "/proc//fd",
                          "/workspace/main.py"} and kinds.count("socket") <= 1
    return {"descriptors": contained(good, f"{sorted(kinds)}")}


def inspector(_):
    """Python's own ways into a process: its memory, and a file that a debugger of another would load."""
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(id(memory))
        found = {"its own memory": contained(len(memory.read(8)) == 8, "may be read, being its own")}
    found["init's memory"] = refused(open, "/proc/1/mem", "r+b")
    lent = "runner" in sys.modules or hasattr(sys.modules["__main__"], "serve")
    found["a module of the runner"] = contained(not lent, "its names are not lent")
    found["a library"] = refused(ctypes.CDLL, "/proc/1/root/lib/x86_64-linux-gnu/libc.so.6")
    return found


def network_of_its_own(facts):
    """The controller's port can be had here, because this network is another one."""
    tables = [line.split() for name in ("tcp", "tcp6") for line in read(f"/proc/net/{name}").decode().splitlines()[1:]]
    listening = {int(row[1].rpartition(":")[2], 16) for row in tables if row[3] == "0A"}
    own = int(os.environ["AI_ENDPOINT"].rpartition(":")[2]) if os.environ.get("AI_ENDPOINT") else None
    found = {"listeners": contained(listening <= {own}, "the AI endpoint is all that listens")}
    interfaces = [line.split(":")[0].strip() for line in read("/proc/net/dev").decode().splitlines()[2:]]
    found["interfaces"] = contained(interfaces == facts["interfaces"], str(interfaces))
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if facts["port"] != own:
            server.bind(("0.0.0.0", facts["port"]))
            server.listen()
        found["the controller's port"] = contained(True, "bound in this network alone")
    for port in facts["ai_ports"]:
        if port != own:
            found[f"another's AI endpoint {port}"] = refused(socket.create_connection, ("127.0.0.1", port), 0.5)
    return found


TRIES = {action.__name__: action for action in (
    calls, read_files, write_files, connect, unix_sockets, kill, resolve, markers, masked, change_tree, links, set_id_programs,
    run_from_memory, others, control_groups, rights, priorities, timers, core_dump, other_abi, descriptors, inspector, network_of_its_own)}


def be_sure_of_the_sandbox():
    """What follows would take the machine down if nothing held it."""
    if not is_powerless(status_of()):
        raise RuntimeError("ESCAPED: this is no sandbox")


def handler(event, context):
    be_sure_of_the_sandbox()
    if event["try"] in TRIES:
        return TRIES[event["try"]](event)
    import bombs
    return getattr(bombs, event["try"])(event)


if __name__ == "__main__":
    be_sure_of_the_sandbox()
    print(json.dumps(TRIES[sys.argv[1]](json.loads(sys.argv[2]))))
