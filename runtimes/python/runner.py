"""Runs one version of a Python function, call after call, inside its sandbox (docs/runner-protocol.md). It may wait for its
first call long before anybody knows which function that will be of: the workspace is not there before.

Everything the runner needs is bound before the user's code is loaded, so that a function that patches json, os, sys or
builtins spoils its own result at most, never the framing.
"""

import sys

# Where the runner is forked, the zygote has said these: it reads the files elsewhere, and has loaded more than an interpreter does at
# its start.
OWN_FOLDER = __file__.rpartition("/")[0]
SOURCES = globals().get("SOURCES", OWN_FOLDER)
START_UP = globals().get("START_UP") or frozenset(sys.modules)

import _thread
import os
import site
import time
import types
from builtins import (BaseException, OSError, SystemExit, getattr, hasattr, isinstance, open, range, round, str)

PARTS = ("values", "frames", "environment", "streams", "user_code", "plain_script")


def load_parts():
    """Files beside this one, as modules that nobody else can import: they stand among the others only while they are loaded."""
    for name in PARTS:
        module = sys.modules[name] = types.ModuleType(name)
        module.__file__ = f"{OWN_FOLDER}/{name}.py"
        with open(f"{SOURCES}/{name}.py", "rb") as file:
            exec(compile(file.read(), module.__file__, "exec"), module.__dict__)
    return [sys.modules.pop(name) for name in PARTS]


values, frames, environment, streams, user_code, plain_script = load_parts()
Failure, encode_string = values.Failure, values.encode_string

THREAD_PATIENCE = 10  # half milliseconds
MODULES = f"{OWN_FOLDER}/modules"  # sdk and ai_client
# A launcher that can't mount the operator's packages where interpreters look for them says where they are, or that there are none.
UNMOUNTED_PACKAGES = os.environ.get("INFRA_PYTHON_PACKAGES")

os_exit, os_unlink, os_open, os_close = os._exit, os.unlink, os.open, os.close
os_getcwd, os_chdir = os.getcwd, os.chdir
WRITE_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
perf_counter, sleep = time.perf_counter, time.sleep
count_threads = _thread._count  # all but the main one, those that the module threading does not know of too
CoroutineType = types.CoroutineType


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


class Function:
    """The loaded version, and what one call of it comes to."""

    def __init__(self, workspace, sdk):
        self.workspace = workspace
        self.sdk = sdk
        self.is_loaded = False
        self.handler = None  # once it is loaded there is none in a plain script
        self.arguments = 2
        self.awaiter = Awaiter()
        self.handler_ms = None
        self.end = None  # what a process that the call forked exits with, if it comes back to the runner
        self.threads_at_rest = 0
        self.payload = None  # the call's file, which goes with it
        self.folder = None  # the working directory, as the code has left it when it was loaded
        self.environment = environment.Environment(**child_variables())
        self.streams = streams.Streams()

    def call(self, call):
        """The rest of the answer, as JSON; Failure if it is that the call failed."""
        self.handler_ms, self.end = None, 1
        self.give_payload(call)
        self.environment.set(call["env"])
        self.streams.restore()
        if self.folder is not None:
            self.restore_folder()
        event, context = call.get("input"), make_context(self.sdk, call)
        self.sdk._begin(event, context)
        if not self.is_loaded:
            self.load()
        if "load" in call:
            self.end = 0
            return '"value":null'
        if self.handler is None:
            return self.run_script(call)
        return f'"value":{values.encode_result(self.run(event, context))}'

    def load(self):
        user_code.enter(self.workspace, START_UP)
        self.handler = user_code.load(self.workspace)
        if self.handler is not None:
            self.arguments = user_code.count_arguments(self.handler)
        self.is_loaded = True
        self.environment.keep()
        self.streams.keep()
        self.folder = os_getcwd()
        self.threads_at_rest = count_threads()  # what the code started while it was loaded is meant to stay

    def restore_folder(self):
        try:
            if os_getcwd() == self.folder:
                return
        except OSError:  # it is gone
            pass
        os_chdir(self.folder)

    def give_payload(self, call):
        """A file with the input, if it is too large for a variable, and there is room for it."""
        env = call["env"]
        if "PAYLOAD" in env or "load" in call:
            return
        path = f"{environment.TEMPORARY}/payload-{call['requestId']}.json"
        try:
            file = os_open(path, WRITE_NEW, 0o600)
            try:
                frames.write_all(file, values.to_utf8(frames.without_limit(values.encode, call.get("input"), True)))
            finally:
                os_close(file)
            env["PAYLOAD_FILE"] = path
        except OSError:
            pass
        self.payload = path

    def take_payload(self):
        if self.payload is not None:
            try:
                os_unlink(self.payload)
            except OSError:  # the function has
                pass
            self.payload = None

    def run_script(self, call):
        if "PAYLOAD" not in call["env"] and "PAYLOAD_FILE" not in call["env"]:
            raise Failure("handler_error", f"There was no room in {environment.TEMPORARY} for the script's input, which is too large "
                                           "for the variable PAYLOAD.")
        started = perf_counter()
        try:
            exit_code = plain_script.run(call, self.environment.held)
        finally:
            self.handler_ms = (perf_counter() - started) * 1000
        return f'"plain":true,"exitCode":{exit_code}'

    def left(self):
        """Says so if the call left threads; a moment later, if they are just ending."""
        for _ in range(THREAD_PATIENCE):
            if count_threads() <= self.threads_at_rest:
                return ""
            sleep(0.0005)
        return ',"left":"threads"'

    def run(self, event, context):
        started = perf_counter()
        try:
            value = self.awaiter.finish(self.handler(*(event, context)[:self.arguments]))
            self.end = 0
            return self.sdk._output() if value is None else value
        except SystemExit as error:
            self.end = error.code
            return self.after_exit(error)
        except BaseException as error:
            user_code.print_traceback(error)
            raise Failure("handler_error", values.describe(error)) from None
        finally:
            self.handler_ms = (perf_counter() - started) * 1000

    def after_exit(self, error):
        code = user_code.exit_code(error)
        if code == 0 and self.sdk._has_output():
            return self.sdk._output()
        said = f" ({error.code})" if isinstance(error.code, str) else ""
        raise Failure("exited", f"The handler called exit({code}){said} instead of returning.") from None


