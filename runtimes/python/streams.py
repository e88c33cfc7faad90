"""sys.stdin, sys.stdout and sys.stderr: what a call puts in their place, closes or sets otherwise is undone before the next. What the
code did while it was loaded stays, as all that it keeps in variables does."""

import os
import sys
from builtins import BaseException, OSError, ValueError, enumerate, getattr, setattr, type
from io import BufferedReader, FileIO, TextIOWrapper

NAMES = ("stdin", "stdout", "stderr")  # by their descriptors
UNUSABLE = ()

fstat, duplicate_to = os.fstat, os.dup2
print_out, print_err = sys.stdout, sys.stderr


def open_stream(descriptor):
    """As `python3 -u` does, but that any text can be printed. The descriptor outlives it."""
    name = NAMES[descriptor]
    if descriptor == 0:
        return TextIOWrapper(BufferedReader(FileIO(0, "rb", closefd=False)), encoding="utf-8")
    raw = FileIO(descriptor, "wb", closefd=False)
    raw.name = f"<{name}>"
    stream = TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True)
    stream.mode = "w"
    return stream


def settings(stream):
    """None where there is nothing to look at, and UNUSABLE of a stream that is closed or detached."""
    if type(stream) is not TextIOWrapper:
        return None
    try:
        return UNUSABLE if stream.closed else (stream.encoding, stream.errors, stream.line_buffering, stream.write_through)
    except ValueError:
        return UNUSABLE


class Streams:
    def __init__(self):
        self.kept = []  # of each name the object, and its settings
        self.spares = []  # of each descriptor but the null device's: its number, another one, and what file it is

    def begin(self, move_aside):
        """Where descriptors are what calls will print to."""
        for descriptor in (1, 2):
            self.spares.append((descriptor, move_aside(descriptor), identity(descriptor)))

    def keep(self):
        self.kept = []
        for descriptor, name in enumerate(NAMES):
            stream = getattr(sys, name, None)
            if settings(stream) == UNUSABLE:
                stream = open_stream(descriptor)
            self.kept.append((name, stream, settings(stream)))

    def restore(self):
        for name, stream, known in self.kept:
            if getattr(sys, name, None) is not stream or settings(stream) != known:
                return self.mend()

    def mend(self):
        for name, stream, _ in self.kept:
            setattr(sys, name, stream)  # what goes with this may take the stream's file along, or the descriptor
        for descriptor, spare, file in self.spares:
            if identity(descriptor) != file:
                duplicate_to(spare, descriptor)
        for descriptor, (name, stream, known) in enumerate(self.kept):
            if settings(stream) != known and not reconfigure(stream, known):
                stream = open_stream(descriptor)
                self.kept[descriptor] = (name, stream, settings(stream))
                setattr(sys, name, stream)
                setattr(sys, f"__{name}__", stream)


def identity(descriptor):
    try:
        found = fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def reconfigure(stream, known):
    encoding, errors, line_buffering, write_through = known
    try:
        stream.reconfigure(encoding=encoding, errors=errors, line_buffering=line_buffering, write_through=write_through)
    except BaseException:  # closed, or read from
        return False
    return settings(stream) == known


def flush():
    for stream in (print_out, print_err, getattr(sys, "stdout", None), getattr(sys, "stderr", None)):
        try:
            stream.flush()
        except BaseException:  # replaced by the function, or closed: its own affair
            pass
