"""A fleet of the program under test: two controllers and two workers over a Redis and AWS peers of their own (tools/fleet.py).

The platform's tests use it in place of one program (INFRA_E2E_FLEET), the fleet's own tests as what it is.
"""

import contextlib
import http.client
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from fleet import Fleet  # noqa: E402  (it stands in tools, for `./dev run fleet`)
from fleet_parts import PATIENCE, AwsPeers, Redis  # noqa: E402, F401

NOT_FOR_ALL = ("PORT", "INFRA_DATA_DIR", "INFRA_API_KEY", "HOME")


def given(environment):
    return {name: value for name, value in environment.items() if name not in NOT_FOR_ALL}


def last_words(programs):
    """What is worth telling after a failure."""
    return [f"{program.name}: {line}" for program in programs if program.log.exists()
            for line in program.last_words(6).splitlines()]


def as_one_program(base):
    """The class `base` (harness.Infra) with a fleet behind its interface. A client talks to the first controller. One worker,
    because these tests ask whether the second run of a function is warm; the fleet's own tests have two."""

    class FleetAsInfra(base):
        fleet = None

        def start(self, wait=True):
            if self.arguments != ("serve",):
                raise AssertionError("only `infra serve` can be a fleet")
            if self.fleet is None:
                self.fleet = Fleet(base.program, Path(self.folder) / "fleet", base.key, workers=1,
                                   environment=given(self.env))
                self.fleet.start()
            else:
                for program in self.programs:
                    program.environment.pop("RATE_LIMIT", None)
                    program.environment.update(given(self.env))
                    program.start(wait)
            self.port, self.process = self.fleet.controllers[0].port, self.fleet.controllers[0].process
            self.data = self.fleet.controllers[0].environment["INFRA_DATA_DIR"]
            return self

        @property
        def programs(self):
            return (*self.fleet.controllers, *self.fleet.workers)

        @property
        def lines(self):
            if self.fleet is None:
                return self.kept
            return [line for program in self.programs if program.log.exists()
                    for line in program.log.read_text(errors="replace").splitlines()]

        @lines.setter
        def lines(self, value):
            self.kept = value

        def worker_metrics(self):
            connection = http.client.HTTPConnection("127.0.0.1", self.fleet.workers[0].port, timeout=PATIENCE)
            with contextlib.closing(connection):
                return self.get("/metrics", connection=connection).text

        def signal(self, number):
            for program in self.programs:
                program.signal(number)

        def wait(self, seconds=PATIENCE):
            """The first status that is none of success. Workers end with their polls, which end here (test_fleet_shutdown.py waits)."""
            deadline = time.monotonic() + seconds
            while any(program.running for program in self.programs) and time.monotonic() < deadline:
                self.fleet.peers.ask("end-polls")
                time.sleep(0.1)
            statuses = [program.wait(seconds) for program in self.programs]
            return next((status for status in statuses if status), 0)

        def close(self):
            if self.fleet is not None:
                self.fleet.kill()
                self.lines = last_words(self.programs)
                self.fleet = None
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
        return self.connect()

    def connect(self):
        self.clients = [self.client_to(controller) for controller in self.fleet.controllers]
        self.worker_clients = [self.client_to(worker) for worker in self.fleet.workers]
        return self

    def client_to(self, program):
        client = self.client_class(arguments=(program.name,), folder=os.path.join(self.folder, "client"))
        client.port = program.port
        return client

    def jobs_running(self):
        """By worker; of one that does not answer, none."""
        def of(client):
            with contextlib.suppress(OSError):
                return int(sum_of(client.get("/metrics").text, "jobs_running"))
            return 0
        return [of(client) for client in self.worker_clients]

    def busy_worker(self):
        return next((worker for worker, jobs in zip(self.fleet.workers, self.jobs_running(), strict=True) if jobs), None)

    def queue_is_empty(self):
        return sum_of(self.clients[-1].get("/metrics").text, "job_queue_depth") == 0

    def close(self):
        self.fleet.kill()
        if self.fleet.controllers:
            self.clients[0].lines = last_words((*self.fleet.controllers, *self.fleet.workers))
        if not os.environ.get("INFRA_E2E_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)


def sum_of(metrics, name):
    """Of all samples of one name, whatever their labels."""
    return sum(float(value) for value in re.findall(rf"(?m)^{name}(?:\{{[^}}]*\}})? (\S+)$", metrics))
