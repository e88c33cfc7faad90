"""The environment that a call sees: what it does to it is undone before the next, the time zone included."""

import os
import time
from builtins import Exception

# A launcher that can't mount these folders says where they are instead.
TEMPORARY = os.environ.get("TMPDIR") or "/tmp"
BASE = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": TEMPORARY, "LANG": "C.UTF-8", "TMPDIR": TEMPORARY,
        "OUTPUT_DIR": os.environ.get("OUTPUT_DIR") or "/output"}
NOT_KNOWN = object()
OF_A_CALL = (b"JOB_ID", b"LLM_MODEL", b"PAYLOAD", b"PAYLOAD_FILE", b"TRACEPARENT")

environ, environ_data, putenv, unsetenv = os.environ, os.environ._data, os.putenv, os.unsetenv
use_time_zone = time.tzset
try:
    import ctypes
    c_putenv = ctypes.PyDLL(None).putenv
    c_putenv.argtypes = (ctypes.c_char_p,)
except Exception:  # an interpreter without it
    c_putenv = None


class Environment:
    def __init__(self, **more):
        self.base = {**BASE, **more}
        self.given = {}  # the variables of the last call
        self.held = {}  # what os.environ was then, as bytes
        self.placed = {}
        self.loaded = {}  # what the code made of it while it was loaded; None: it is gone
        self.zone = os.environ._data.get(b"TZ")  # the one that libc knows

    def set(self, env):
        """Most calls find all as it was, but for the values that are their own."""
        os.environ = environ
        if environ_data != self.held or env.keys() != self.given.keys():
            self.replace(env)
        else:
            for name, value in env.items():
                if value != self.given[name] and name.encode() not in self.loaded:
                    self.place(name.encode(), value.encode())
        self.given = env
        zone = self.held.get(b"TZ")
        if zone != self.zone:
            self.zone = zone
            use_time_zone()

    def keep(self):
        """What the code did to it while it was loaded stays, but for what each call says anew."""
        for name in {*environ_data, *self.held}:
            value = environ_data.get(name)
            if value != self.held.get(name) and name not in OF_A_CALL:
                self.loaded[name] = value
                if name == b"TZ":
                    self.zone = value  # as the code left it
                if value is None:
                    del self.held[name]
                else:
                    self.held[name] = value

    def replace(self, env):
        if environ_data.get(b"TZ") != self.held.get(b"TZ"):
            self.zone = NOT_KNOWN  # the call may have used another
        wanted = {name.encode(): value.encode() for name, value in {**self.base, **env}.items()}
        for name, value in self.loaded.items():
            if value is None:
                wanted.pop(name, None)
            else:
                wanted[name] = value
        for name in [*environ_data]:  # the dictionary below os.environ: its methods need builtins that may be patched
            if name not in wanted:
                del environ_data[name]
                unsetenv(name)
        self.held = {}
        for name, value in wanted.items():
            self.place(name, value)

    def place(self, name, value):
        """Into os.environ and the environment that libraries in C and children see. setenv() keeps every value that ever was, and
        a function is called a million times: what stands there is memory of ours, let go when another value has taken its place."""
        environ_data[name] = self.held[name] = value
        if c_putenv is None:
            putenv(name, value)
            return
        entry = name + b"=" + value
        c_putenv(entry)
        self.placed[name] = entry
