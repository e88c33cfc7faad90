"""Runs one version of a Python function, call after call, inside its sandbox (docs/runner-protocol.md). It may wait for its
first call long before anybody knows which function that will be of: the workspace is not there before.

Everything the runner needs is bound before the user's code is loaded, so that a function that patches json, os, sys or
builtins spoils its own result at most, never the framing.
"""

import _thread
import errno
import fcntl
import importlib
import json
import json.encoder
import os
import sys
import time
import traceback
import types
from builtins import (BaseException, Exception, RecursionError, SystemExit, TypeError, UnicodeEncodeError, ValueError,
                      OSError, any, callable, getattr, hasattr, int, isinstance, len, max, memoryview, min, range, round,
                      str, super, type)

MAX_FRAME = 32 * 1024 * 1024
MOST_FRAMES = 4096  # bytes, which most calls fit into
MAX_RESULT = 6 * 1024 * 1024  # of JSON text, as docs/functions.md says
MAX_MESSAGE = 8 * 1024
EMPTY_FRAME = b"\0\0\0\0"
NO_CALL = {}
THREAD_PATIENCE = 10  # half milliseconds
OWN_FILE = __file__
IMPORTLIB_FILE = importlib.__file__
OWN_FOLDER = os.path.dirname(os.path.abspath(__file__))
# A launcher that can't mount /tmp and /output says where they are instead.
TEMPORARY = os.environ.get("TMPDIR") or "/tmp"
BASE_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": TEMPORARY, "LANG": "C.UTF-8", "TMPDIR": TEMPORARY,
                    "OUTPUT_DIR": os.environ.get("OUTPUT_DIR") or "/output"}

os_read, os_write, os_getpid, os_exit = os.read, os.write, os.getpid, os._exit
os_path_exists, os_path_join, os_chdir = os.path.exists, os.path.join, os.chdir
environ, environ_data, putenv, unsetenv = os.environ, os.environ._data, os.putenv, os.unsetenv
try:
    import ctypes
    c_putenv = ctypes.PyDLL(None).putenv
    c_putenv.argtypes = (ctypes.c_char_p,)
except Exception:  # an interpreter without it
    c_putenv = None
int_from_bytes, int_to_bytes = int.from_bytes, int.to_bytes
wall_time, perf_counter, sleep = time.time, time.perf_counter, time.sleep
count_threads = _thread._count  # all but the main one, those that the module threading does not know of too
format_exception = traceback.format_exception
import_module, importer_cache = importlib.import_module, sys.path_importer_cache
CoroutineType, FunctionType = types.CoroutineType, types.FunctionType
scan_json = json.JSONDecoder().scan_once  # written in C: nothing a function patches reaches it
make_encoder = json.encoder.c_make_encoder
encode_string = json.encoder.encode_basestring
print_out, print_err = sys.stdout, sys.stderr


class Context:
    """What a handler gets as its second argument."""

    def __init__(self, call):
        self.request_id = call["requestId"]
        self.function_id = call["functionId"]
        self.model_id = call.get("modelId", "")
        self.memory_mb = call["memoryMb"]
        self.deadline_ms = call["deadlineMs"]

    def get_remaining_time_ms(self):
        return max(0, int(self.deadline_ms - wall_time() * 1000))

    get_remaining_time_in_millis = get_remaining_time_ms


class Failure(Exception):
    """Why a call has no value, in the protocol's words."""

    def __init__(self, code, message, reusable=True):
        super().__init__(message)
        self.code = code
        self.message = message
        self.reusable = reusable


# --- the control socket


def take_control_socket():
    """Moves the socket away from descriptor 3, where a function could close it or write to it by accident."""
    for lowest in (60, 4):  # the limit on open files may be low; past 63 the kernel takes 10 KiB more for their table
        try:
            moved = fcntl.fcntl(3, fcntl.F_DUPFD_CLOEXEC, lowest)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EMFILE):
                raise
            continue
        os.close(3)
        return moved
    raise OSError(errno.EMFILE, "no free descriptor for the control socket")


