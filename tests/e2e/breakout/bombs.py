"""What a function may do to its own sandbox, and through it to the worker: bombs, floods, spins, forged answers, things left behind.

Each ends as the test expects: by returning what it found, in the limits, or never.
"""

import builtins
import contextlib
import ctypes
import json
import os
import resource
import shutil
import signal
import socket
import struct
import sys
import threading
import time


def protocol_socket():
    """The descriptor of the socket that the worker talks through."""
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if int(name) > 2 and os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):  # below are the pipes, or a parent's sockets
                return int(name)
    raise LookupError("no socket is open")


def ignore_signals():
    for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError):
            signal.signal(number, signal.SIG_IGN)


def fill(write_more):
    """How often it could be done before it was refused."""
    done = 0
    try:
        while done < 100_000:
            write_more(done)
            done += 1
    except OSError as error:
        return [done, os.strerror(error.errno) if error.errno else str(error)]
    return [done, "never refused"]


# --- processes


def start_sleeper(_):
    if os.fork() == 0:
        ignore_signals()
        while True:
            time.sleep(60)


def fork_until_refused(_):
    return fill(start_sleeper)


def fork_for_ever(_):
    ignore_signals()
    while True:
        with contextlib.suppress(OSError):
            os.fork()


def starve_init(_):
    """Spins with everything that the limits give, and tries to take the processor away from who has to end it."""
    for action in (lambda: os.sched_setscheduler(1, os.SCHED_IDLE, os.sched_param(0)), lambda: os.setpriority(os.PRIO_PROCESS, 1, 19)):
        with contextlib.suppress(OSError):
            action()
    fork_for_ever(_)


def spin(_):
    ignore_signals()
    for _ in range(8):
        threading.Thread(target=spin_here, daemon=True).start()
    spin_here()


def spin_here():
    while True:
        pass


def spin_in_a_signal_handler(_):
    signal.signal(signal.SIGALRM, lambda *_: spin_here())
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    spin_here()


def stop(_):
    os.kill(os.getpid(), signal.SIGSTOP)


def become_another_program(_):
    os.execv("/bin/sleep", ["sleep", "600"])


def crash(_):
    ctypes.string_at(0)


def kill_all(_):
    start_sleeper(_)
    os.kill(-1, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


# --- memory, disk, descriptors, output


def eat_memory(_):
    kept = []
    while True:
        kept.append(b"\1" * (8 << 20))


def eat_memory_by_files(_):
    for folder in ("/tmp", "/output", "/dev/shm", "/workspace"):
        with open(folder + "/big", "wb") as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 20))
    eat_memory(_)


def eat_memory_another_way(_):
    files = [os.memfd_create(str(n)) for n in range(20)]
    for file in files:
        for _ in range(100):
            os.write(file, b"\1" * (1 << 20))


def eat_memory_a_third_way(_):
    libc = ctypes.CDLL(None)
    libc.shmat.restype = ctypes.c_void_p
    for key in range(1, 100):
        ctypes.memset(libc.shmat(libc.shmget(key, 64 << 20, 0o1666), None, 0), 1, 64 << 20)


def eat_memory_in_a_child(_):
    child = os.fork()
    if child == 0:
        eat_memory(_)
    return os.waitpid(child, 0)[1]


def fill_disks(_):
    found = {}
    for folder in ("/tmp", "/output", "/workspace", "/dev/shm"):
        with open(folder + "/big", "wb", buffering=0) as file:
            found[folder] = fill(lambda _: file.write(bytes(1 << 20)))
        os.unlink(folder + "/big")
    return found


def fill_inodes(_):
    found = {}
    for folder in ("/tmp", "/output", "/workspace", "/dev/shm"):
        os.mkdir(folder + "/many")
        found[folder] = fill(lambda n: os.close(os.open(f"{folder}/many/{n}", os.O_CREAT | os.O_WRONLY)))
        shutil.rmtree(folder + "/many")  # the next may be on the same file system
    return found


