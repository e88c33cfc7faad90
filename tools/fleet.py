"""A whole fleet on this machine: Redis, peers that speak S3, SQS and DynamoDB, controllers and workers, all on loopback.

`./dev run fleet` runs it until Ctrl-C; the end-to-end tests use the class Fleet. Nothing in it outlives it but the logs and the
API key in its folder.
"""

import argparse
import contextlib
import os
import pwd
import secrets
import signal
import subprocess
import sys
import threading
from pathlib import Path

import variables
from fleet_parts import PATIENCE, ROOT, AwsPeers, FleetError, Program, Redis, warn

sys.path.insert(0, str(ROOT / "tests" / "peers"))
from fault_proxy import FaultProxy  # noqa: E402  (it lives beside the peers)

SERVICES = ("s3", "sqs", "dynamodb")
ENGINES = (*SERVICES, "redis")
# What a user or a test may set for every program of the fleet; ports, keys and folders are each one's own.
PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS",
             *(name for name in variables.names("machine") if name not in ("INFRA_API_KEY", "PORT", "INFRA_DATA_DIR")))


class Fleet:
    """`environment` goes to every program, over what the fleet itself sets. `ports` are the controllers', 0 for any. The engines
    that `faulty` names are reached through a FaultProxy each, in `proxies`. `user` (a pwd entry) is whom all but the workers'
    privileged part runs as."""

    def __init__(self, program, folder, key, ports=(0, 0), workers=2, environment=None, faulty=(), fifo=False, user=None,
                 on_death=lambda program: None, configuration=True):
        self.program, self.folder, self.user, self.fifo = str(program), Path(folder), user, fifo
        self.key, self.ports, self.worker_count = key, ports, workers
        self.given = {**{name: os.environ[name] for name in PASSED_ON if name in os.environ}, **(environment or {})}
        self.on_death = on_death
        self.configuration = configuration  # whether it has a table for names
        self.proxies = {engine: FaultProxy() for engine in faulty}
        self.redis = Redis(self.folder, user)
        self.peers = AwsPeers(self.folder, user, [(service, f"127.0.0.1:{self.proxies[service].port}") for service in SERVICES
                                                  if service in self.proxies])
        self.controllers, self.workers = [], []

    def start(self):
        """Returns once every program listens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.user is not None:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        try:
            self.start_engines()
            self.start_programs()
        except BaseException:
            self.kill()
            raise
        return self

    def start_engines(self):
        self.redis.start()
        self.peers.start()
        for engine, proxy in self.proxies.items():
            proxy.target_port = self.redis.port if engine == "redis" else self.peers.port(engine)
        kind = "fifo" if self.fifo else "standard"
        self.bucket = self.peers.ask("make-bucket", "infra-code")
        self.functions_table = self.peers.ask("make-functions-table", "InfraFunctions")
        self.logs_table = self.peers.ask("make-logs-table", "InfraExecutionLogs")
        if self.configuration:
            self.peers.ask("make-configuration-table", "InfraConfiguration")  # as it is called if nobody says another name
        self.dead_letters_url = self.peers.ask("make-queue", kind, "infra-jobs-dead")
        self.queue_url = self.peers.ask("make-queue", kind, "infra-jobs", self.dead_letters_url)

    def endpoint(self, service):
        if service in self.proxies:
            return f"http://127.0.0.1:{self.proxies[service].port}"
        return self.peers.about[f"{service}_endpoint"]

    def environment(self):
        """What tells a program where its fleet is."""
        redis = self.proxies.get("redis", self.redis)
        return {"AWS_REGION": self.peers.about["region"], "BUCKET_NAME": self.bucket, "TABLE_NAME": self.functions_table,
                "LOGS_TABLE_NAME": self.logs_table, "SQS_URL": self.queue_url, "REDIS_HOST": "127.0.0.1",
                "REDIS_PORT": str(redis.port), **{f"{service.upper()}_ENDPOINT": self.endpoint(service) for service in SERVICES},
                "AWS_ACCESS_KEY_ID": self.peers.about["access_key_id"],
                "AWS_SECRET_ACCESS_KEY": self.peers.about["secret_access_key"], "INFRA_API_KEY": self.key, **self.given}

    def start_programs(self):
        for port in self.ports:
            self.controllers.append(self.make(f"controller-{len(self.controllers) + 1}", ["serve"], PORT=str(port)))
        start_all(self.controllers)
        for index in range(self.worker_count):
            controller = self.controllers[index % len(self.controllers)]
            self.workers.append(self.make(f"worker-{index + 1}", ["worker"], PORT="0",
                                          CONTROLLER_URL=f"http://127.0.0.1:{controller.port}"))
        start_all(self.workers)

    def make(self, name, arguments, **more):
        user = self.user
        if user is not None and arguments == ["worker"]:  # needs root to set its spawner apart, and becomes the user itself
            arguments, user = [*arguments, "--user", user.pw_name], None
        environment = {**self.environment(), **more}
        return Program(name, [self.program, *arguments, "--address", "127.0.0.1"], self.folder / name, environment, user, self.on_death)

    def stop(self, seconds=PATIENCE):
        """Workers first, so that they settle what runs, then controllers, then the engines. The exit statuses by name."""
        statuses = {}
        for programs in (self.workers, self.controllers):
            for program in programs:
                program.signal(signal.SIGTERM)
            for program in programs:
                try:
                    statuses[program.name] = program.wait(seconds)
                except subprocess.TimeoutExpired:
                    statuses[program.name] = program.kill()
        self.stop_engines()
        return statuses

    def kill(self):
        for program in (*self.workers, *self.controllers):
            if program.running:
                program.kill()
        self.stop_engines()

    def stop_engines(self):
        for part in (*self.proxies.values(), self.redis, self.peers):
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                part.close() if isinstance(part, FaultProxy) else part.stop()


def start_all(programs):
    for program in programs:
        program.start(wait=False)
    for program in programs:
        program.wait_until_listening()


def kept_key(folder, user):
    """Made once, and kept for its owner's eyes only."""
    path = folder / "api-key"
    with contextlib.suppress(FileNotFoundError):
        if key := path.read_text(encoding="ascii").strip():
            return key
    key = f"dev-{secrets.token_hex(24)}"
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(key + "\n")
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)
    return key


