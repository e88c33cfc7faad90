"""The interpreter that every Python sandbox's runner is forked from. It loads what functions mostly import and the runner itself,
once, and then does nothing but fork: infra's own library puts the child into its sandbox, gives up every privilege in it, and
returns here. What is done before the fork costs a sandbox no time, and memory that all share.

    python3 -I -B -u zygote.py <library> <runners folder> [<folder>]      with the spawner's socket as descriptor 3

Where interpreters look for packages there is nothing while this one starts: nobody's code runs in it. If runners have packages
there, <folder> says where.
"""

import sys

START_UP = frozenset(sys.modules)

import ctypes
import gc
import importlib.util
import io
import os

# What functions import most, and what these import in turn; a module that is not needed costs shared memory only.
COMMON = """
abc argparse asyncio base64 bisect collections concurrent.futures contextlib copy csv dataclasses datetime decimal email.message
enum errno fcntl fractions functools glob gzip hashlib heapq hmac html http.client http.cookies inspect io itertools json
json.encoder logging math mimetypes operator os os.path pathlib pickle platform pprint queue random re secrets shutil signal
socket sqlite3 ssl stat statistics string struct subprocess tempfile textwrap threading time traceback types typing unicodedata
urllib.error urllib.parse urllib.request uuid warnings weakref xml.etree.ElementTree zipfile zlib zoneinfo
""".split()


REHEARSALS = 16  # the interpreter has rewritten a function after some eight calls


class ForkHooks:
    """What modules register with os.register_at_fork() while they are loaded is for the forks of functions. For its own the zygote has
    no thread that could have held a lock; to renew all of them would write to 60 pages that a runner does not copy otherwise."""

    def __init__(self):
        self.are_on = False
        self.register = os.register_at_fork

    def __enter__(self):
        os.register_at_fork = self.guard
        return self

    def __exit__(self, *_):
        os.register_at_fork = self.register

    def guard(self, **hooks):
        self.register(**{when: self.guarded(hook) for when, hook in hooks.items()})

    def guarded(self, hook):
        return lambda: hook() if self.are_on else None


def load_common():
    for name in COMMON:
        try:
            __import__(name)
        except ImportError:  # Debian splits the standard library into packages
            pass


def load(folder):
    """The runner, as if it came from where a sandbox has that."""
    spec = importlib.util.spec_from_file_location("runner", "/runtime/runner.py")
    module = importlib.util.module_from_spec(spec)
    module.SOURCES, module.START_UP = folder, START_UP
    with open(f"{folder}/runner.py", encoding="utf-8") as file:
        exec(compile(file.read(), module.__file__, "exec"), module.__dict__)
    return module


def open_stream(descriptor, name, errors):
    """As `python3 -u` does for one of a runner's pipes. The zygote's own are whatever the program's output is."""
    read_end, write_end = os.pipe()
    own = os.dup(descriptor)
    os.dup2(write_end, descriptor)
    raw = open(descriptor, "wb", buffering=0, closefd=False)
    raw.name = name
    stream = io.TextIOWrapper(raw, encoding="utf-8", errors=errors, write_through=True)
    stream.mode = "w"
    os.dup2(own, descriptor)
    for used in (read_end, write_end, own):
        os.close(used)
    return stream


def load_runner(folder):
    """The runner, ready to serve."""
    sys.stdout = sys.__stdout__ = open_stream(1, "<stdout>", "strict")
    sys.stderr = sys.__stderr__ = open_stream(2, "<stderr>", "backslashreplace")
    runner = load(folder)
    runner.__name__ = "__main__"
    return runner


def become_script(runner):
    """What `python3 /runtime/runner.py` would find. Before the fork, as it is the same for all."""
    sys.path[:] = [folder for folder in sys.path if not folder.startswith("/usr/local/")]  # no sandbox shows it
    sys.argv[:] = ["/runtime/runner.py"]
    sys.modules["__main__"] = runner


def serve(library, runners, packages=None):
    folder = f"{runners}/python"
    with ForkHooks() as hooks:
        runner = load_runner(folder)  # first, so that what every call touches lies close together
        load_common()
        function = runner.prepare("/workspace", REHEARSALS, folder)
    calls = ctypes.PyDLL(library)  # keeps the interpreter's lock: nothing else may run while it forks
    wait = ctypes.CDLL(library).infra_zygote_wait  # lets go of it
    wait.argtypes, wait.restype = (ctypes.c_int, ctypes.c_int), None
    receive, fork = calls.infra_zygote_receive, calls.infra_zygote_fork
    random = sys.modules["random"]
    seed = super(random.Random, random._inst).seed  # its hook's, without what that does for one that has been drawn from
    become_script(runner)
    gc.collect()
    gc.freeze()  # so that no collection writes to what all share
    if calls.infra_zygote_open() != 0:
        return
    while receive() == 1:
        control = fork()
        if control > 0:
            hooks.are_on = True
            seed()
            runner.serve(function, control, wait, packages)  # does not return


if __name__ == "__main__":
    serve(*sys.argv[1:])