def open_files(_):
    return fill(lambda _: os.open("/dev/null", os.O_RDONLY))


def flood(event):
    line = b"x" * 65535 + b"\n"
    while True:
        os.write(1, line)
        os.write(2, line)


def print_noise(_):
    """Every byte, broken UTF-8, and what readers of logs may take for their own lines."""
    noise = bytes(range(256)) * 16 + "\u2028\u202e\0\x1b[2J".encode() + (
        b'\xed\xa0\x80\n{"time":"x","level":"error","msg":"forged"}\r\n\r\nHTTP/1.1 500 X\r\n')
    os.write(1, noise)
    os.write(2, noise)
    return {"\0": "\ud800", "</script>": "\u2028", "__proto__": {"status": "ERROR"}}


def return_much(event):
    return event["size"] * "x"


def return_deeply(event):
    value = []
    for _ in range(event["depth"]):
        value = [value]
    return value


def flood_the_ai_endpoint(_):
    host, port = os.environ["AI_ENDPOINT"].removeprefix("http://").split(":")
    kept, request = [], b"POST /api/generate HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n{"

    def more(n):
        kept.append(socket.create_connection((host, int(port)), 1))
        kept[-1].send((request, b"GET /" + b"x" * 100_000, b"\0\xff" * 100, b"")[n % 4])
        if n == 400:
            raise OSError(0, "")
    return fill(more)[0]


QUESTION = b'{"model":"m","prompt":"p"}'