def read_exactly(fd, size):
    """The bytes, or None at the end of the stream."""
    parts = []
    while size > 0:
        part = os_read(fd, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read_frame(fd):
    """The next call, or None at the end of the stream. Most come whole with the first read; nothing follows one before its answer.
    An empty frame is leave to rest; if there is nothing else, that is no call."""
    start = os_read(fd, MOST_FRAMES)
    if start == EMPTY_FRAME:
        return NO_CALL
    while start.startswith(EMPTY_FRAME):
        start = start[4:]
    if len(start) < 4:
        rest = read_exactly(fd, 4 - len(start))
        if rest is None:
            return None
        start += rest
    size = int_from_bytes(start[:4], "little")
    if size > MAX_FRAME:
        return None
    body = start[4:]
    if len(body) < size:
        rest = read_exactly(fd, size - len(body))
        if rest is None:
            return None
        body += rest
    return scan_json(body.decode("utf-8"), 0)[0]


def write_frame(fd, text):
    body = to_utf8(text)
    write_all(fd, int_to_bytes(len(body), 4, "little") + body)


def write_all(fd, data):
    done = os_write(fd, data)
    while done < len(data):
        done += os_write(fd, memoryview(data)[done:])


def to_utf8(text):
    """UTF-8, with U+FFFD for surrogates that belong to no pair."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode("utf-8")


# --- values


def reject(value):
    raise TypeError("a value of type " + type(value).__name__)


def encode(value):
    """JSON text. The encoder is made anew: one that failed remembers what it had open."""
    return "".join(make_encoder({}, reject, encode_string, None, ":", ",", False, False, False)(value, 0))


def encode_result(value):
    try:
        text = encode(value)
    except RecursionError:
        raise Failure("result_not_json", "The handler's result is nested too deeply to be JSON.") from None
    except BaseException as error:  # a class of the user's may raise anything while it is being read
        why = describe(error)
        raise Failure("result_not_json", f"The handler returned a {type(value).__name__} that can't be written as JSON: "
                                         f"{why}. Return dicts, lists, strings, finite numbers, booleans or None.") from None
    size = len(to_utf8(text))
    if size > MAX_RESULT:
        raise Failure("result_too_large", f"The handler's result is {size} bytes of JSON; at most {MAX_RESULT} (6 MiB) "
                                          "are allowed.")
    return text


def describe(error):
    """"ValueError: what it says", whatever the exception's own __str__ does."""
    try:
        said = str(error)
    except BaseException:
        said = ""
    name = type(error).__name__
    return (f"{name}: {said}" if said else name)[:MAX_MESSAGE]


# --- the user's code


def print_traceback(error):
    """The traceback to stderr, from the first frame that is the user's."""
    trace = error.__traceback__
    while trace is not None and is_machinery(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    try:
        text = "".join(format_exception(type(error), error, trace))
    except BaseException:
        text = describe(error) + "\n"
    write_stderr(text)


def is_machinery(filename):
    return filename in (OWN_FILE, IMPORTLIB_FILE) or filename.startswith("<frozen ")


def write_stderr(text):
    write_all(2, to_utf8(text))


def flush_output():
    for stream in (print_out, print_err, sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:  # replaced by the function, or closed: its own affair
            pass


def load_handler(workspace):
    if not os_path_exists(os_path_join(workspace, "main.py")):
        raise Failure("import_error", "The bundle has no main.py at its root.", reusable=False)
    try:
        module = import_module("main")
    except SystemExit as error:
        raise Failure("import_error", f"main.py called exit({exit_code(error)}) while it was being loaded.",
                      reusable=False) from None
    except BaseException as error:
        print_traceback(error)
        raise Failure("import_error", f"main.py could not be loaded: {describe(error)}", reusable=False) from None
    for name in ("handler", "main"):
        found = getattr(module, name, None)
        if callable(found):
            return found, count_arguments(found)
    raise Failure("handler_missing", "main.py defines neither handler(event, context) nor main(event, context).",
                  reusable=False)


def count_arguments(handler):
    """How many of (event, context) to pass: 0, 1 or 2."""
    if type(handler) is FunctionType and not hasattr(handler, "__wrapped__"):
        code = handler.__code__
        return 2 if code.co_flags & 0x04 else min(code.co_argcount, 2)  # 0x04: it takes *args
    import inspect  # slow to load, and plain functions do not need it
    try:
        kinds = [parameter.kind for parameter in inspect.signature(handler).parameters.values()]
    except (TypeError, ValueError):
        return 2
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return 2
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return min(len([kind for kind in kinds if kind in positional]), 2)


class Awaiter:
    """One event loop for all calls, so that connections a function keeps stay usable."""

    def __init__(self):
        self.loop = None

    def finish(self, value):
        if not isinstance(value, CoroutineType) and not hasattr(value, "__await__"):
            return value
        import asyncio
        if self.loop is None or self.loop.is_closed():
            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)

        async def wait():
            return await value

        try:
            return self.loop.run_until_complete(wait())
        finally:
            self.release_threads()

    def release_threads(self):
        """The loop's own threads end with the call; the next that needs some gets new ones."""
        executor = getattr(self.loop, "_default_executor", None)
        if getattr(executor, "_thread_name_prefix", None) == "asyncio":  # not one of the function's own
            self.loop._default_executor = None
            executor.shutdown(wait=False)


def exit_code(error):
    code = error.code
    return 0 if code is None else code if isinstance(code, int) else 1


class Function:
    """The loaded version, and what one call of it comes to."""

    def __init__(self, workspace, sdk):
        self.workspace = workspace
        self.sdk = sdk
        self.handler = None
        self.arguments = 2
        self.awaiter = Awaiter()
        self.handler_ms = None
        self.threads_at_rest = 0
        self.given = {}  # the variables of the last call
        self.environment = {}  # what os.environ was then, as bytes
        self.placed = {}

    def call(self, call):
        """The JSON text of the value; Failure if there is none."""
        self.handler_ms = None
        self.set_environment(call["env"])
        event, context = call.get("input"), Context(call)
        self.sdk._begin(event, context)
        if self.handler is None:
            enter_workspace(self.workspace)
            self.handler, self.arguments = load_handler(self.workspace)
            self.threads_at_rest = count_threads()  # what the code started while it was loaded is meant to stay
        if "load" in call:
            return "null"
        return encode_result(self.run(event, context))

    def left(self):
        """Says so if the call left threads; a moment later, if they are just ending."""
        for _ in range(THREAD_PATIENCE):
            if count_threads() <= self.threads_at_rest:
                return ""
            sleep(0.0005)
        return ',"left":"threads"'

    def set_environment(self, env):
        """Most calls find all as it was, but for the values that are their own."""
        os.environ = environ
        if environ_data != self.environment or env.keys() != self.given.keys():
            self.replace_environment(env)
        else:
            for name, value in env.items():
                if value != self.given[name]:
                    self.place(name.encode(), value.encode())
        self.given = env

    def replace_environment(self, env):
        wanted = {name.encode(): value.encode() for name, value in {**BASE_ENVIRONMENT, **env}.items()}
        for name in [*environ_data]:  # the dictionary below os.environ: its methods need builtins that may be patched
            if name not in wanted:
                del environ_data[name]
                unsetenv(name)
        self.environment = {}
        for name, value in wanted.items():
            self.place(name, value)

    def place(self, name, value):
        """Into os.environ and the environment that libraries in C and children see. setenv() keeps every value that ever was, and
        a function is called a million times: what stands there is memory of ours, let go when another value has taken its place."""
        environ_data[name] = self.environment[name] = value
        if c_putenv is None:
            putenv(name, value)
            return
        entry = name + b"=" + value
        c_putenv(entry)
        self.placed[name] = entry

    def run(self, event, context):
        started = perf_counter()
        try:
            value = self.awaiter.finish(self.handler(*(event, context)[:self.arguments]))
            return self.sdk._output() if value is None else value
        except SystemExit as error:
            return self.after_exit(error)
        except BaseException as error:
            print_traceback(error)
            raise Failure("handler_error", describe(error)) from None
        finally:
            self.handler_ms = (perf_counter() - started) * 1000

    def after_exit(self, error):
        code = exit_code(error)
        if code == 0 and self.sdk._has_output():
            return self.sdk._output()
        said = f" ({error.code})" if isinstance(error.code, str) else ""
        raise Failure("exited", f"The handler called exit({code}){said} instead of returning.") from None


# --- the loop


def answer_text(function, call):
    request = encode_string(call["requestId"])
    try:
        value = function.call(call)
    except Failure as failure:
        return (f'{{"requestId":{request},"ok":false,"code":"{failure.code}","message":{encode_string(failure.message)}'
                f'{timing(function)},"reusable":{"true" if failure.reusable else "false"}{function.left()}}}')
    return f'{{"requestId":{request},"ok":true{timing(function)}{function.left()},"value":{value}}}'


def timing(function):
    return "" if function.handler_ms is None else f',"handlerMs":{round(function.handler_ms, 3)}'


def import_sdk():
    """sdk and ai_client are found unless the bundle brings modules of these names."""
    sys.path.append(OWN_FOLDER)
    return import_module("sdk")


def enter_workspace(workspace):
    """The bundle's root comes first. What it has is mounted over the folder that this process has been in so far."""
    os_chdir(workspace)
    if any(os_path_exists(os_path_join(workspace, name)) for name in ("sdk.py", "sdk")):
        sys.modules.pop("sdk", None)
    sys.path.insert(0, workspace)
    importer_cache.pop(workspace, None)  # of when it was empty
    sys.modules["__main__"] = types.ModuleType("__main__")  # this file's names are no function's business


def prepare(workspace, rehearsals=0, folder=OWN_FOLDER):
    """What needs no sandbox. Rehearsals are worth their time where many runners come of one: code that has run often is rewritten
    by the interpreter, counts no more, and so is shared by all. `folder` is where this file really is."""
    for stream in (print_out, print_err):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    function = Function(workspace, import_sdk())
    for _ in range(rehearsals):
        rehearse(function, folder)
    return function


def rehearse(function, folder):
    """What a first call does, as far as that goes without one. A forked runner copies a page when it first writes to it: here nobody
    waits for that."""
    read_end, write_end = os.pipe()
    write_frame(write_end, '{"requestId":"","functionId":"","memoryMb":128,"deadlineMs":0,"env":{},"input":{"a":[1,2.5,null]}}')
    call = read_frame(read_end)
    os.close(read_end)
    os.close(write_end)
    function.handler = rehearse_import(folder).handler
    answer_text(function, call)
    flush_output()
    function.handler = None


def rehearse_import(folder):
    """As of a function's main.py, and nothing is left of it."""
    path, sys.path[:] = sys.path[:], [folder]
    module = import_module("rehearsal")
    sys.path[:] = path
    del sys.modules["rehearsal"]
    importer_cache.pop(folder, None)
    return module


def serve(function, control, wait=None):
    """`wait` is the zygote's: it returns when the control socket has a call, or a signal has come, and gives memory back when the
    worker leaves time for it. Not before the first call, which finds its pages copied by the rehearsal."""
    rehearse(function, OWN_FOLDER)
    own_pid = os_getpid()
    write_frame(control, '{"ready":true}')
    while (call := read_frame(control)) is not None:
        if call:
            text = answer_text(function, call)
            flush_output()
            if os_getpid() != own_pid:  # a child that the function forked came back here: only its parent may answer
                os_exit(0)
            write_frame(control, text)
        if wait is not None:
            wait(control, 0 if call else 1)
    os_exit(0)  # not waiting for threads or exit hooks of the function


if __name__ == "__main__":
    serve(prepare(os.getcwd()), take_control_socket())