def introduce(fleet, program):
    walk = subprocess.run([program, "walk-through", "--port", str(fleet.controllers[0].port), "--key", fleet.key],
                          capture_output=True, text=True, check=True).stdout
    others = ", ".join(f"http://127.0.0.1:{controller.port}" for controller in fleet.controllers[1:])
    print(walk.rstrip("\n") + f"""

  This is a fleet: {len(fleet.controllers)} controllers (the others: {others or 'none'}) and {len(fleet.workers)} workers over Redis and
  stand-ins for S3, SQS and DynamoDB. All that they hold is in memory and goes with Ctrl-C.
  Logs are in {fleet.folder}.
""", flush=True)


def run(arguments):
    user = pwd.getpwnam(arguments.user) if arguments.user else None
    folder = arguments.folder.absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for log in folder.glob("*.log"):
        log.unlink()
    first = int(os.environ.get("PORT", "8080"))
    ports = [first + index if first else 0 for index in range(arguments.controllers)]
    key = os.environ.get("INFRA_API_KEY") or kept_key(folder, user)

    fleet = Fleet(arguments.program.absolute(), folder, key, ports, arguments.workers, user=user,
                  on_death=lambda program: warn(f"{program.name} ended by itself; {program.log} says why."))
    stop = threading.Event()

    def stop_by_signal(*_):
        if stop.is_set():
            warn("stopped at once by a second signal")
            fleet.kill()
            os._exit(130)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop_by_signal)
    fleet.start()
    if not stop.is_set():
        introduce(fleet, fleet.program)
    stop.wait()
    warn("stopping…")
    return 1 if any(fleet.stop().values()) else 0


def main():
    parser = argparse.ArgumentParser(prog="./dev run fleet", description=__doc__.splitlines()[0])
    parser.add_argument("--program", type=Path, required=True, help="infra")
    parser.add_argument("--folder", type=Path, default=ROOT / ".infra-fleet", help="for logs and the API key")
    parser.add_argument("--controllers", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--user", help="whom to become where root is not needed")
    try:
        return run(parser.parse_args())
    except (FleetError, KeyError) as problem:
        warn(str(problem))
        return 1


if __name__ == "__main__":
    sys.exit(main())
