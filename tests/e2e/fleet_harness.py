"""A fleet of the program under test: two controllers and two workers over a Redis and AWS peers of their own (tools/fleet.py).

The platform's tests use it in place of one program (INFRA_E2E_FLEET), the fleet's own tests as what it is.
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from fleet import Fleet  # noqa: E402  (it stands in tools, for `./dev run fleet`)

NOT_FOR_ALL = ("PORT", "INFRA_DATA_DIR", "INFRA_API_KEY", "HOME")


def given(environment):
    return {name: value for name, value in environment.items() if name not in NOT_FOR_ALL}


def as_one_program(base):
    """The class `base` (harness.Infra) with a fleet behind its interface. A client talks to the first controller."""

    class FleetAsInfra(base):
        fleet = None

        def start(self, wait=True):
            if self.arguments != ("serve",):
                raise AssertionError("only `infra serve` can be a fleet")
            if self.fleet is None:
                self.fleet = Fleet(base.program, Path(self.folder) / "fleet", base.key, environment=given(self.env))
                self.fleet.start()
            else:
                for program in (*self.fleet.controllers, *self.fleet.workers):
                    program.environment.pop("RATE_LIMIT", None)
                    program.environment.update(given(self.env))
                    program.start(wait)
            self.port, self.process = self.fleet.controllers[0].port, self.fleet.controllers[0].process
            self.data = self.fleet.controllers[0].environment["INFRA_DATA_DIR"]
            return self

        @property
        def lines(self):
            if self.fleet is None:
                return []
            programs = (*self.fleet.controllers, *self.fleet.workers)
            return [line for program in programs if program.log.exists()
                    for line in program.log.read_text(errors="replace").splitlines()]

        @lines.setter
        def lines(self, value):
            pass

        def stop(self, seconds=None):
            programs = (*self.fleet.workers, *self.fleet.controllers)
            return max(program.stop(seconds or 30) for program in programs)

        def close(self):
            if self.fleet is not None:
                self.fleet.kill()
            shutil.rmtree(self.folder, ignore_errors=True)

    return FleetAsInfra


class FleetClients:
    """A fleet of its own with a client (a harness.Infra that starts nothing) to each controller."""

    def __init__(self, client_class, environment=None, **options):
        self.folder = tempfile.mkdtemp(prefix="infra-fleet-")
        environment = {"RATE_LIMIT": "0", "AI_NODE_URL": "http://127.0.0.1:9", **(environment or {})}
        self.fleet = Fleet(client_class.program, Path(self.folder) / "fleet", client_class.key, environment=environment,
                           **options)
        self.client_class = client_class

    def start(self):
        self.fleet.start()
        self.clients = [self.client_to(controller) for controller in self.fleet.controllers]
        return self

    def client_to(self, program):
        client = self.client_class(folder=self.folder)
        client.port = program.port
        return client

    def log(self):
        """The JSON lines of every program."""
        entries = []
        for program in (*self.fleet.controllers, *self.fleet.workers):
            for line in program.log.read_text(errors="replace").splitlines():
                if line.startswith("{"):
                    entries.append({"program": program.name, **json.loads(line)})
        return entries

    def close(self):
        self.fleet.kill()
        if not os.environ.get("INFRA_E2E_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)
