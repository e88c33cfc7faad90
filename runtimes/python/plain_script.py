"""Runs a plain script whole, once a call. An interpreter of its own is executed for it and not forked off the runner's, so that all is
as for `python3 main.py`: what is loaded and in which order it is found, threads and exit handlers at the end, the exit status."""

import _signal  # without the enums of `signal`
import os
import sys
from builtins import OSError

from values import Failure

SHELLS_SIGNAL = 128  # plus its number, as a shell reports that a signal ended a program
IGNORED_HERE = (_signal.SIGPIPE, _signal.SIGXFSZ)


def run(call, variables):
    """Its exit code."""
    command = [sys.executable, "-B", "-u", "-X", f"infra_deadline_ms={call['deadlineMs']}", "main.py"]
    try:
        # In a group of its own: a signal to the group is not for the runner.
        child = os.posix_spawn(sys.executable, command, variables, setpgroup=0, setsigdef=IGNORED_HERE)
    except OSError as error:
        raise Failure("handler_error", f"The script could not be started: {error}.") from None
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else SHELLS_SIGNAL - code
