"""The control socket, and the frames that pass over it (docs/runner-protocol.md)."""

import errno
import fcntl
import json
import os
import sys
from builtins import OSError, ValueError, int, len, memoryview, min

MAX_FRAME = 32 * 1024 * 1024
MOST_FRAMES = 4096  # bytes, which most calls fit into
EMPTY_FRAME = b"\0\0\0\0"
NO_CALL = {}
LOWEST = 60  # for descriptors of the runner's: past 63 the kernel takes 10 KiB more for their table

os_read, os_write, os_close = os.read, os.write, os.close
int_from_bytes, int_to_bytes = int.from_bytes, int.to_bytes
scan_json = json.JSONDecoder().scan_once  # written in C: nothing a function patches reaches it
duplicate = fcntl.fcntl
get_max_digits, set_max_digits = sys.get_int_max_str_digits, sys.set_int_max_str_digits


def move_aside(descriptor):
    """A duplicate where a function does not close it or write to it by accident."""
    for lowest in (LOWEST, 4):  # the limit on open files may be low
        try:
            return duplicate(descriptor, fcntl.F_DUPFD_CLOEXEC, lowest)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EMFILE):
                raise
    raise OSError(errno.EMFILE, "no free descriptor for the runner")


def take_control_socket():
    """Moves the socket away from descriptor 3."""
    moved = move_aside(3)
    os_close(3)
    return moved


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
    return parse(body.decode("utf-8"))


def parse(text):
    try:
        return scan_json(text, 0)[0]
    except ValueError:  # an integer of more digits than Python takes from text
        return without_limit(scan_json, text, 0)[0]


def without_limit(work, *arguments):
    """Integers of more than 4300 digits are JSON as any."""
    limit = get_max_digits()
    set_max_digits(0)
    try:
        return work(*arguments)
    finally:
        set_max_digits(limit)


def write_frame(fd, body):
    write_all(fd, int_to_bytes(len(body), 4, "little") + body)


def write_all(fd, data):
    done = os_write(fd, data)
    while done < len(data):
        done += os_write(fd, memoryview(data)[done:])