def make_context(sdk, call):
    return sdk.Context(request_id=call["requestId"], function_id=call["functionId"], model_id=call.get("modelId", ""),
                       memory_mb=call["memoryMb"], deadline_ms=call["deadlineMs"], **sdk._trace_of(call.get("traceparent", "")))


# --- the loop


def answer_text(function, call):
    request = encode_string(call["requestId"])
    try:
        rest = function.call(call)
    except Failure as failure:
        return (f'{{"requestId":{request},"ok":false,"code":"{failure.code}","message":{encode_string(failure.message)}'
                f'{timing(function)},"reusable":{"true" if failure.reusable else "false"}{function.left()}}}')
    return f'{{"requestId":{request},"ok":true{timing(function)}{function.left()},{rest}}}'


def timing(function):
    return "" if function.handler_ms is None else f',"handlerMs":{round(function.handler_ms, 3)}'


def child_variables():
    """So that interpreters that a function starts find what it finds itself."""
    if UNMOUNTED_PACKAGES is None:
        return {"PYTHONPATH": MODULES}
    return {"PYTHONPATH": f"{MODULES}:{OWN_FOLDER}/unmounted", "INFRA_PYTHON_PACKAGES": UNMOUNTED_PACKAGES}


def load_sdk():
    """There unless the bundle brings a module of this name, as ai_client is."""
    path = f"{MODULES}/sdk.py"
    module = user_code.import_code(compile(user_code.read(f"{SOURCES}/modules/sdk.py"), path, "exec"), path, "sdk")
    sys.path.append(MODULES)
    return module


def hide_packages():
    """Of the machine's, where nothing is mounted over them."""
    with open(f"{SOURCES}/unmounted/sitecustomize.py", "rb") as file:
        exec(compile(file.read(), f"{OWN_FOLDER}/unmounted/sitecustomize.py", "exec"), {})


def prepare(workspace, rehearsals=0, folder=OWN_FOLDER):
    """What needs no sandbox. Rehearsals are worth their time where many runners come of one: code that has run often is rewritten
    by the interpreter, counts no more, and so is shared by all. `folder` is where this file really is."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    if UNMOUNTED_PACKAGES is not None:
        hide_packages()
    function = Function(workspace, load_sdk())
    for _ in range(rehearsals):
        rehearse(function, folder)
        user_code.rehearse_import(folder)  # not in each runner: few functions import what is not loaded
    return function


def rehearse(function, folder):
    """What a first call does, as far as that goes without one. A forked runner copies a page when it first writes to it: here nobody
    waits for that."""
    read_end, write_end = os.pipe()
    frames.write_frame(write_end, b'{"requestId":"","functionId":"","memoryMb":128,"deadlineMs":0,"env":{"PAYLOAD":""},'
                                  b'"input":{"a":[1,2.5,null]}}')
    call = frames.read_frame(read_end)
    os.close(read_end)
    os.close(write_end)
    function.handler = user_code.rehearse(folder).handler
    function.is_loaded = True
    function.streams.keep()
    answer_text(function, call)
    streams.flush()
    function.handler, function.is_loaded = None, False


is_copy = False


def note_copy():
    global is_copy
    is_copy = True


os.register_at_fork(after_in_child=note_copy)  # spares each call from asking the kernel who it is


def serve(function, control, wait=None, packages=None):
    """`wait` is the zygote's: it returns when the control socket has a call, or a signal has come, and gives memory back when the
    worker leaves time for it. Not before the first call, which finds its pages copied by the rehearsal. `packages` is a folder that
    the interpreter did not have at its start, and looks through as it does then."""
    if packages is not None:
        site.addsitedir(packages)
    function.streams.begin(frames.move_aside)
    rehearse(function, OWN_FOLDER)
    frames.write_frame(control, b'{"ready":true}')
    while (call := frames.read_frame(control)) is not None:
        if call:
            text = answer_text(function, call)
            streams.flush()
            if is_copy:  # a child that the function forked came back here: only its parent may answer
                raise SystemExit(function.end)
            function.take_payload()
            frames.write_frame(control, values.to_utf8(text))
        if wait is not None:
            wait(control, 0 if call else 1)
    os_exit(0)  # not waiting for threads or exit hooks of the function


if __name__ == "__main__":
    serve(prepare(os.getcwd()), frames.take_control_socket())