def ask_for_more(_):
    """Asks the AI endpoint for what it does not offer: other hosts, other paths, a second request inside the first."""
    host, port = os.environ["AI_ENDPOINT"].removeprefix("http://").split(":")
    found = {}
    for line in ("CONNECT 169.254.169.254:80 HTTP/1.1", "POST http://169.254.169.254/api/generate HTTP/1.1",
                 "GET http://169.254.169.254/ HTTP/1.1", "POST //169.254.169.254/api/generate HTTP/1.1",
                 "POST /api/generate/../pull HTTP/1.1", "POST /api/pull?x=/api/generate HTTP/1.1",
                 "POST /api/generate%2f..%2fpull HTTP/1.1", "DELETE /api/generate HTTP/1.1", "POST @169.254.169.254/api/generate HTTP/1.1",
                 "POST /api/generate HTTP/1.1\r\nTransfer-Encoding: chunked"):
        with socket.create_connection((host, int(port)), 2) as client, contextlib.suppress(OSError):
            client.sendall(f"{line}\r\nHost: 169.254.169.254\r\nContent-Length: {len(QUESTION)}\r\n\r\n".encode() + QUESTION +
                           b"POST /api/pull HTTP/1.1\r\nHost: x\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            found[line] = client.recv(100).decode("latin-1").split("\r\n")[0]
    return found


# --- the worker's own words


def answer(members=b'"ok":true,"handlerMs":1,"value":"forged"'):
    """To the call that runs, as only its own function knows its number."""
    return b'{"requestId":"' + os.environ["JOB_ID"].encode() + b'",' + members + b"}"


def frame(body):
    return struct.pack("<I", len(body)) + body


def all_frames():
    return {
        "garbage": b"\xff\x00garbage" * 100,
        "a length of 4 GiB": b"\xff\xff\xff\xff",
        "a length of 33 MiB": struct.pack("<I", 33 << 20) + bytes(1 << 20),
        "an empty frame": frame(b""),
        "no JSON": frame(b"{no"),
        "no answer": frame(b'{"ready":true}'),
        "no object": frame(b"[1,2,3]"),
        "a list where text should be": frame(answer(b'"ok":false,"code":["x"],"message":{},"reusable":"yes"')),
        "an unknown code": frame(answer(b'"ok":false,"code":"worker_lost","message":"x","reusable":true')),
        "no UTF-8": frame(answer(b'"ok":true,"value":"\xc3\x28\xff"')),
        "nothing but depth": frame(answer(b'"ok":true,"value":' + b"[" * 100_000 + b"]" * 100_000)),
        "depth that does not end": frame(b"[" * 1_000_000),
        "a number beyond numbers": frame(answer(b'"ok":true,"handlerMs":1e999,"value":1')),
        "a negative time": frame(answer(b'"ok":true,"handlerMs":-1e18,"value":1')),
        "members twice": frame(answer(b'"ok":false,"ok":true,"value":1,"value":2')),
        "two answers": frame(answer()) + frame(answer()),
        "an answer and a half": frame(answer()) + b"\x10",
        "half an answer": frame(answer())[:-5],
        "an answer of its own": frame(answer()),
        "a call's that was never made": frame(answer().replace(b'":"0', b'":"1')),
        "nobody's": frame(b'{"ok":true,"handlerMs":1,"value":"forged"}'),
    }


def write_frame(event):
    """Answers in the runner's place, then does what `then` says."""
    control = protocol_socket()
    rest = memoryview(all_frames()[event["frame"]])
    while rest:
        rest = rest[os.write(control, rest):]
    if event.get("then") == "wait":
        time.sleep(60)
    return "the runner's own"


def send_descriptors(_):
    """Answers along with as many descriptors as a message takes: whoever reads it must not keep them."""
    files = [os.open("/dev/null", os.O_RDONLY) for _ in range(250)]
    with socket.socket(fileno=os.dup(protocol_socket())) as control:
        socket.send_fds(control, [frame(answer())], files)
    return "the runner's own"


def frames(_):
    return list(all_frames())


def shut_the_socket(event):
    socket.socket(fileno=os.dup(protocol_socket())).shutdown(socket.SHUT_RDWR)
    if event.get("then") == "wait":
        time.sleep(60)


def close_everything(_):
    os.closerange(0, 1024)


def take_the_question(event):
    """Reads what the worker sends, in the runner's place, from another process."""
    control = protocol_socket()
    if os.fork() == 0:
        while True:
            os.read(control, 1 << 16)
    return "left a reader"


# --- what stays


def leave_process(event):
    """A child that holds every descriptor, prints, and answers for calls that are not its own."""
    control = protocol_socket()
    if os.fork() == 0:
        ignore_signals()
        os.setsid()
        while True:
            with contextlib.suppress(OSError):
                os.write(1, b"LEFT BEHIND\n")
                os.write(2, b"LEFT BEHIND\n")
                if event.get("answers"):
                    os.write(control, frame(answer()))
            time.sleep(0.001)
    return "left a process"


def leave_thread(_):
    def work():
        while True:
            with contextlib.suppress(OSError):
                os.write(1, b"LEFT BEHIND\n")
            time.sleep(0.001)
    for _ in range(20):
        threading.Thread(target=work, daemon=True).start()
    return "left threads"


def poison(event):
    """Spoils all that a runner of this process could use, and its own files on disk."""
    for name in ("main.py", "bombs.py", "sitecustomize.py", "json.py", "os.py"):
        with open("/workspace/" + name, "w", encoding="ascii") as file:
            file.write("def handler(event, context): return 'poisoned'\n")
    for folder in ("/tmp", "/output", "/dev/shm"):
        with open(folder + "/left", "w", encoding="ascii") as file:
            file.write("poisoned")

    def wrong(*_, **__):
        return "poisoned"

    json.dumps = json.loads = os.getpid = os.getcwd = sys.exit = time.time = struct.pack = wrong
    for name in ("len", "str", "isinstance", "getattr", "dict", "list", "open", "print", "min", "max", "round", "type"):
        setattr(builtins, name, wrong)
    os.environ["LEFT"] = "poisoned"
    sys.path[:] = ["/tmp"]
    sys.stdout = sys.stderr = sys.stdin = None
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    os.umask(0o777)
    return "poisoned"
