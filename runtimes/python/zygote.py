"""The interpreter that every Python sandbox's runner is forked from. It loads what functions mostly import, once, and then does
nothing but fork: infra's own library makes the sandbox around the child, gives up every privilege in it, and returns here.

    python3 -I -B -u zygote.py <library> <versions folder> <runners folder> <first uid>      with the spawner's socket as descriptor 3
"""

import ctypes
import gc
import io
import signal
import sys
import types

# What functions import most, and what these import in turn; a module that is not needed costs shared memory only.
COMMON = """
abc argparse asyncio base64 bisect collections concurrent.futures contextlib copy csv dataclasses datetime decimal email.message
enum errno fcntl fractions functools glob gzip hashlib heapq hmac html http.client http.cookies inspect io itertools json
json.encoder logging math mimetypes operator os os.path pathlib pickle platform pprint queue random re secrets shutil signal
socket sqlite3 ssl stat statistics string struct subprocess tempfile textwrap threading time traceback types typing unicodedata
urllib.error urllib.parse urllib.request uuid warnings weakref xml.etree.ElementTree zipfile zlib zoneinfo
""".split()


def load_common():
    for name in COMMON:
        try:
            __import__(name)
        except ImportError:  # Debian splits the standard library into packages
            pass


def compile_runner(folder):
    with open(folder + "/python/runner.py", encoding="utf-8") as file:
        return compile(file.read(), "/runtime/runner.py", "exec")


def open_stream(descriptor, name, errors):
    """As `python3 -u` does: the zygote's own was made of whatever the program's output is, and believes to be that still."""
    raw = open(descriptor, "wb", buffering=0, closefd=False)
    raw.name = name
    stream = io.TextIOWrapper(raw, encoding="utf-8", errors=errors, write_through=True)
    stream.mode = "w"
    return stream


def run(runner):
    """As `python3 /runtime/runner.py` would, in this process."""
    sys.stdout = sys.__stdout__ = open_stream(1, "<stdout>", "strict")
    sys.stderr = sys.__stderr__ = open_stream(2, "<stderr>", "backslashreplace")
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv[:] = ["/runtime/runner.py"]
    module = types.ModuleType("__main__")
    module.__file__ = "/runtime/runner.py"
    sys.modules["__main__"] = module
    exec(runner, module.__dict__)


def serve(library, versions, runners, first_uid):
    runner = compile_runner(runners)
    load_common()
    calls = ctypes.PyDLL(library)  # keeps the interpreter's lock: nothing else may run while it forks
    python = ctypes.pythonapi
    gc.collect()
    gc.freeze()  # so that no collection writes to what all share
    if calls.infra_zygote_open(versions.encode(), runners.encode(), int(first_uid)) != 0:
        return None
    while calls.infra_zygote_receive() == 1:
        python.PyOS_BeforeFork()
        if calls.infra_zygote_fork() == 1:
            python.PyOS_AfterFork_Child()
            return runner
        python.PyOS_AfterFork_Parent()
    return None


if __name__ == "__main__":
    found = serve(*sys.argv[1:])
    if found is not None:
        run(found)
