"""Makes the Nth system call of a kind fail in a program under test: the other side of tests/support/failing_calls.cc."""

import errno
import mmap
import os
import struct

# As its Kind; and the errors that its calls meet in life.
KINDS = {
    "open": (1, (errno.EMFILE, errno.EIO)),
    "write": (2, (errno.ENOSPC, errno.EIO)),
    "sync": (3, (errno.EIO, errno.ENOSPC)),
    "rename": (4, (errno.EIO, errno.ENOSPC)),
    "mkdir": (5, (errno.ENOSPC, errno.ENOMEM)),
    "socket": (6, (errno.ENOMEM,)),
    "watch": (7, (errno.ENOMEM, errno.ENOSPC)),
}
PLAN = struct.Struct("=iiii")


class Faults:
    def __init__(self, folder):
        self.path = os.path.join(folder, "faults")
        with open(self.path, "wb") as file:
            file.write(bytes(PLAN.size))
        with open(self.path, "r+b") as file:
            self.plan = mmap.mmap(file.fileno(), PLAN.size)

    def environment(self):
        return {"LD_PRELOAD": os.environ["INFRA_FAILING_CALLS"], "INFRA_FAULTS": self.path}

    def plan_for(self, kind, error, nth):
        self.plan[:] = PLAN.pack(KINDS[kind][0], error, nth, 0)

    def end(self):
        """True if the call came, and failed."""
        _, _, nth, seen = PLAN.unpack(self.plan[:])
        self.plan[:] = bytes(PLAN.size)
        return seen >= nth
